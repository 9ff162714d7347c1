"""The schema: the migrations make what the tables say, and a foreign one is refused."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from tests.fakes.stored import Stored
from videoannotator.domain.errors import SchemaMismatch
from videoannotator.store.engine import Database
from videoannotator.store.schema import check, current, head, upgrade
from videoannotator.store.tables import metadata


async def test_the_migrations_make_the_tables(database: Database) -> None:
    def differences(connection: Connection) -> object:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_every_index_is_made_by_the_migrations(database: Database) -> None:
    def partial(connection: Connection) -> set[str]:
        from sqlalchemy import inspect

        inspector = inspect(connection)
        return {
            str(index["name"])
            for table in inspector.get_table_names()
            for index in inspector.get_indexes(table)
            if any(option.endswith("_where") for option in index.get("dialect_options", {}))
        }

    async with database.reading() as connection:
        found = await connection.run_sync(partial)

    assert found == {
        "ix_jobs_delete_requested",
        "ix_jobs_listed",
        "ix_jobs_listed_by_state",
        "uq_attempts_open",
        "uq_videos_kept",
    }


def test_an_upgrade_may_be_repeated(database_url: str) -> None:
    upgrade(database_url)

    check(database_url)
    assert current(database_url) == head()


async def test_a_newer_schema_is_refused_with_the_way_to_go(
    database: Database, database_url: str
) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for act in (check, upgrade):
        with pytest.raises(SchemaMismatch) as refused:
            act(database_url)
        assert "Upgrade this program" in refused.value.hint
    assert current(database_url) == "9999"


async def test_a_program_works_on_what_the_next_release_has_added(
    stored: Stored, database_url: str
) -> None:
    async with stored.database.writing() as connection:
        await connection.execute(text("ALTER TABLE jobs ADD COLUMN later VARCHAR"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))

    check(database_url)
    rows = await stored.submit()

    assert await stored.jobs.get(stored.owner, rows.job.id) == rows
    with pytest.raises(SchemaMismatch):  # it takes nothing away, either
        upgrade(database_url)


async def test_a_database_of_another_program_is_refused(
    database: Database, database_url: str
) -> None:
    async with database.writing() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))

    with pytest.raises(SchemaMismatch) as refused:
        upgrade(database_url)
    assert "of its own" in refused.value.hint
