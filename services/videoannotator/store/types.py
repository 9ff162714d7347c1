"""Column types that mean the same on SQLite and PostgreSQL, and the database's clock."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, TIMESTAMP, Index, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

INSTANT_CHARACTERS = 27  # 2026-01-31T23:59:59.123456Z


class Instant(TypeDecorator[datetime]):
    """An aware datetime, in UTC with microseconds.

    SQLite keeps it as text of a fixed width, so that it sorts; PostgreSQL as timestamptz.
    """

    impl = String(INSTANT_CHARACTERS)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(INSTANT_CHARACTERS))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("Datetimes are stored aware; this one has no time zone.")
        instant = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return instant
        return instant.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return datetime.fromisoformat(value)


class Prose(TypeDecorator[str]):
    """Text from outside. What a database cannot hold (NUL, lone surrogates) becomes a mark."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class Word(TypeDecorator[StrEnum]):
    """A member of an enumeration, kept as its value."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        """`words` is the enumeration."""
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else str(self.words(value).value)

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.words(value)


def document() -> JSON:
    """A JSON column in which None is NULL."""
    return JSON(none_as_null=True)


def as_json(value: Any) -> str:
    """The text of a JSON column.

    Raises: ValueError for a number that JSON does not know. PostgreSQL would refuse the statement,
    SQLite would keep a text that no reader of ours can send on.
    """
    return json.dumps(value, allow_nan=False)


class database_now(FunctionElement[datetime]):  # noqa: N801 - it reads as a SQL function
    """The database's clock: the only one compared between processes."""

    type = Instant()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _now_on_sqlite(element: database_now, compiler: Any, **_: Any) -> str:
    # In the format of Instant, so that the two compare as text; SQLite's clock has milliseconds.
    return "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"


@compiles(database_now, "postgresql")
def _now_on_postgresql(element: database_now, compiler: Any, **_: Any) -> str:
    # now() would be the start of the transaction, which may have waited for a lock.
    return "clock_timestamp()"


class by_bytes(FunctionElement[str]):  # noqa: N801 - it reads as a SQL function
    """Text that sorts by its code points, on every database and whatever language it is set to."""

    type = Text()
    inherit_cache = True


@compiles(by_bytes, "sqlite")
def _bytes_on_sqlite(element: by_bytes, compiler: Any, **how: Any) -> str:
    return str(compiler.process(element.clauses, **how))


@compiles(by_bytes, "postgresql")
def _bytes_on_postgresql(element: by_bytes, compiler: Any, **how: Any) -> str:
    return f'{compiler.process(element.clauses, **how)} COLLATE "C"'


WHERE = "where"


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows that fulfil `where`, on every database.

    Tried: SQLAlchemy's own `postgresql_where` loads the dialect and its drivers wherever a table is
    only looked at, on SQLite too.
    """
    return Index(name, *columns, unique=unique, info={WHERE: where})


@compiles(CreateIndex)
def _create_index(element: CreateIndex, compiler: Any, **how: Any) -> str:
    made = str(compiler.visit_create_index(element, **how))
    where = element.element.info.get(WHERE)
    return f"{made} WHERE {where}" if where else made
