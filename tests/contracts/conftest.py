"""The databases that every store suite runs on, and the faces that every use case is called by."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fakes import databases, faces
from tests.fakes.api_site import ApiSite, open_site
from tests.fakes.faces import Face, opened_face
from tests.fakes.stored import Stored
from videoannotator.store.engine import Database
from videoannotator.store.schema import upgrade


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with all tables, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "videoannotator.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(params=databases.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database with all tables."""
    if request.param == "postgresql":
        with databases.new_url() as url:
            yield url
    else:
        shutil.copy(request.getfixturevalue("migrated"), tmp_path / "videoannotator.db")
        yield f"sqlite:///{tmp_path}/videoannotator.db"


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


@pytest.fixture
async def site(tmp_path: Path, migrated: Path) -> AsyncIterator[ApiSite]:
    """A site on the database of this run."""
    async with open_site(tmp_path / "site", migrated) as site:
        yield site


@pytest.fixture(params=faces.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which face."""
    return str(request.param)


@pytest.fixture
async def face(kind: str, site: ApiSite) -> AsyncIterator[Face]:
    """A face of the site, for its administrator."""
    async with opened_face(kind, site) as face:
        yield face
