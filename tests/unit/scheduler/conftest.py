"""A database for the shell's tests, and the shell itself."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.bench import Bench, a_bench
from tests.fakes.databases import url_for
from tests.fakes.stored import Stored
from videoannotator.store.engine import Database
from videoannotator.store.schema import upgrade


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with all tables, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "videoannotator.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
async def database(tmp_path: Path, migrated: Path) -> AsyncIterator[Database]:
    """An empty database with all tables."""
    shutil.copy(migrated, tmp_path / "videoannotator.db")
    opened = Database.open(url_for(tmp_path) or f"sqlite:///{tmp_path}/videoannotator.db")
    yield opened
    await opened.close()


@pytest.fixture
async def stored(database: Database) -> Stored:
    """A database with a researcher in it, who has a video; and a leader."""
    return await Stored.begin(database)


@pytest.fixture
async def bench(stored: Stored, tmp_path: Path) -> AsyncIterator[Bench]:
    """The shell of that leader."""
    made = a_bench(stored, tmp_path / "storage")
    await made.begin()
    yield made
    await made.close()
