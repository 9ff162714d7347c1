"""Whether the database is there, for the metric of it."""

from pathlib import Path

import pytest

from videoannotator.domain.errors import DatabaseUnavailable
from videoannotator.store.engine import Database


async def test_a_database_knows_whether_it_is_reached(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    database = Database.open(f"sqlite:///{folder}/videoannotator.db")

    with pytest.raises(DatabaseUnavailable):
        async with database.writing():
            pass
    without_folder = database.reached
    folder.mkdir()
    async with database.writing():
        pass

    assert (without_folder, database.reached) == (False, True)
    await database.close()
