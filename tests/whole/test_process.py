"""`videoannotator process`, from videos to files, and what is left when it is ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from videoannotator.media.sample import make_sample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SECONDS = 60.0
FILES = ["clip_voice_activity.csv", "clip_voice_activity.json"]


@dataclass
class Folder:
    """A folder with videos, in which the command runs."""

    path: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def output(self) -> Path:
        return self.path / "results"

    def start(self) -> subprocess.Popen[str]:
        """Starts the command as a terminal does: SIGINT interrupts it."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "videoannotator.cli", "process", "videos"),
                *("--pipelines", "voice_activity", "--output", "results"),
            ],
            cwd=self.path,
            env={**os.environ, "TMPDIR": str(self.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_interruptible,  # noqa: PLW1509 - nothing but a signal is set
        )
        self.started.append(process)
        return process

    def run(self) -> tuple[int, str, str]:
        """The command to its end: exit code, stdout, stderr."""
        process = self.start()
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def private(self) -> list[Path]:
        """The folders of private servers."""
        return list(self.output.glob(".videoannotator-*"))

    def found(self) -> list[str]:
        """The names of the result files."""
        return sorted(each.name for each in (self.output / "clip").iterdir() if each.suffix)

    def processes(self) -> list[psutil.Process]:
        """Servers and workers whose storage is here, and the command itself."""
        return [each for each in psutil.process_iter() if _belongs_to(each, self.path)]


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _belongs_to(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get("TMPDIR") == str(folder)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "clip.mp4"
    make_sample(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, sample: Path) -> Iterator[Folder]:
    """A folder with the sample, in which no process is left behind."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "clip.mp4").symlink_to(sample)
    made = Folder(tmp_path)
    yield made
    left = made.processes()
    for process in left:
        process.kill()
    for command in made.started:
        command.communicate()
    assert left == []


def until(reached: Callable[[], object], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.25)


def at_work(folder: Folder) -> bool:
    """Whether the server has a worker."""
    return any("videoannotator.inference" in _words(each) for each in folder.processes())


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def test_a_video_that_cannot_be_read_spoils_no_other(folder: Folder) -> None:
    (folder.path / "videos" / "broken.mp4").write_bytes(b"no video" * 400)

    code, out, err = folder.run()

    assert code == 1, err
    states = {line.split()[0]: line.split()[2] for line in out.splitlines()[1:]}
    assert states == {"clip.mp4": "succeeded", "broken.mp4": "failed"}
    assert "broken.mp4: voice_activity: MEDIA_ERROR: " in err
    assert "log:" not in err
    assert folder.found() == FILES
    assert [each.name for each in folder.output.iterdir()] == ["clip"]


def test_ctrl_c_ends_all_processes_and_leaves_no_private_folder(folder: Folder) -> None:
    process = folder.start()
    until(lambda: at_work(folder))

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)

    assert process.returncode == 130, err
    assert folder.processes() == []
    assert folder.private() == []
    assert list(folder.output.iterdir()) == []


def test_kill_9_leaves_no_process_and_the_next_call_removes_the_folder_and_gives_files(
    folder: Folder,
) -> None:
    process = folder.start()
    until(lambda: at_work(folder))

    process.kill()
    process.communicate(timeout=SECONDS)
    until(lambda: folder.processes() == [])
    (left,) = folder.private()
    code, out, err = folder.run()

    assert code == 0, err
    assert f"Removed results/{left.name}" in err
    assert folder.private() == []
    header, row = out.splitlines()
    assert header.split()[:4] == ["VIDEO", "PIPELINE", "STATE", "FOUND"]
    assert row.split()[:5] == ["clip.mp4", "voice_activity", "succeeded", "4", "segments,"]
    assert "2 files in results/clip" in err
    assert folder.found() == FILES
