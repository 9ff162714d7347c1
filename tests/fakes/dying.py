"""Lets a launcher die by SIGKILL before each line of one of its methods, one after another.

A process of its own (`python -m tests.fakes.dying SCENE FOLDER`), because it forks. For each line a
child carries out the scene's deed and dies there, so that no `finally` runs; then another launcher
finds what is left. Prints a JSON list of what it found.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fakes.processes import runs
from tests.fakes.workers import a_worker
from videoannotator.domain.jobs import Worker, WorkerState
from videoannotator.scheduler.launchers import process as under_test
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.launchers.process import ProcessLauncher

TRACED = Path(under_test.__file__).parent
SPAWNING = "_execute_child"  #: of subprocess
#: Only think or read: a death within is like one right after.
UNEVENTFUL = {TRACED / name for name in ("commands.py", "endings.py", "faults.py", "memory.py")}
READING = frozenset(
    {
        *("members", "process", "_session", "_from_proc", "here", "sees"),
        *("started", "started_at", "pid", "first_seen", "asked_at", "tombstone", "last_words"),
        *("_text", "_read", "log_tail", "_shown", "_facts", "_failure", "<listcomp>"),
    }
)
PATIENCE_SECONDS = 20.0
MOST_LINES = 2000
#: Writes its number, and that of a child that wants to live, before it works.
PROGRAM = """
trap '' TERM
sleep 120 &
echo "$VIDEOANNOTATOR_WORKER_ID $$ $!" >> "$1"
sleep 120
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was left after a death, and what became of it."""

    line: str  #: before which it died; empty: it came to its end
    first: str  #: sight by the next launcher, at once
    starts: int  #: processes that ever began the program, the next launcher having created too
    early: bool  #: something ran when it was called gone
    left: int  #: processes that run at the end
    late_starts: int  #: of a create after that


class Stage:
    """One worker, the launcher that dies, and the next one."""

    def __init__(self, folder: Path, number: int) -> None:
        """Everything under `folder`, which has a short path."""
        folder.mkdir(parents=True)
        self.folder = folder
        self.journal = folder / "journal"
        command = ["/bin/sh", "-c", PROGRAM, "sh", str(self.journal)]
        self.worker = a_worker(command, worker_id=f"w{number:06d}")
        self.stopping = replace(self.worker, state=WorkerState.STOPPING)

    def launcher(self) -> ProcessLauncher:
        return ProcessLauncher(
            self.folder / "w", self.folder / "s", 0.0, {"PATH": os.defpath, "LANG": "C"}
        )

    def born(self) -> list[list[int]]:
        """Process ids of each start: the worker's own and its child's."""
        if not self.journal.exists():
            return []
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        return [[int(one) for one in pids] for name, *pids in lines if name == self.worker.id]

    def living(self) -> int:
        return sum(runs(pid) for pids in self.born() for pid in pids)


async def _look(launcher: ProcessLauncher, worker: Worker) -> Observation:
    return (await launcher.observe([worker]))[worker.id]


async def create(stage: Stage) -> None:
    """The deed: a worker is started."""
    await stage.launcher().create(stage.worker)


async def ending(stage: Stage) -> None:
    """The deed: a worker is asked to end, then killed, then proved gone."""
    launcher = stage.launcher()
    for _ in range(2):
        await launcher.terminate(stage.stopping)
        await _look(launcher, stage.stopping)


async def proving(stage: Stage) -> None:
    """The deed: what a dead worker left is killed, then it is proved gone."""
    await _look(stage.launcher(), stage.worker)


async def refusing(stage: Stage) -> None:
    """The deed: a worker that was never created is proved gone."""
    await _look(stage.launcher(), stage.stopping)


async def forgetting(stage: Stage) -> None:
    """The deed: what is kept of a worker that is gone is removed."""
    await stage.launcher().forget(stage.worker.id)


def nothing(stage: Stage) -> None:
    """Before a create there is nothing."""


def working(stage: Stage) -> None:
    """A worker runs, and so does its child."""
    _run(stage.launcher().create(stage.worker))
    _until(lambda: len(stage.born()) == 1)


def crashed(stage: Stage) -> None:
    """A worker has crashed, its child runs on."""
    working(stage)
    os.kill(stage.born()[0][0], signal.SIGKILL)


def gone(stage: Stage) -> None:
    """A worker is gone."""
    working(stage)
    _end(stage, stage.launcher())


SCENES: dict[str, tuple[Callable[[Stage], None], Callable[[Stage], Coroutine[Any, Any, None]]]] = {
    "create": (nothing, create),
    "ending": (working, ending),
    "proving": (crashed, proving),
    "refusing": (nothing, refusing),
    "forgetting": (gone, forgetting),
}


def play(scene: str, folder: Path) -> list[Found]:
    """Dies at each line of the scene's deed in turn, and looks each time."""
    prepare, deed = SCENES[scene]
    found: list[Found] = []
    for number in range(1, MOST_LINES):
        stage = Stage(folder / str(number), number)
        prepare(stage)
        line = _die_at(number, lambda stage=stage: _run(deed(stage)))  # type: ignore[misc]
        found.append(_judge(stage, line, again=scene in ("create", "proving")))
        if not line:
            return found
    raise AssertionError("The deed has no end.")


def _judge(stage: Stage, line: str, *, again: bool) -> Found:
    launcher = stage.launcher()
    first = _run(_look(launcher, stage.worker)).sight
    if again:  # a scheduler that does not know repeats the create
        _run(launcher.create(stage.worker))
        _until(lambda: bool(stage.born()) or _sight(launcher, stage.worker) is Sight.GONE)
    early = not _end(stage, launcher)
    left = stage.living()
    starts = len(stage.born())
    _run(launcher.create(stage.worker))
    late = len(stage.born()) - starts + (_sight(launcher, stage.worker) is not Sight.GONE)
    _run(launcher.close())
    return Found(
        line=line, first=first.value, starts=starts, early=early, left=left, late_starts=late
    )


def _end(stage: Stage, launcher: ProcessLauncher) -> bool:
    """Ends the worker; False when it was called gone while something of it ran."""

    def is_gone() -> bool:
        _run(launcher.terminate(stage.stopping))
        return _sight(launcher, stage.stopping) is Sight.GONE

    _until(is_gone)
    return stage.living() == 0


def _sight(launcher: ProcessLauncher, worker: Worker) -> Sight:
    return _run(_look(launcher, worker)).sight


def _run(step: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(step)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "This never came."
        time.sleep(0.005)


def _die_at(number: int, deed: Callable[[], object]) -> str:
    """Carries out `deed` in a child that dies before the line of that number; the line's place."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        threading.settrace(_tracer(number, tell))
        deed()
        os._exit(0)
    os.close(tell)
    with os.fdopen(told) as pipe:
        line = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert status == (signal.SIGKILL if line else 0), f"The deed failed: {status}."
    return line


def _tracer(number: int, tell: int) -> Callable[[FrameType, str, Any], Any]:
    passed = 0

    def on_line(frame: FrameType, event: str, _: object) -> Any:
        nonlocal passed
        passed += event == "line"
        if passed == number:
            place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            os.write(tell, place.encode())
            os.kill(os.getpid(), signal.SIGKILL)
        return on_line

    def on_call(frame: FrameType, event: str, _: object) -> Any:
        code, file = frame.f_code, Path(frame.f_code.co_filename)
        eventful = file.parent == TRACED and file not in UNEVENTFUL
        ours = (eventful and code.co_name not in READING) or code.co_name == SPAWNING
        return on_line if ours else None

    return on_call


if __name__ == "__main__":
    print(json.dumps([asdict(one) for one in play(sys.argv[1], Path(sys.argv[2]))]))
