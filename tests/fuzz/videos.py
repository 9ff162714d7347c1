"""Mutated videos through all that a worker does with one: see supervising.py for the arguments."""

import faulthandler
import hashlib
import json
import math
import re
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

from tests.fakes.mutants import MEMORY_BYTES, WAYS
from tests.fuzz.mutating import mutant
from tests.fuzz.sources import read_sources
from tests.fuzz.telling import Teller, dice_for
from videoannotator.domain.errors import MediaError
from videoannotator.domain.failures import Code
from videoannotator.inference.work import Work
from videoannotator.media.probe import probe
from videoannotator.media.recording import open_recording
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.rpc import convert
from videoannotator.rpc.work import Accepted, Assignment, LogLine

PART = "videos"
PIPELINES = ("scene_detection", "voice_activity")
SLOW_SECONDS = 3.0  #: of the processor, for opening a file of a few kilobytes
EVERY = 4  #: one file of so many goes through both pipelines
RESIDENT_BYTES = 1536 * 1024**2  #: of the process at its peak, with both pipelines' libraries
HOLDS = 6  #: threads and open files that may be more than at the beginning: pools, lazy libraries
LEAKED = re.compile(r"(/[\w.-]+){2,}|Traceback|\.py\b|0x[0-9a-f]{6}|Errno|av\.error")


class Voice:
    """Hears what a run tells, and that it can be sent and read by others."""

    def __init__(self) -> None:
        """Nothing was said."""
        self.lines: list[str] = []

    def accept(self, accepted: Accepted) -> None:
        """As the worker sends it."""
        convert.accepted_from(convert.accepted_to(accepted))

    def report(self, progress: object) -> None:
        """As the worker sends it."""
        convert.progress_to(progress)  # type: ignore[arg-type]

    def log(self, line: LogLine) -> None:
        """Keeps it."""
        self.lines.append(line.message)


def judge(path: Path, folder: Path, through_pipelines: bool) -> tuple[str, list[str]]:
    """How reading it ended, and what was wrong with that."""
    refused, wrong = 0, []
    if opens_slowly(path):
        return "opens slowly", []
    for way in WAYS:
        try:
            way(path)
        except MediaError as error:
            refused += 1
            wrong += unfit(error.message, path)
    wrong += probed(path)
    outcome = "refused" if refused == len(WAYS) else "read in part" if refused else "read"
    if through_pipelines:
        ends = [annotated(path, folder, name, wrong) for name in PIPELINES]
        outcome += f", annotated {sum(ends)}/{len(PIPELINES)}"
    return outcome, wrong


def opens_slowly(path: Path) -> bool:
    """FFmpeg counts up to the largest number of a track in a fragmented MP4: for 12 s at most.

    Each opening costs that again, which would use up the time of this whole run.
    """
    begin = time.process_time()
    try:
        with open_recording(path):
            pass
    except MediaError:
        pass
    return time.process_time() - begin > SLOW_SECONDS


def unfit(message: str, path: Path) -> Iterator[str]:
    """A message for a user is a sentence that tells nothing of this machine."""
    if not message.strip() or len(message) > 600:
        yield f"no message to read: {message[:80]!r}"
    if LEAKED.search(message) or str(path.parent) in message or path.name in message:
        yield f"tells too much: {message!r}"


def probed(path: Path) -> Iterator[str]:
    """What is said of the file can be sent, stored and shown."""
    try:
        told = probe(path)
    except MediaError:
        return
    convert.probe_from(convert.probe_to(told))
    seconds = [
        value
        for part in (told, told.video, told.audio)
        if part is not None
        for value in (part.start_seconds, part.duration_seconds)
    ]
    if not all(map(math.isfinite, seconds)) or min(seconds[1::2]) < 0:
        yield f"impossible times: {told}"
    json.dumps(asdict(told), default=str, ensure_ascii=False).encode()
    if told.video and told.video.rotation not in (0, 90, 180, 270):
        yield f"impossible rotation: {told}"


def annotated(path: Path, folder: Path, pipeline: str, wrong: list[str]) -> bool:
    """One attempt as a worker does it; whether there is a result."""
    results = folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    content = path.read_bytes()
    assignment = Assignment(
        run_id="run",
        attempt=1,
        pipeline=pipeline,
        video_id="video",
        path=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        directory=str(results),
    )
    voice = Voice()
    work = Work(assignment, Catalogue.load().get(pipeline), voice, lambda: False)
    try:
        done = work.do()
    except MediaError as error:
        failure = work.failure(error)
        wrong += unfit(failure.message, path)
        if failure.code is not Code.MEDIA_ERROR:
            wrong.append(f"{pipeline} said {failure.code}")
        if (results / "manifest.json").exists():
            wrong.append(f"{pipeline} failed and has a manifest")
        return False
    convert.completed_to(done)
    wrong += [each for line in voice.lines for each in unfit(line, path)]
    wrong += [f"{pipeline}: {each}" for each in unreadable(results)]
    return True


def unreadable(results: Path) -> Iterator[str]:
    """Results that a reader of strict JSON cannot read, and files that nobody finished."""
    for file in results.iterdir():
        if file.name.startswith("."):
            yield f"a temporary file: {file.name}"
        if file.suffix == ".json":
            try:
                json.loads(file.read_bytes(), parse_constant=_no_number)
            except ValueError as error:
                yield f"{file.name}: {error}"


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


class Watch:
    """Looks at what the process holds before and after."""

    def __init__(self) -> None:
        """What the libraries keep is counted from after the first file on."""
        self._files = self._threads = 0

    def begin(self) -> None:
        """Counts."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        self._files = self._files or _open_files()
        self._threads = self._threads or threading.active_count()

    def wrong(self) -> Iterator[str]:
        """What is held too much."""
        status = Path("/proc/self/status").read_text(encoding="ascii")
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
        if peak > RESIDENT_BYTES:
            yield f"took {peak / 1024**2:.0f} MiB"
        if _open_files() > self._files + HOLDS:
            yield f"{_open_files() - self._files} files were left open"
        if threading.active_count() > self._threads + HOLDS:
            yield f"{threading.active_count() - self._threads} threads were left"
        left = list(Path(tempfile.gettempdir()).iterdir())
        if left:
            yield f"temporary files were left: {[path.name for path in left]}"


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def lay_down(
    folder: Path, sources: dict[str, bytes], number: int, dice: Random
) -> tuple[str, Path]:
    """Writes the input; its kind with its accidents, and where it is."""
    kind, accidents, data = mutant(sources, dice)
    # The storage names files without a suffix; a local user's file has one, perhaps a wrong one.
    name = dice.choice(
        (f"{number}", f"{number}-{kind}", f"{number}-{dice.choice(sorted(sources))}")
    )
    path = folder / "inputs" / name
    path.write_bytes(data)
    return f"{kind} {accidents}", path


def main(folder: Path, seed: int, first: int, last: int) -> None:
    """Reads the videos of these numbers."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sources = read_sources(folder / "sources")
    (folder / "inputs").mkdir(exist_ok=True)
    teller, watch = Teller(), Watch()
    for number in range(first, last):
        teller.begin(number)
        watch.begin()
        name, path = lay_down(folder, sources, number, dice_for(seed, PART, number))
        outcome, wrong = judge(path, folder, number % EVERY == 0)
        wrong += watch.wrong()
        if not wrong:
            path.unlink()
        kind = name.split(" ")[0].rpartition(".")[2]
        teller.end(kind, outcome, [f"{name}: {each}" for each in wrong])


if __name__ == "__main__":
    faulthandler.enable()
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
