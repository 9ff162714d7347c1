"""Writers that leave a rule of the database out, to show what the rule is there for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from videoannotator.domain.access import Principal
from videoannotator.domain.errors import JobNotFound
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.events import NewEvent
from videoannotator.store.jobs import Jobs
from videoannotator.store.leader import hold_epoch
from videoannotator.store.reading import clock, read_job
from videoannotator.store.rows import JobRows
from videoannotator.store.schedule import SchedulerTransaction

SQLITE_SECONDS = 0.3  # SQLite does not tell who waits; there it is always right to wait
SECONDS = 60.0
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def waits(work: asyncio.Task[object], database: Database) -> bool:
    """Whether it has to wait for another's transaction; False when it has ended.

    Nobody else may wait in `database`. PostgreSQL is asked: a busy machine makes no difference.
    """
    if not await _tells_who_waits(database):
        await asyncio.wait([work], timeout=SQLITE_SECONDS)
        return not work.done()
    async with asyncio.timeout(SECONDS):
        while not work.done():
            async with database.reading() as connection:
                if await connection.scalar(WAITING):
                    return True
            await asyncio.wait([work], timeout=0.01)
    return False


async def _tells_who_waits(database: Database) -> bool:
    async with database.reading() as connection:
        return connection.dialect.name == "postgresql"


class UnlockedTransaction(SchedulerTransaction):
    """Does not lock the row of the job that it changes."""

    async def job(self, job_id: str) -> JobRows | None:
        """The job as it is, whoever else is at it."""
        rows = await read_job(self._connection, job_id)
        if rows is not None:
            self._locked[job_id] = rows
        return rows


@asynccontextmanager
async def unlocked(database: Database, epoch: int) -> AsyncIterator[SchedulerTransaction]:
    """A transaction of the leader without the lock on the job."""
    async with database.writing() as connection:
        transaction = UnlockedTransaction(connection, await hold_epoch(connection, epoch))
        yield transaction
        await transaction.append_events()


@asynccontextmanager
async def guarded(database: Database, epoch: int) -> AsyncIterator[SchedulerTransaction]:
    """A transaction that looks at the epoch and does not hold it."""
    async with database.writing() as connection:
        assert await connection.scalar(select(t.leader.c.epoch)) == epoch
        transaction = SchedulerTransaction(connection, await clock(connection))
        yield transaction
        await transaction.append_events()


class UnlockedJobs(Jobs):
    """Does not lock the job that its owner changes."""

    async def _lock_own(
        self, connection: AsyncConnection, principal: Principal, job_id: str
    ) -> JobRows:
        rows = await read_job(connection, job_id)
        if rows is None:
            raise JobNotFound
        return rows


async def append_unordered(connection: AsyncConnection, event: NewEvent) -> None:
    """Writes an event without waiting for those who write theirs."""
    values = {"kind": event.kind, "job_id": event.job_id, "owner_id": event.owner_id}
    now = await clock(connection)
    await connection.execute(insert(t.events).values(**values, data={}, created_at=now))
