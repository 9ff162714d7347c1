"""A site for each test, on a copy of one migrated database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.api_site import ApiSite, migrated, open_site


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated(tmp_path_factory.mktemp("database"))


@pytest.fixture
async def site(tmp_path: Path, empty_database: Path) -> AsyncIterator[ApiSite]:
    async with open_site(tmp_path / "site", empty_database) as site:
        yield site
