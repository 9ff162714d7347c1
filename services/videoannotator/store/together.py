"""Several statements of a transaction in one go: one visit to SQLite's thread, one message.

Each hand-over to the thread of a connection of SQLite, and each message to PostgreSQL, costs more
than a statement does.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from videoannotator.store.connections import AsyncConnection
from videoannotator.store.prepared import Asked, Rows, prepared

COMMIT = text("COMMIT")


async def together(connection: AsyncConnection, asked: Sequence[Asked]) -> list[Rows]:
    """The rows of each statement, carried out one after the other until one fails.

    A caller keeps the statements and hands in the same. Raises: DBAPIError.
    """
    if connection.dialect.name == "sqlite":
        return await _on_sqlite(connection, asked)
    from videoannotator.store import messages

    raw: Any = (await connection.get_raw_connection()).driver_connection
    return await messages.answers(raw, asked, connection.dialect)


async def commit_with(connection: AsyncConnection, asked: Sequence[Asked]) -> None:
    """Carries out the last statements of a transaction and commits it, in one go.

    The transaction's own end then has nothing left to do. Raises: DBAPIError.
    """
    await together(connection, [*asked, (COMMIT, {})])


async def _on_sqlite(connection: AsyncConnection, asked: Sequence[Asked]) -> list[Rows]:
    statements = [prepared(each, connection.dialect) for each in asked]
    values = [each.parameters(given) for each, (_, given) in zip(statements, asked, strict=True)]
    found: list[list[Any]] = []

    def ask(raw: sqlite3.Connection) -> None:
        for each, parameters in zip(statements, values, strict=True):
            found.append(raw.execute(each.text, parameters).fetchall())

    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        await driver.ask(ask)
    except sqlite3.IntegrityError as error:
        raise IntegrityError(statements[len(found)].text, None, error) from error
    except sqlite3.Error as error:
        raise DBAPIError(statements[len(found)].text, None, error) from error
    return [each.rows(rows) for each, rows in zip(statements, found, strict=True)]
