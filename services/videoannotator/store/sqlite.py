"""Databases in a file of SQLite."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from weakref import WeakSet

import aiosqlite
from sqlalchemy import URL, Connection, event

from videoannotator.store import sqlite_driver
from videoannotator.store.connections import AsyncEngine, create_async_engine
from videoannotator.store.types import as_json

BUSY_SECONDS = 5.0  # how long a writer waits for another process; `?timeout=` changes it
READERS = 8  # connections that read at the same time


def sqlite_engines(url: URL, given_up: WeakSet[Any]) -> tuple[AsyncEngine, AsyncEngine]:
    """For writes and for reads; connections that cancelled tasks leave are put into `given_up`."""
    # Tried: a deferred transaction silently loses a read-modify-write; one engine for both
    # makes a read wait for the writer.
    writes = _engine(url, begin=sqlite_driver.BEGIN_WRITING, connections=1, query_only=False)
    reads = _engine(url, begin=sqlite_driver.BEGIN_READING, connections=READERS, query_only=True)
    for engine in (writes, reads):
        _watch_given_up(engine, given_up)
    return writes, reads


def prepare_sqlite(raw: sqlite3.Connection, *, query_only: bool) -> None:
    """Sets up a new SQLite connection; the driver in autocommit: we begin transactions."""
    raw.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        raw.execute(f"PRAGMA {pragma}")
    if query_only:
        raw.execute("PRAGMA query_only=ON")
    raw.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: Any) -> Any:
    """SQLite's own knows the letters of English only; a search on PostgreSQL knows all."""
    return text.lower() if isinstance(text, str) else text


def opened(*where: Any, query_only: bool, **how: Any) -> sqlite3.Connection:
    """In the connection's thread, all at once: there is no half of it that a cancel could leave."""
    raw: sqlite3.Connection = sqlite3.connect(*where, **how)
    try:
        prepare_sqlite(raw, query_only=query_only)
    except sqlite3.Error:
        raw.close()
        raise
    return raw


async def open_sqlite(*where: str, query_only: bool = False, **how: Any) -> aiosqlite.Connection:
    """A connection with a thread of its own, which has ended when this raises.

    Tried: after a refused open aiosqlite tells its thread to end and does not wait; the thread
    then answers to an event loop that may be closed, and dies with a traceback.
    """
    connection = sqlite_driver.Connection(
        partial(opened, *where, query_only=query_only, **how), iter_chunk_size=64
    )
    thread = connection._thread
    thread.daemon = True
    async with AsyncExitStack() as in_vain:
        in_vain.push_async_callback(asyncio.to_thread, thread.join)
        await connection
        in_vain.pop_all()
    return connection


def _engine(url: URL, *, begin: str, connections: int, query_only: bool) -> AsyncEngine:
    how: dict[str, Any] = {"async_creator_fn": partial(open_sqlite, query_only=query_only)}
    if "timeout" not in url.query:
        how["timeout"] = BUSY_SECONDS
    engine = create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        connect_args=how,
        json_serializer=as_json,
    )

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
