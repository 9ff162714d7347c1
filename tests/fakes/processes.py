"""Local workers for tests: programs to run, and questions about processes."""

import json
import os
import sys
from pathlib import Path

import psutil

from tests.fakes.stages import ProcessStage, look, stopping, until
from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers.interface import Launcher, Observation, Sight

#: Listens on its socket and waits.
SERVES = """
import os, socket, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ["VIDEOANNOTATOR_WORKER_LISTEN"].removeprefix("unix:"))
time.sleep(120)
"""


def python(program: str, *arguments: object) -> list[str]:
    """A command that runs `program`."""
    return [sys.executable, "-S", "-c", program, *(str(one) for one in arguments)]


async def until_seen(launcher: Launcher, worker: Worker, *sights: Sight) -> Observation:
    """Looks until the worker is seen so; the last look."""
    seen = await look(launcher, worker)

    async def so() -> bool:
        nonlocal seen
        seen = await look(launcher, worker)
        return seen.sight in sights

    await until(so)
    return seen


async def end(launcher: Launcher, worker: Worker) -> Observation:
    """Terminates until the worker is gone; the last look."""
    seen = Observation(sight=Sight.UNSEEN)

    async def gone() -> bool:
        nonlocal seen
        await launcher.terminate(stopping(worker))
        seen = await look(launcher, stopping(worker))
        return seen.sight is Sight.GONE

    await until(gone)
    return seen


async def number_in(path: Path) -> int:
    """The number in a file that will be there soon."""

    async def there() -> bool:
        return _number(path) is not None

    await until(there)
    return _number(path) or 0


def _number(path: Path) -> int | None:
    return int(path.read_text()) if path.exists() else None


def runs(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pid_of(stage: ProcessStage, worker: Worker) -> int:
    """The process id that the worker wrote down."""
    return int((stage.files(worker) / "pid").read_text())


async def started(stage: ProcessStage, behaviour: str = "obedient") -> tuple[Worker, int]:
    """A worker that works, and its process id."""
    worker = stage.worker(behaviour)
    await stage.launcher.create(worker)
    await stage.until_working(worker)
    return worker, pid_of(stage, worker)


def session_of(pid: int) -> int | None:
    """The session of a process; None when there is none."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def rewrite_place(stage: ProcessStage, worker: Worker, **changes: str) -> None:
    """Makes a worker one of another machine or boot."""
    path = stage.files(worker) / "started"
    facts = json.loads(path.read_text())
    facts["place"] |= changes
    path.write_text(json.dumps(facts))
