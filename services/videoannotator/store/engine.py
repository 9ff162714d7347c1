"""The database: connections inside a transaction, for reading or for writing."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from weakref import WeakSet

import aiosqlite
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from videoannotator.domain.errors import InvalidSetting
from videoannotator.store.faults import translated

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
BUSY_SECONDS = 5.0  # how long a SQLite writer waits for another process; `?timeout=` changes it
READERS = 8  # connections that read at the same time
WRITERS = 8  # connections that write at the same time; PostgreSQL only


def parse_url(url: str) -> URL:
    """The address of a database, with the driver that we use.

    Raises: InvalidSetting when it is neither SQLite in a file nor PostgreSQL, or when the driver
    is not installed.
    """
    try:
        parsed = make_url(url)
        driver = DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, KeyError) as error:
        raise InvalidSetting(
            "The database's address begins neither with sqlite: nor with postgresql:",
            hint="Use sqlite:///path/to/file.db or postgresql://user@host/name.",
            field="database.url",
        ) from error
    if driver == DRIVERS["sqlite"] and parsed.database in (None, "", ":memory:"):
        raise InvalidSetting(
            "The SQLite database must be a file.",
            hint="Use sqlite:///path/to/file.db.",
            field="database.url",
        )
    if driver == DRIVERS["postgresql"] and find_spec("psycopg") is None:
        raise InvalidSetting(
            "This installation has no PostgreSQL driver.",
            hint="Run: pip install 'psycopg[binary]', or use sqlite:///path/to/file.db.",
            field="database.url",
        )
    return parsed.set(drivername=driver)


def sqlite_file(url: URL) -> Path | None:
    """Where a SQLite database is; None for PostgreSQL."""
    if url.get_backend_name() != "sqlite" or url.database is None:
        return None
    return Path(url.database.removeprefix("file:"))


def prepare_sqlite(raw: Any, *, query_only: bool) -> None:
    """Sets up a new SQLite connection; the driver in autocommit: we begin transactions."""
    raw.isolation_level = None
    cursor = raw.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    if query_only:
        cursor.execute("PRAGMA query_only=ON")
    cursor.close()


async def open_sqlite(*where: str, **how: Any) -> aiosqlite.Connection:
    """A connection with a thread of its own, which has ended when this raises.

    Tried: after a refused open aiosqlite tells its thread to end and does not wait; the thread
    then answers to an event loop that may be closed, and dies with a traceback.
    """
    connection = aiosqlite.connect(*where, **how)
    thread = connection._thread
    thread.daemon = True
    try:
        return await connection
    except BaseException:
        await asyncio.to_thread(thread.join)
        raise


def _sqlite_engine(url: URL, *, begin: str, connections: int, query_only: bool) -> AsyncEngine:
    how: dict[str, Any] = {"async_creator_fn": open_sqlite}
    if "timeout" not in url.query:
        how["timeout"] = BUSY_SECONDS
    engine = create_async_engine(url, pool_size=connections, max_overflow=0, connect_args=how)

    @event.listens_for(engine.sync_engine, "connect")
    def connect(raw: Any, _: Any) -> None:
        prepare_sqlite(raw, query_only=query_only)

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _watch_given_up(engine: AsyncEngine, given_up: WeakSet[Any]) -> None:
    """Rolls back connections that a cancelled task leaves, and notes them until they are closed."""

    @event.listens_for(engine.sync_engine, "invalidate")
    def on_invalidate(raw: Any, _: Any, __: BaseException | None) -> None:
        given_up.add(raw.driver_connection)
        # Tried: a task that is cancelled inside a transaction leaves a cursor behind, and SQLite
        # closes a connection with one for the eye alone: its transaction keeps the write lock.
        raw.rollback()


def _postgresql_engines(url: URL) -> tuple[AsyncEngine, AsyncEngine]:
    # Prepared statements belong to a session, which a PgBouncer does not keep.
    arguments = {"prepare_threshold": None}
    writes = create_async_engine(
        url, pool_size=WRITERS, max_overflow=0, connect_args=arguments, pool_pre_ping=True
    )
    reads = create_async_engine(
        url,
        pool_size=READERS,
        max_overflow=0,
        connect_args=arguments,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
    )

    @event.listens_for(writes.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        # Tried: a process frozen inside a transaction otherwise blocks every takeover.
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '5s'")

    return writes, reads


class Database:
    """A database. Reads never wait for a writer; a read sees one moment."""

    def __init__(self, writes: AsyncEngine, reads: AsyncEngine) -> None:
        """`writes` begins transactions that may write, `reads` those that cannot."""
        self._writes = writes
        self._reads = reads
        self._given_up: WeakSet[Any] = WeakSet()
        for engine in (writes, reads):
            if engine.dialect.name == "sqlite":
                _watch_given_up(engine, self._given_up)

    @classmethod
    def open(cls, url: str) -> Self:
        """Connects at the first use. Raises: InvalidSetting."""
        parsed = parse_url(url)
        if parsed.get_backend_name() == "postgresql":
            return cls(*_postgresql_engines(parsed))
        # Tried: a deferred transaction silently loses a read-modify-write; one engine for both
        # makes a read wait for the writer.
        return cls(
            _sqlite_engine(parsed, begin="BEGIN IMMEDIATE", connections=1, query_only=False),
            _sqlite_engine(parsed, begin="BEGIN DEFERRED", connections=READERS, query_only=True),
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees the database as of one moment. Raises: DatabaseUnavailable."""
        with translated():
            async with self._reads.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection inside a transaction that commits at the end, or not at all after an error.

        Raises: DatabaseUnavailable, StorageFull, SchemaMismatch, Conflict.
        """
        with translated():
            async with self._writes.begin() as connection:
                yield connection

    async def close(self) -> None:
        """Closes all connections, those that cancelled tasks left as well."""
        await self._reads.dispose()
        await self._writes.dispose()
        for connection in tuple(self._given_up):
            with suppress(ValueError, sqlite3.Error):  # it was closed meanwhile
                await connection.close()
