"""How the databases find the usual lists: by an index, in its order, whatever there is."""

import pytest
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from videoannotator.domain.access import Principal, Role
from videoannotator.domain.jobs import JobState
from videoannotator.store.engine import Database
from videoannotator.store.listing import conditions, count_of, page_of
from videoannotator.store.rows import JobFilter

ADMIN = Principal(user_id="", name="admin", role=Role.ADMIN)
LISTED, BY_STATE = "ix_jobs_listed", "ix_jobs_listed_by_state"
LISTS = [
    (JobFilter(), LISTED),
    (JobFilter(oldest_first=True), LISTED),
    (JobFilter(status=JobState.FAILED), BY_STATE),
    (JobFilter(status=JobState.FAILED, oldest_first=True), BY_STATE),
    (JobFilter(search="session"), LISTED),
    (JobFilter(pipeline="scene_detection"), LISTED),
]


async def plan(connection: AsyncConnection, query: Select[int] | Select[str]) -> str:
    """How the database would answer; PostgreSQL as if its tables were large."""
    on_sqlite = connection.dialect.name == "sqlite"
    if not on_sqlite:
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            await connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    as_text = {"literal_binds": True, "render_postcompile": True}
    how = query.compile(dialect=connection.dialect, compile_kwargs=as_text)
    asked = ("EXPLAIN QUERY PLAN " if on_sqlite else "EXPLAIN ") + str(how)
    return "\n".join(str(row[-1]) for row in await connection.exec_driver_sql(asked))


@pytest.mark.parametrize(("which", "index"), LISTS)
async def test_a_page_is_read_in_the_order_of_an_index(
    database: Database, which: JobFilter, index: str
) -> None:
    async with database.reading() as connection:
        found = await plan(connection, page_of(conditions(ADMIN, which), which, 3, 50))

    assert f"{index} " in found
    assert "Sort" not in found
    assert "TEMP B-TREE" not in found


@pytest.mark.parametrize("which", [which for which, _ in LISTS])
async def test_jobs_are_counted_by_an_index(database: Database, which: JobFilter) -> None:
    async with database.reading() as connection:
        found = await plan(connection, count_of(conditions(ADMIN, which), which))

    assert LISTED in found  # or the one by state, which begins alike: both have all that counts
    assert ("videos" in found) == bool(which.search)
