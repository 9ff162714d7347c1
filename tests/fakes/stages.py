"""Launchers with workers that behave in known ways, for the suite that every launcher passes."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tests.fakes.launcher import FakeLauncher, FakeMachine, Plan
from tests.fakes.workers import a_worker
from videoannotator.domain.errors import InvalidRequest
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Worker, WorkerState
from videoannotator.scheduler.launchers.interface import Launcher, Observation, Sight
from videoannotator.scheduler.launchers.process import ProcessLauncher

PATIENCE_SECONDS = 20.0
NEVER_SECONDS = 3600.0
BROKEN_VIDEO = Failure(code=Code.MEDIA_ERROR, message="Broken at 3 s.", position_seconds=3.0)

#: $1 is the journal: a line for each process that ever began.
WRITES = 'echo "$VIDEOANNOTATOR_WORKER_ID" >> "$1"; '
PROGRAMS = {
    "obedient": WRITES + "exec sleep 120",
    "stubborn": "trap '' TERM; " + WRITES + "exec sleep 120",  # what is ignored stays ignored
    "failing": WRITES
    + """printf '{"code": "MEDIA_ERROR", "hint": "", "message": "Broken at 3 s.", %s}' \
        '"position_seconds": 3.0' > "$VIDEOANNOTATOR_WORKER_TERMINATION_FILE"
        echo one; echo two; echo three; exit 65""",
    "quick": WRITES + "exit 0",
}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for something that will be so soon, and fails when it is not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"This never came: {condition}")
        await asyncio.sleep(0.01)


def stopping(worker: Worker) -> Worker:
    """The same worker, to be ended."""
    return replace(worker, state=WorkerState.STOPPING)


async def look(launcher: Launcher, worker: Worker) -> Observation:
    """One look at one worker."""
    return (await launcher.observe([worker]))[worker.id]


class ProcessStage:
    """Real processes."""

    def __init__(self, folder: Path, stop_grace_seconds: float = 0.0) -> None:
        """Workers write into `folder`."""
        self.folder = folder
        self.journal = folder / "journal"
        self.sockets = Path(tempfile.mkdtemp(prefix="va", dir="/tmp"))  # short on every system
        self.launcher: Launcher = self.anew(stop_grace_seconds)
        self._workers: dict[str, Worker] = {}

    async def another(self) -> Launcher:
        """A launcher like the one of a scheduler that was started again."""
        return self.anew()

    def anew(self, stop_grace_seconds: float = 0.0) -> ProcessLauncher:
        """A launcher like the one of a scheduler that was started again."""
        return ProcessLauncher(
            self.folder / "workers", self.sockets, stop_grace_seconds, dict(os.environ)
        )

    def worker(self, behaviour: str) -> Worker:
        """A worker that is not created yet."""
        if behaviour == "missing":
            return self.running(["no-such-program-anywhere"])
        return self.running(["/bin/sh", "-c", PROGRAMS[behaviour], "sh", str(self.journal)])

    def running(self, arguments: list[str], worker_id: str = "") -> Worker:
        """A worker that executes `arguments`."""
        worker = a_worker(arguments, worker_id=worker_id)
        self._workers[worker.id] = worker
        return worker

    def starts(self, worker: Worker) -> int:
        """How many processes of it began to work, ever."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return lines.count(worker.id)

    def files(self, worker: Worker) -> Path:
        """The folder of a worker."""
        return self.folder / "workers" / worker.id

    async def until_working(self, worker: Worker) -> None:
        """Its program has begun."""

        async def began() -> bool:
            return self.starts(worker) > 0

        await until(began)

    async def close(self) -> None:
        """Ends every worker."""
        launcher = self.anew()
        for worker in self._workers.values():

            async def gone(worker: Worker = worker) -> bool:
                await launcher.terminate(worker)
                return (await look(launcher, stopping(worker))).sight in (Sight.GONE, Sight.UNKNOWN)

            with suppress(TimeoutError):
                await until(gone)
        await launcher.close()
        await self.launcher.close()
        shutil.rmtree(self.sockets)


class FakeStage:
    """Remembered workers."""

    def __init__(self, stop_grace_seconds: float = 0.0) -> None:
        """Time passes whenever the launcher asks for it."""
        self.machine = FakeMachine()
        self._seconds = 0.0
        self.launcher: Launcher = self._anew(stop_grace_seconds)

    async def another(self) -> Launcher:
        """A launcher like the one of a scheduler that was started again."""
        return self._anew()

    def _anew(self, stop_grace_seconds: float = 0.0) -> FakeLauncher:
        return FakeLauncher(self.machine, stop_grace_seconds, self._clock)

    def _clock(self) -> float:
        self._seconds += 0.01
        return self._seconds

    def worker(self, behaviour: str) -> Worker:
        """A worker that is not created yet."""
        worker = a_worker()
        self.machine.plans[worker.id] = {
            "obedient": Plan(),
            "stubborn": Plan(stubborn=True),
            "failing": Plan(ends_at_once=True, failure=BROKEN_VIDEO, lines=("one", "two", "three")),
            "quick": Plan(ends_at_once=True),
            "missing": Plan(refused=InvalidRequest("The worker's program is not installed here.")),
        }[behaviour]
        return worker

    def starts(self, worker: Worker) -> int:
        """How many processes of it began to work, ever."""
        return self.machine.starts.count(worker.id)

    async def until_working(self, worker: Worker) -> None:
        """Its program has begun."""
        assert self.starts(worker) > 0

    async def close(self) -> None:
        """Nothing to end."""


class Stage(Protocol):
    """A launcher, and workers for it."""

    launcher: Launcher

    async def another(self) -> Launcher:
        """A launcher like the one of a scheduler that was started again."""

    def worker(self, behaviour: str) -> Worker:
        """A worker that is not created yet."""

    def starts(self, worker: Worker) -> int:
        """How many processes of it began to work, ever."""

    async def until_working(self, worker: Worker) -> None:
        """Its program has begun."""

    async def close(self) -> None:
        """Ends every worker."""
