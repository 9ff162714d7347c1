"""A PgBouncer that restarts, and what it must never be asked for."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from tests.fakes import databases
from tests.fakes.pgbouncer import PgBouncer, pgbouncer
from tests.fakes.stored import Stored
from videoannotator.domain.errors import DatabaseUnavailable
from videoannotator.store.engine import Database
from videoannotator.store.jobs import Jobs

pytestmark = pytest.mark.postgresql

MANY = 40  # more than all connections of two processes


@pytest.fixture(scope="module")
def bouncer() -> Iterator[PgBouncer]:
    """One of this file's own, to be ended."""
    with pgbouncer(databases.shared()) as running:
        yield running


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_is_not_noticed_by_who_comes_after_it(
    stored: Stored, other: Database, bouncer: PgBouncer, how: signal.Signals
) -> None:
    before = [await stored.submit() for _ in range(3)]

    bouncer.stop(how)
    bouncer.start()
    after = [await stored.submit() for _ in range(3)]

    for rows in before + after:
        assert await stored.jobs.get(stored.owner, rows.job.id) == rows


async def test_what_a_restart_cuts_off_is_told_and_not_half_done(
    stored: Stored, bouncer: PgBouncer
) -> None:
    rows = await stored.submit()

    async def write() -> None:
        async with stored.schedule.transaction(stored.epoch) as transaction:
            await transaction.waiting(rows.runs[0].id, "half", 1)
            bouncer.restart()

    with pytest.raises(DatabaseUnavailable):
        await write()

    assert await stored.jobs.get(stored.owner, rows.job.id) == rows


async def test_many_at_once_share_its_few_connections(stored: Stored, other: Database) -> None:
    places = (stored.jobs, Jobs(other)) * (MANY // 2)

    made = await asyncio.gather(*(place.submit(stored.new_job()) for place in places))

    assert len({rows.job.id for rows, _ in made}) == MANY
