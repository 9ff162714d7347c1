"""Several queries in one go, on SQLite in one hand-over to the connection's thread.

SQLite answers a query faster than SQLAlchemy and two threads ask it. So queries that never change
are compiled once, and their rows become values by the same column types.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from videoannotator.store.connections import AsyncConnection

Values = Mapping[str, Any]
Row = Mapping[Any, Any]  # by column
Rows = list[Row]
Processor = Callable[[Any], Any] | None

#: Of compiled queries; those of a caller are another one for each caller.
MOST_QUERIES = 1000


class Prepared:
    """A query, compiled for SQLite. Its parameters are texts and numbers."""

    def __init__(self, query: Select[Any], dialect: Dialect) -> None:
        """`query` never changes."""
        compiled: Any = query.compile(dialect=dialect)
        blank = {name: "" for name, bind in compiled.binds.items() if bind.required}
        # Lists in the query become as many parameters as they are long.
        expanded: Any = compiled.construct_expanded_state(blank)
        self.text: str = expanded.statement
        self._names: Sequence[str] = expanded.positiontup
        self._own: dict[str, Any] = dict(expanded.parameters)
        columns: Sequence[ColumnElement[Any]] = tuple(query.selected_columns)
        self._columns = columns
        self._processors = [_processor(each, dialect) for each in columns]

    def parameters(self, values: Values) -> list[Any]:
        """In the order of the text."""
        known = {**self._own, **values}
        return [known[name] for name in self._names]

    def row(self, raw: Sequence[Any]) -> Row:
        """As values of the columns' types."""
        return {
            column: value if process is None else process(value)
            for column, process, value in zip(self._columns, self._processors, raw, strict=True)
        }


def _processor(column: ColumnElement[Any], dialect: Dialect) -> Processor:
    return column.type.dialect_impl(dialect).result_processor(dialect, None)


@lru_cache(MOST_QUERIES)
def prepared(query: Select[Any], dialect: Dialect) -> Prepared:
    """Compiles a query once."""
    return Prepared(query, dialect)


async def together(
    connection: AsyncConnection, queries: Sequence[Select[Any]], values: Values
) -> list[Rows]:
    """The rows of each query, as of one moment. A caller keeps the queries and hands in the same.

    Where the first query finds nothing the others are not asked for.
    """
    if connection.dialect.name == "sqlite":
        return await _on_sqlite(connection, queries, values)
    found: list[Rows] = []
    for query in queries:
        rows = (await connection.execute(query, values)).mappings()
        found.append(list(rows))
        if not found[0]:
            return [[] for _ in queries]
    return found


async def _on_sqlite(
    connection: AsyncConnection, queries: Sequence[Select[Any]], values: Values
) -> list[Rows]:
    asked = [prepared(query, connection.dialect) for query in queries]
    answers: list[list[Any]] = []

    def ask(raw: sqlite3.Connection) -> None:
        for each in asked:
            answers.append(raw.execute(each.text, each.parameters(values)).fetchall())
            if not answers[0]:
                answers.extend([] for _ in asked[1:])
                return

    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        await driver.ask(ask)
    except sqlite3.Error as error:
        raise DBAPIError(asked[0].text, None, error) from error
    return [[each.row(row) for row in rows] for each, rows in zip(asked, answers, strict=True)]
