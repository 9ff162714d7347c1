"""Several statements as one message to PostgreSQL.

A message costs a round trip, and the driver more time than the server takes for a statement. The
values are written into the text, quoted by the driver: only such a message may hold more than one
statement, and nothing of it stays in a session, which a PgBouncer would not keep.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import psycopg
from sqlalchemy import Select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from videoannotator.store.connections import AsyncEngine
from videoannotator.store.patience import PatientPool
from videoannotator.store.prepared import Asked, Rows, Values, prepared

Raw = psycopg.AsyncConnection[Any]
TRIES = 3  # a server may go again while we come back to it
COMMIT = "COMMIT"


async def answers(
    raw: Raw, asked: Sequence[Asked], dialect: Dialect, begin: str = ""
) -> list[Rows]:
    """The rows of each statement, carried out one after the other.

    `begin` begins a transaction that is only theirs; empty: they are part of one.
    Raises: DBAPIError.
    """
    statements = [prepared(each, dialect) for each in asked]
    try:
        async with psycopg.AsyncClientCursor(raw) as cursor:
            texts = [
                cursor.mogrify(each.text, each.parameters(values))
                for each, (_, values) in zip(statements, asked, strict=True)
            ]
            whole = [begin, *texts, COMMIT] if begin else texts
            await cursor.execute("; ".join(whole).encode())
            found = await _results(cursor, len(texts), skip=len(begin.split(";")) if begin else 0)
    except psycopg.Error as error:
        raise _told(error, dialect, raw) from error
    return [each.rows(rows) for each, rows in zip(statements, found, strict=True)]


async def _results(
    cursor: psycopg.AsyncCursor[Any], count: int, skip: int
) -> list[list[Sequence[Any]]]:
    """The rows of `count` statements after those to skip; none of what finds nothing by nature."""
    for _ in range(skip):
        cursor.nextset()
    found: list[list[Sequence[Any]]] = []
    for _ in range(count):
        # Not cursor.description: it describes every column anew.
        has_rows = cursor.pgresult is not None and cursor.pgresult.nfields > 0
        found.append(await cursor.fetchall() if has_rows else [])
        cursor.nextset()
    return found


class Lookups:
    """Reads of one moment, each one message: the transaction with its beginning and its end."""

    def __init__(self, engine: AsyncEngine, begin: str) -> None:
        """On the connections of `engine`; `begin` begins a transaction that only reads."""
        self._engine = engine
        self._begin = begin

    async def answers(self, queries: Sequence[Select[Any]], values: Values) -> list[Rows]:
        """The rows of each query.

        A connection that died meanwhile is found here, where nothing is lost by taking another.
        Raises: DBAPIError.
        """
        asked = [(query, values) for query in queries]
        for left in reversed(range(TRIES)):
            try:
                return await self._answers(asked)
            except DBAPIError as error:
                if not (left and error.connection_invalidated):
                    raise
        raise AssertionError("the last try returns or raises")

    async def _answers(self, asked: Sequence[Asked]) -> list[Rows]:
        taken = await self._taken()
        raw: Any = taken.driver_connection
        try:
            return await answers(raw, asked, self._engine.dialect, self._begin)
        except DBAPIError as error:
            if error.connection_invalidated:
                await greenlet_spawn(cast(PatientPool, self._engine.pool).distrust, taken)
            raise
        except asyncio.CancelledError:  # nobody else shall get what is left of the answers
            await greenlet_spawn(taken.invalidate)
            raise
        finally:
            await greenlet_spawn(taken.close)

    async def _taken(self) -> PoolProxiedConnection:
        try:
            return await self._engine.raw_connection()
        except psycopg.Error as error:
            raise _told(error, self._engine.dialect) from error

    async def close(self) -> None:
        """Nothing of its own is left open."""


def _told(error: psycopg.Error, dialect: Dialect, raw: Raw | None = None) -> BaseException:
    """The driver's error as SQLAlchemy tells it."""
    broken = raw is not None and (raw.closed or raw.broken)
    return DBAPIError.instance(
        "", None, error, psycopg.Error, connection_invalidated=broken, dialect=dialect
    )
