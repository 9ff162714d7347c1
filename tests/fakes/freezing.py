"""A scheduler that stands still inside a transaction, and tells whose its transactions are.

`python -m tests.fakes.freezing FILE EPOCHS` is `videoannotator scheduler`, which stops itself
(SIGSTOP) once: in the first transaction that is about to commit after FILE has appeared. To EPOCHS
it appends the epoch of each transaction.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.steps import record_epochs
from videoannotator.processes.starting import start
from videoannotator.scheduler.process import run
from videoannotator.store.schedule import Schedule, SchedulerTransaction


def freeze_once(order: Path) -> None:
    """Stops this process before it commits, when it is ordered to."""
    original = Schedule.transaction

    @asynccontextmanager
    async def transaction(self: Schedule, epoch: int) -> AsyncIterator[SchedulerTransaction]:
        async with original(self, epoch) as plain:
            yield plain
            stop_if_ordered()

    def stop_if_ordered() -> None:
        if order.exists():
            order.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)

    Schedule.transaction = transaction  # type: ignore[method-assign]


if __name__ == "__main__":
    freeze_once(Path(sys.argv[1]))
    record_epochs(Path(sys.argv[2]), 0)
    sys.exit(start("scheduler", run))
