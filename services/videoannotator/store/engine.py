"""The database: connections inside a transaction, for reading or for writing."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, Self
from weakref import WeakSet

from sqlalchemy import URL, Select, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from videoannotator.domain.errors import DatabaseUnavailable, InvalidSetting
from videoannotator.store import sqlite_lookups
from videoannotator.store.connections import AsyncConnection, AsyncEngine
from videoannotator.store.faults import BUSY, translated
from videoannotator.store.postgresql import (
    BEGIN_READING,
    CONNECTIONS,
    QUEUE_SECONDS,
    postgresql_engines,
)
from videoannotator.store.prepared import Rows, Values
from videoannotator.store.sqlite import sqlite_engines

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
#: Half of the connections at most wait for each other's locks; reads have the others.
WRITERS = CONNECTIONS // 2
BEGINNINGS = 3  # a server may go again while we come back to it


def parse_url(url: str) -> URL:
    """The address of a database, with the driver that we use.

    Raises: InvalidSetting when it is neither SQLite in a file nor PostgreSQL, or when the driver
    is not installed.
    """
    try:
        parsed = make_url(url)
        driver = DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, KeyError, ValueError) as error:
        raise InvalidSetting(
            "The database's address cannot be read.",
            hint="Use sqlite:///path/to/file.db or postgresql://USER:PASSWORD@HOST:PORT/NAME. PORT "
            "is a number and may be left out; a password has %2F for / and %40 for @.",
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
            hint="Run: pip install 'videoannotator[postgresql]', or use sqlite:///path/to/file.db.",
            field="database.url",
        )
    return parsed.set(drivername=driver)


def sqlite_file(url: URL) -> Path | None:
    """Where a SQLite database is; None for PostgreSQL."""
    if url.get_backend_name() != "sqlite" or url.database is None:
        return None
    return Path(url.database.removeprefix("file:"))


class Lookups(Protocol):
    """Reads of one moment, in as few steps as the database allows."""

    async def answers(self, queries: Sequence[Select[Any]], values: Values) -> list[Rows]:
        """The rows of each query. Raises: DBAPIError."""

    async def close(self) -> None:
        """Closes what it has opened."""


class Database:
    """A database. Reads never wait for a writer; a read sees one moment."""

    def __init__(
        self,
        writes: AsyncEngine,
        reads: AsyncEngine,
        lookups: Lookups,
        given_up: WeakSet[Any] | None = None,
    ) -> None:
        """`writes` begins transactions that may write, `reads` those that cannot.

        `given_up` are connections that cancelled tasks left; they are closed with the others.
        """
        self._writes = writes
        self._reads = reads
        self._lookups = lookups
        self._given_up: WeakSet[Any] = WeakSet() if given_up is None else given_up
        self._writers = asyncio.Semaphore(WRITERS)
        self.reached = True  #: the last transaction that was asked for could begin

    @classmethod
    def open(cls, url: str) -> Self:
        """Connects at the first use. Raises: InvalidSetting."""
        parsed = parse_url(url)
        if parsed.get_backend_name() == "postgresql":
            return cls(*_on_postgresql(parsed))
        given_up: WeakSet[Any] = WeakSet()
        writes, reads = sqlite_engines(parsed, given_up)
        return cls(writes, reads, sqlite_lookups.Lookups(parsed, reads.dialect), given_up)

    async def look_up(self, queries: Sequence[Select[Any]], values: Values) -> list[Rows]:
        """The rows of each query, as of one moment. The queries are kept, and the same each time.

        Only for what an index finds at once: on SQLite the event loop stands still meanwhile.
        Raises: DatabaseUnavailable.
        """
        with translated(), self._noting():
            return await self._lookups.answers(queries, values)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees the database as of one moment. Raises: DatabaseUnavailable."""
        with translated():
            async with AsyncExitStack() as stack:
                yield await self._begin(self._reads, stack)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection inside a transaction that commits at the end, or not at all after an error.

        Raises: DatabaseUnavailable, StorageFull, SchemaMismatch, Conflict, InvalidRequest.
        """
        with translated():
            async with self._turn(), AsyncExitStack() as stack:
                yield await self._begin(self._writes, stack)

    async def _begin(self, engine: AsyncEngine, stack: AsyncExitStack) -> AsyncConnection:
        with self._noting():
            return await _begun(engine, stack)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Notes whether the database answers."""
        try:
            yield
        except DBAPIError:
            self.reached = False
            raise
        self.reached = True

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Writers stand in line, first come, first served."""
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await self._writers.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable(BUSY) from error
        try:
            yield
        finally:
            self._writers.release()

    async def close(self) -> None:
        """Closes all connections, those that cancelled tasks left as well."""
        await self._lookups.close()
        await self._reads.dispose()
        await self._writes.dispose()
        for connection in tuple(self._given_up):
            with suppress(ValueError, sqlite3.Error):  # it was closed meanwhile
                await connection.close()


def _on_postgresql(url: URL) -> tuple[AsyncEngine, AsyncEngine, Lookups]:
    writes, reads = postgresql_engines(url)
    from videoannotator.store import messages  # it needs the driver

    return writes, reads, messages.Lookups(reads, BEGIN_READING)


async def _begun(engine: AsyncEngine, stack: AsyncExitStack) -> AsyncConnection:
    """A connection inside a transaction; `stack` ends both.

    BEGIN is the first that a connection is asked after its rest. One that died meanwhile is found
    here, where nothing is lost by taking another: no ping is needed.
    """
    for left in reversed(range(BEGINNINGS)):
        connection = await stack.enter_async_context(engine.connect())
        try:
            await stack.enter_async_context(connection.begin())
            break
        except DBAPIError as error:
            if not (left and error.connection_invalidated):
                raise
            await stack.aclose()
    return connection
