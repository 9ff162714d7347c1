"""Reading JSON: fields with the type that is expected, or an error that says who is at fault."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from videoannotator.domain.errors import Unavailable

T = TypeVar("T")
Fields = Mapping[str, Any]

HINT = "Is the address right, and is the server of the same release as this program?"


def not_ours(what: str) -> Unavailable:
    """The error for an answer that no VideoAnnotator server gives."""
    return Unavailable(f"The server's answer is not one of VideoAnnotator's ({what}).", hint=HINT)


def fields(value: Any, what: str = "an object is missing") -> Fields:
    """`value` as a JSON object."""
    if not isinstance(value, Mapping):
        raise not_ours(what)
    return value


def items(data: Fields, name: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
    """The objects in the list `name`, each read by `read`; none when the field is missing."""
    return tuple(read(fields(each)) for each in data.get(name) or ())


def required(data: Fields, name: str) -> str:
    """The text `name`."""
    value = data.get(name)
    if not isinstance(value, str):
        raise not_ours(f"{name} is missing")
    return value


def text(data: Fields, name: str) -> str:
    """The text `name`, empty when it is missing or null."""
    value = data.get(name)
    return "" if value is None else str(value)


def number(data: Fields, name: str) -> float:
    """The number `name`, 0 when it is missing or null."""
    return maybe_number(data, name) or 0.0


def whole(data: Fields, name: str) -> int:
    """The whole number `name`, 0 when it is missing or null."""
    return int(number(data, name))


def maybe_number(data: Fields, name: str) -> float | None:
    """The number `name`, None when it is missing or null."""
    value = data.get(name)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise not_ours(f"{name} is not a number") from error


def maybe_whole(data: Fields, name: str) -> int | None:
    """The whole number `name`, None when it is missing or null."""
    value = maybe_number(data, name)
    return None if value is None else int(value)


def maybe_time(data: Fields, name: str) -> datetime | None:
    """The time `name`, aware; None when it is missing or null. Without a zone it is UTC."""
    value = data.get(name)
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise not_ours(f"{name} is not a time") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def texts(data: Fields, name: str) -> tuple[str, ...]:
    """The texts in the list `name`."""
    return tuple(str(each) for each in data.get(name) or ())
