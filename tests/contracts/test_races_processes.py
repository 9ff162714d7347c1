"""Races of real processes: starts at the same moment, and leaders that stand still."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.fakes.crowd import all_at_once
from tests.fakes.frozen import frozen_leader
from tests.fakes.stored import Stored
from videoannotator.domain.access import Role
from videoannotator.domain.errors import DatabaseUnavailable
from videoannotator.domain.jobs import RunState
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader
from videoannotator.store.schema import check
from videoannotator.store.tables import metadata

IMPATIENT = "?timeout=0.2"  # seconds that a SQLite writer waits for another


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[Database]:
    """The same SQLite database, with a writer that soon gives up."""
    opened = Database.open(database_url + IMPATIENT)
    yield opened
    await opened.close()


async def empty(database: Database) -> None:
    """Takes every table away."""
    async with database.writing() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.execute(text("DROP TABLE alembic_version"))


async def test_a_database_is_migrated_once_by_all_who_start_together(
    database: Database, database_url: str
) -> None:
    await empty(database)

    said = await all_at_once("migrate", database_url)

    assert said == ["upgraded"] * 4
    check(database_url)
    async with database.reading() as connection:
        revisions = await connection.execute(text("SELECT version_num FROM alembic_version"))
        assert len(revisions.all()) == 1
    assert (await Leader(database).read()).epoch == 0


async def test_of_processes_that_start_together_one_makes_the_administrator(
    database: Database, database_url: str
) -> None:
    said = await all_at_once("make_administrator", database_url)

    (secret,) = [one for one in said if one != "none"]
    assert len(said) == 4
    assert (await Access(database).principal(secret)).role is Role.ADMIN
    assert len(await Access(database).users()) == 1


async def test_processes_that_start_together_share_one_secret(tmp_path: Path) -> None:
    said = await all_at_once("make_secret", str(tmp_path / "secrets"), count=16)

    assert len(said) == 16
    assert len(set(said)) == 1
    assert len(bytes.fromhex(said[0])) == 32
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["worker.key"]


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_leader_that_is_frozen_in_a_transaction_does_not_hold_up_a_takeover(
    stored: Stored, database_url: str
) -> None:
    """PostgreSQL ends a transaction that its client left open for five seconds."""
    one, two = await stored.submit(), await stored.submit()
    await Leader(stored.database).renew("first", stored.epoch, -1)

    async with (
        frozen_leader(database_url, stored.epoch, one.job.id, "commit") as committing,
        frozen_leader(database_url, stored.epoch, two.job.id, "write") as writing,
    ):
        taken = await Leader(stored.database).acquire("second", "unix:/second", 60)
        met = [await committing.wake(), await writing.wake()]

    assert taken is not None
    assert taken.epoch == stored.epoch + 1
    assert met == [["DatabaseUnavailable", "NotLeader"]] * 2
    for rows in (one, two):
        assert await stored.jobs.get(stored.owner, rows.job.id) == rows


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_sqlite_a_leader_frozen_in_a_transaction_holds_writers_up_until_it_wakes(
    stored: Stored, impatient: Database, database_url: str
) -> None:
    """There is no server to end its transaction; nobody took over, so what it writes is right."""
    rows = await stored.submit()
    await Leader(stored.database).renew("first", stored.epoch, -1)

    async with frozen_leader(database_url, stored.epoch, rows.job.id, "write") as frozen:
        with pytest.raises(DatabaseUnavailable, match="busy"):
            await Leader(impatient).acquire("second", "unix:/second", 60)
        assert await stored.jobs.get(stored.owner, rows.job.id) == rows
        assert await frozen.wake() == ["committed", "committed"]

    taken = await Leader(impatient).acquire("second", "unix:/second", 60)
    assert taken is not None
    launched = await stored.jobs.get(stored.owner, rows.job.id)
    assert launched.runs[0].state is RunState.STARTING
    assert launched.runs[0].progress.stage == "late"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_sqlite_a_leader_frozen_in_a_transaction_holds_nobody_up_once_it_is_killed(
    stored: Stored, impatient: Database, database_url: str
) -> None:
    rows = await stored.submit()
    await Leader(stored.database).renew("first", stored.epoch, -1)

    async with frozen_leader(database_url, stored.epoch, rows.job.id) as frozen:
        with pytest.raises(DatabaseUnavailable, match="busy"):
            await Leader(impatient).acquire("second", "unix:/second", 60)
        await frozen.kill()
        taken = await Leader(impatient).acquire("second", "unix:/second", 60)

    assert taken is not None
    assert await stored.jobs.get(stored.owner, rows.job.id) == rows
