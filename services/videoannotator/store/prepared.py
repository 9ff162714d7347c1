"""Statements that never change, compiled once.

SQLAlchemy makes and compiles a statement in more time than a database takes to carry it out. Who
keeps one and hands in the same again pays for that once.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Executable, Select
from sqlalchemy.engine import Dialect

Values = Mapping[str, Any]
Row = Mapping[Any, Any]  # by column
Rows = list[Row]
Asked = tuple[Executable, Values]  #: a statement, and values for its parameters by name
Processor = Callable[[Any], Any] | None

#: Of compiled statements; those of a caller are others for each caller.
MOST_STATEMENTS = 1000


class Prepared:
    """A statement as the driver takes it, and its rows as values of the columns' types."""

    def __init__(self, statement: Executable, dialect: Dialect, given: tuple[str, ...]) -> None:
        """`given` are the names of the values that come with it."""
        compiled: Any = statement.compile(dialect=dialect, column_keys=given)  # type: ignore[attr-defined]
        blank = {name: None for name, bind in compiled.binds.items() if bind.required}
        # Lists in the statement become as many parameters as they are long.
        expanded: Any = compiled.construct_expanded_state(blank)
        self.text: str = expanded.statement
        self._names: Sequence[str] | None = expanded.positiontup  # None: the driver takes names
        types = {name: bind.type for name, bind in compiled.binds.items()}
        self._into = {
            name: process
            for name, kind in types.items()
            if (process := kind.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        lists: Mapping[str, Callable[[Any], Any]] = expanded.processors
        self._own = {
            name: lists[name](value) if name in lists else self._taken(name, value)
            for name, value in expanded.parameters.items()
        }
        found = tuple(statement.selected_columns) if isinstance(statement, Select) else ()
        self._columns: Sequence[ColumnElement[Any]] = found
        self._out_of = [_result_processor(each, dialect) for each in found]

    def _taken(self, name: str, value: Any) -> Any:
        process = self._into.get(name)
        return value if process is None else process(value)

    def parameters(self, values: Values) -> Any:
        """As the driver takes them: in the order of the text, or by name."""
        known = {**self._own, **{name: self._taken(name, each) for name, each in values.items()}}
        return known if self._names is None else [known[name] for name in self._names]

    def rows(self, raw: Sequence[Sequence[Any]]) -> Rows:
        """What the driver found, as values of the columns' types; nothing of other statements."""
        if not self._columns:
            return []
        return [
            {
                column: value if process is None else process(value)
                for column, process, value in zip(self._columns, self._out_of, each, strict=True)
            }
            for each in raw
        ]


def _result_processor(column: ColumnElement[Any], dialect: Dialect) -> Processor:
    return column.type.dialect_impl(dialect).result_processor(dialect, None)


@lru_cache(MOST_STATEMENTS)
def _prepared(statement: Executable, dialect: Dialect, given: tuple[str, ...]) -> Prepared:
    return Prepared(statement, dialect, given)


def prepared(asked: Asked, dialect: Dialect) -> Prepared:
    """The statement, compiled once for these names of values."""
    statement, values = asked
    return _prepared(statement, dialect, tuple(values))
