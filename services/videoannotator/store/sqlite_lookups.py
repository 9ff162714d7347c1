"""Reads of SQLite on the spot, in the thread of the event loop.

A job by its id takes SQLite 50 microseconds. Asking a thread for it takes seven times as long, and
more when many ask: two threads that both want the interpreter's lock hold each other up.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from time import monotonic
from typing import Any

from sqlalchemy import URL, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from videoannotator.store.prepared import Prepared, Rows, Values, prepared
from videoannotator.store.sqlite import BUSY_SECONDS, opened

PAUSE_SECONDS = 0.01
PRIMARY_CODE = 0xFF  # of an error; SQLite tells more in the bits above


class Lookups:
    """Reads of one moment on a connection of their own."""

    def __init__(self, url: URL, dialect: Dialect) -> None:
        """Connects at the first use."""
        (self._file,), self._how = dialect.create_connect_args(url)
        self._patience_seconds: float = self._how.pop("timeout", BUSY_SECONDS)
        self._dialect = dialect
        self._raw: sqlite3.Connection | None = None

    async def answers(self, queries: Sequence[Select[Any]], values: Values) -> list[Rows]:
        """The rows of each query. Raises: DBAPIError."""
        asked = [prepared((query, values), self._dialect) for query in queries]
        ends_at = monotonic() + self._patience_seconds
        while True:
            try:
                return self._answers(asked, values)
            except sqlite3.Error as error:
                if not _is_busy(error) or monotonic() >= ends_at:
                    raise DBAPIError("", None, error) from error
            await asyncio.sleep(PAUSE_SECONDS)

    def _answers(self, asked: Sequence[Prepared], values: Values) -> list[Rows]:
        raw = self._connected()
        raw.execute("BEGIN DEFERRED")
        try:
            found = [raw.execute(each.text, each.parameters(values)).fetchall() for each in asked]
        finally:
            raw.rollback()
        return [each.rows(rows) for each, rows in zip(asked, found, strict=True)]

    def _connected(self) -> sqlite3.Connection:
        if self._raw is None:
            self._raw = opened(self._file, query_only=True, timeout=0.0, **self._how)
        return self._raw

    async def close(self) -> None:
        """Closes the connection."""
        if self._raw is not None:
            self._raw.close()
            self._raw = None


def _is_busy(error: sqlite3.Error) -> bool:
    """A reader waits for another connection only while that one repairs or closes the file."""
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE == sqlite3.SQLITE_BUSY
