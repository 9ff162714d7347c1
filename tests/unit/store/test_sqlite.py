"""What only SQLite does: files, locks and their faults."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text

from tests.fakes.stored import Stored, counted_statements
from videoannotator.domain.errors import (
    DatabaseUnavailable,
    InvalidSetting,
    SchemaMismatch,
    StorageDenied,
    StorageError,
    StorageFull,
    VideoAnnotatorError,
)
from videoannotator.store import tables as t
from videoannotator.store.__main__ import main
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.schema import check, current, upgrade
from videoannotator.store.sqlite import open_sqlite

pytestmark = pytest.mark.sqlite("it is about SQLite's file")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An empty database with all tables."""
    path = tmp_path / "videoannotator.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    """The same, opened; a writer waits 0.1 s for another."""
    opened = Database.open(f"sqlite:///{file}?timeout=0.1")
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://host/x", "sqlite://", "sqlite:///:memory:", "sqlite:"]
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        Database.open(url)

    assert refused.value.field == "database.url"


@pytest.mark.parametrize("engine", ["writing", "reading"])
async def test_every_connection_is_set_up(database: Database, engine: str) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "query_only")

    async with getattr(database, engine)() as connection:
        found = [await connection.scalar(text(f"PRAGMA {pragma}")) for pragma in pragmas]
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        assert raw.driver_connection.isolation_level is None  # autocommit: it never begins itself

    assert found == ["wal", 1, 1, int(engine == "reading")]


async def test_a_full_disk_is_told_and_nothing_is_half_there(database: Database) -> None:
    async with database.writing() as connection:
        pages = await connection.scalar(text("PRAGMA page_count"))
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    values = [{"id": str(number), "name": "x" * 200 + str(number)} for number in range(1000)]
    insert = text("INSERT INTO users VALUES (:id, :name, 'admin', '2026')")

    with pytest.raises(StorageFull) as refused:
        async with database.writing() as connection:
            await connection.execute(insert, values)

    assert isinstance(refused.value.__cause__, Exception)
    assert await Access(database).users() == []


async def test_a_database_held_by_another_writer_is_busy(database: Database, file: Path) -> None:
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseUnavailable) as refused:
        async with database.writing() as connection:
            await connection.scalar(select(t.leader.c.id))  # the transaction begins with it
    assert refused.value.__cause__ is not None

    holder.execute("ROLLBACK")
    holder.close()
    async with database.writing() as connection:
        assert await connection.scalar(select(t.leader.c.id)) == 1


LEADER = (select(t.leader.c.id),)


@pytest.mark.parametrize("seconds", ["0.02", "5"])
async def test_a_look_waits_for_who_has_the_file_for_itself(file: Path, seconds: str) -> None:
    database = Database.open(f"sqlite:///{file}?timeout={seconds}")
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    looking = asyncio.create_task(database.look_up(LEADER, {}))
    await asyncio.sleep(0.1)  # what a look that does not wait would take many times over

    holder.execute("ROLLBACK")
    holder.close()

    (outcome,) = await asyncio.gather(looking, return_exceptions=True)
    await database.close()
    assert isinstance(outcome, DatabaseUnavailable) == (seconds == "0.02")
    assert outcome == [[{t.leader.c.id: 1}]] or seconds == "0.02"


async def test_a_look_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        await database.look_up([delete(t.leader)], {})  # type: ignore[list-item]

    assert await database.look_up(LEADER, {}) == [[{t.leader.c.id: 1}]]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("none/videoannotator.db", None, DatabaseUnavailable),
        ("text.db", b"This is no database. " * 100, DatabaseUnavailable),
        ("empty.db", b"", SchemaMismatch),
    ],
)
async def test_what_is_no_database_is_refused(
    tmp_path: Path, name: str, content: bytes | None, error: type[VideoAnnotatorError]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    database = Database.open(f"sqlite:///{path}")

    with pytest.raises(error) as refused:
        await Access(database).users()

    await database.close()
    assert refused.value.__cause__ is not None
    told = refused.value.message + refused.value.hint
    assert str(tmp_path) not in told
    assert "SELECT" not in told


class Dawdling(logging.Handler):
    """Delays the thread that logs."""

    def emit(self, record: logging.LogRecord) -> None:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.05)


@pytest.fixture
def slow_threads() -> Iterator[None]:
    """Each connection's thread is late with all that it does."""
    log, handler = logging.getLogger("aiosqlite"), Dawdling()
    level = log.level
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    yield
    log.removeHandler(handler)
    log.setLevel(level)


@pytest.mark.usefixtures("slow_threads")
async def test_the_thread_of_a_refused_connection_has_ended(tmp_path: Path) -> None:
    before = set(threading.enumerate())

    with pytest.raises(sqlite3.OperationalError):
        await open_sqlite(str(tmp_path / "none" / "videoannotator.db"))

    left = set(threading.enumerate()) - before
    assert not [thread.name for thread in left if "connection_worker" in thread.name]


def test_a_check_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "videoannotator.db"

    with pytest.raises(SchemaMismatch) as refused:
        check(f"sqlite:///{path}")

    assert "db upgrade" in refused.value.hint
    assert not path.exists()


def test_an_upgrade_makes_the_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/folder/videoannotator.db"

    upgrade(url)

    check(url)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises((StorageError, StorageDenied)):
        upgrade(f"sqlite:///{tmp_path}/file/folder/videoannotator.db")


def test_an_upgrade_that_is_cut_off_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/videoannotator.db"

    def break_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", break_off)
        with pytest.raises(KeyboardInterrupt):
            upgrade(url)

    assert current(url) is None
    upgrade(url)
    check(url)


def test_the_process_upgrades(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/videoannotator.db"

    done = subprocess.run(
        [sys.executable, "-m", "videoannotator.store", "upgrade", "--url", url],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    check(url)
    assert main(["check", "--url", url]) == 0


def test_the_process_tells_the_way_to_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--url", f"sqlite:///{tmp_path}/none.db"]) == 1

    assert "db upgrade" in capsys.readouterr().err


def test_the_process_waits_for_the_schema_and_says_what_is_amiss(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/videoannotator.db"
    command = [sys.executable, "-m", "videoannotator.store", "wait", "--url", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None
        told = waiting.stderr.readline()

        upgrade(url)

        assert waiting.wait() == 0
    assert told.startswith("Waiting: The database has no tables yet.")
    assert "db upgrade" in told


async def test_the_snapshot_never_scans_what_ended_long_ago(database: Database) -> None:
    stored = await Stored.begin(database)
    await stored.submit()
    with counted_statements() as statements:
        await stored.schedule.snapshot()
    queries = [each for each in statements if "runs.state IN" in each]

    async with database.reading() as connection:
        plans = [
            str(row)
            for query in queries
            for row in await connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {query}", tuple("x" * query.count("?"))
            )
        ]

    assert len(queries) == 4
    assert [plan for plan in plans if "SCAN jobs" in plan and "ix_jobs_delete" not in plan] == []
    assert not any(f"SCAN {table}" in plan for table in ("runs", "workers") for plan in plans)
