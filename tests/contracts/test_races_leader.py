"""A takeover and the writes of the leader before it: all of a write is counted, or none of it is.

Each race is run with the rule and without it. Without it SQLite is still right, because it has one
writer at a time; PostgreSQL is not.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from sqlalchemy import func, select

from tests.fakes.careless import guarded, waits
from tests.fakes.stored import Stored, launch_of
from videoannotator.domain.errors import NotLeader
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader
from videoannotator.store.schedule import Schedule, SchedulerTransaction

Transaction = Callable[[Database, int], AbstractAsyncContextManager[SchedulerTransaction]]

TAKEOVERS = 6


def held(database: Database, epoch: int) -> AbstractAsyncContextManager[SchedulerTransaction]:
    """A transaction as the leader makes it."""
    return Schedule(database).transaction(epoch)


async def count(database: Database) -> tuple[int, int]:
    """How many attempts and workers there are."""
    async with database.reading() as connection:
        attempts = await connection.scalar(select(func.count()).select_from(t.attempts))
        workers = await connection.scalar(select(func.count()).select_from(t.workers))
    return attempts or 0, workers or 0


async def let_run_out(stored: Stored) -> None:
    """The lease ends, and its leader does not know yet."""
    holder = (await Leader(stored.database).read()).holder
    assert holder is not None
    epoch = (await Leader(stored.database).read()).epoch
    assert await Leader(stored.database).renew(holder, epoch, -1)


async def take_over_and_count(database: Database) -> tuple[int, int]:
    """Becomes the leader, then counts what there is to be responsible for."""
    taken = await Leader(database).acquire("next", "unix:/next", 60)
    assert taken is not None
    return await count(database)


@pytest.mark.parametrize(("transaction", "safe"), [(held, True), (guarded, False)])
async def test_an_insert_in_flight_is_counted_by_the_takeover(
    stored: Stored, other: Database, database_url: str, transaction: Transaction, safe: bool
) -> None:
    rows = await stored.submit()
    await let_run_out(stored)

    async with transaction(stored.database, stored.epoch) as writing:
        await writing.write(rows, launch_of(rows))
        taking = asyncio.create_task(take_over_and_count(other))
        waited = await waits(taking, stored.database)

    safe = safe or database_url.startswith("sqlite")
    assert waited is safe
    assert await count(stored.database) == (1, 1)
    assert await taking == ((1, 1) if safe else (0, 0))


async def test_nothing_of_the_stale_epoch_commits_after_the_takeover_has_counted(
    stored: Stored, other: Database
) -> None:
    """The stale leader writes one transaction after the other, as its loop does.

    Locks that are shared and overlap without a gap would keep a takeover waiting for ever.
    """
    chance, epoch = random.Random(11), stored.epoch

    async def launch_until_stale() -> None:
        while True:
            rows = await stored.submit()
            async with held(stored.database, epoch) as transaction:
                await transaction.write(rows, launch_of(rows))
                await asyncio.sleep(chance.random() * 0.01)
            await asyncio.sleep(0.01)  # SQLite's lock is had by who asks at the right moment

    for _ in range(TAKEOVERS):
        await let_run_out(stored)
        stale = asyncio.create_task(launch_until_stale())
        await asyncio.sleep(chance.random() * 0.05)
        counted = await take_over_and_count(other)
        (end,) = await asyncio.gather(stale, return_exceptions=True)

        assert isinstance(end, NotLeader)
        assert await count(stored.database) == counted
        epoch = (await Leader(other).read()).epoch


async def test_a_renewal_and_a_takeover_at_once_leave_one_leader(
    stored: Stored, other: Database
) -> None:
    for turn in range(TAKEOVERS):
        before = await Leader(stored.database).read()
        assert before.holder is not None
        await Leader(stored.database).renew(before.holder, before.epoch, -1)
        renewing = Leader(stored.database).renew(before.holder, before.epoch, 60)
        taking = Leader(other).acquire(f"after {before.epoch}", "unix:/x", 60)

        if turn % 2:
            taken, kept = await asyncio.gather(taking, renewing)
        else:
            kept, taken = await asyncio.gather(renewing, taking)

        assert kept is (taken is None)
        assert (await Leader(other).read()).epoch == before.epoch + (taken is not None)
