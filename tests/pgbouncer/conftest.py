"""A PgBouncer in transaction mode between the stores and their PostgreSQL."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.fakes import databases
from tests.fakes.pgbouncer import PgBouncer, pgbouncer
from tests.fakes.stored import Stored
from videoannotator.store.engine import Database


@pytest.fixture(scope="session")
def bouncer() -> Iterator[PgBouncer]:
    """It runs, before the server of this run."""
    with pgbouncer(databases.shared()) as running:
        yield running


@pytest.fixture
def database_url(bouncer: PgBouncer) -> Iterator[str]:
    """The address, through the PgBouncer, of an empty database with all tables."""
    with databases.new_url() as direct:
        yield bouncer.url(direct.rpartition("/")[2])


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty database with all tables."""
    opened = Database.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """The same database, as another process has it."""
    opened = Database.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def stored(database: Database) -> Stored:
    """A database with a researcher in it, who has a video; and a leader."""
    return await Stored.begin(database)
