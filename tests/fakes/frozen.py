"""A leader that stops inside a transaction, and says what it met when it was woken.

`python -m tests.fakes.frozen URL EPOCH JOB_ID commit|write` launches a run of the job, and stops
itself (SIGSTOP) before it commits, or before it writes more. Woken, it goes on, then tries again.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.fakes.stored import launch_of
from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.domain.jobs import Progress
from videoannotator.store.engine import Database
from videoannotator.store.schedule import Schedule

ROOT = Path(__file__).parents[2]
START_SECONDS = 90.0  # of a Python process on a busy machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The process, which stands still."""

    process: subprocess.Popen[str]

    async def wake(self) -> list[str]:
        """Lets it go on to its end; what it met in the transaction, and in the next one."""
        self.process.send_signal(signal.SIGCONT)
        said, _ = await asyncio.to_thread(self.process.communicate, timeout=START_SECONDS)
        assert self.process.returncode == 0
        return said.splitlines()

    async def kill(self) -> None:
        """Ends it as it stands."""
        self.process.kill()
        await asyncio.to_thread(self.process.communicate, timeout=START_SECONDS)


@asynccontextmanager
async def frozen_leader(
    url: str, epoch: int, job_id: str, before: str = "commit"
) -> AsyncIterator[Frozen]:
    """A leader that has launched a run of the job and stopped `before` it goes on."""
    order = [sys.executable, "-m", "tests.fakes.frozen", url, str(epoch), job_id, before]
    with await asyncio.to_thread(
        subprocess.Popen, order, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            async with asyncio.timeout(START_SECONDS):
                while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
                    assert process.poll() is None
                    await asyncio.sleep(0.02)
            yield Frozen(process=process)
        finally:
            process.kill()


async def lead(url: str, epoch: int, job_id: str, before: str) -> None:
    """Writes, stops, goes on; then writes once more."""
    database = Database.open(url)
    for stop in (True, False):
        try:
            await _write(Schedule(database), epoch, job_id, before, stop)
            print("committed", flush=True)
        except VideoAnnotatorError as error:
            print(type(error).__name__, flush=True)
    await database.close()


async def _write(schedule: Schedule, epoch: int, job_id: str, before: str, stop: bool) -> None:
    async with schedule.transaction(epoch) as transaction:
        rows = await transaction.job(job_id)
        assert rows is not None
        if stop:
            rows = await transaction.write(rows, launch_of(rows))
            await transaction.append_events()
            os.kill(os.getpid(), signal.SIGSTOP)
        if before == "write":
            await transaction.progress(rows.runs[0].id, Progress(stage="late"))


if __name__ == "__main__":
    asyncio.run(lead(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
