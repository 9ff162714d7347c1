"""A SQLite connection that asks its thread once for each statement.

aiosqlite asks it four times, to make a cursor, to execute, to fetch and to close; each time the
event loop and the thread wait for each other. That was most of the time of a request.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite

Rows = list[Any]
Work = Callable[[sqlite3.Connection], None]

#: These go to the thread together with the first statement: before it they would do nothing for us.
BEGIN_READING, BEGIN_WRITING = "BEGIN DEFERRED", "BEGIN IMMEDIATE"
LATER = (BEGIN_READING, BEGIN_WRITING)


class Cursor:
    """What one statement gave, all of it: nothing is left in the database when it is there."""

    def __init__(self, connection: "Connection") -> None:
        """Asks for nothing yet."""
        self._connection = connection
        self._rows: Rows = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Any = ()) -> Self:
        """Executes a statement and fetches all rows. Raises: sqlite3.Error."""
        if operation in LATER:
            self._connection.begin_later(operation)
            return self
        return await self._asked(lambda cursor: cursor.execute(operation, parameters))

    async def executemany(self, operation: str, parameters: Sequence[Any]) -> Self:
        """Executes a statement once for each of `parameters`. Raises: sqlite3.Error."""
        return await self._asked(lambda cursor: cursor.executemany(operation, parameters))

    async def _asked(self, statement: Callable[[sqlite3.Cursor], Any]) -> Self:
        await self._connection.ask(partial(self._carry_out, statement))
        return self

    def _carry_out(self, statement: Callable[[sqlite3.Cursor], Any], raw: Any) -> None:
        """In the thread of the connection."""
        cursor = raw.cursor()
        try:
            statement(cursor)
            self._rows = cursor.fetchall() if cursor.description else []
            self.description = cursor.description
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()

    async def fetchall(self) -> Rows:
        """The rows."""
        return self._rows

    async def close(self) -> None:
        """Nothing is left to close."""


class Connection(aiosqlite.Connection):
    """aiosqlite's, with such cursors; it asks the thread for nothing that changes nothing."""

    _begins: str | None = None  #: with what is asked next
    _left = False  #: a cancelled task left it, with work in the thread that nobody waits for

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor; it asks the thread only when it executes."""
        return Cursor(self)

    def begin_later(self, begin: str) -> None:
        """Begins a transaction with what is asked next."""
        self._begins = begin

    async def ask(self, work: Work) -> None:
        """Does `work` in the thread of this connection."""
        begin, self._begins = self._begins, None
        try:
            await self._execute(  # type: ignore[no-untyped-call]
                partial(_in_transaction, begin, work) if begin else work, self._conn
            )
        except asyncio.CancelledError:
            self._left = True
            raise

    async def commit(self) -> None:
        """Commits, if there is a transaction."""
        if self._is_in_transaction():
            await self.ask(sqlite3.Connection.commit)

    async def rollback(self) -> None:
        """Rolls back, if there is a transaction."""
        if self._is_in_transaction():
            await super().rollback()

    def _is_in_transaction(self) -> bool:
        self._begins = None
        return self._left or self.in_transaction


def _in_transaction(begin: str, work: Work, raw: sqlite3.Connection) -> None:
    raw.execute(begin)
    work(raw)
