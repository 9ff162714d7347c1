"""JSON with one long list in it, written in batches: the whole is never in memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from videoannotator.formats.manifest import storage_errors

Row = Mapping[str, Any]
Buffer: TypeAlias = bytes | memoryview

#: Rows that are turned into bytes at a time. Of annotations of persons these are 280 kB: large
#: enough that the calls cost nothing, small enough that memory does not show it.
BATCH_ROWS = 512


def write_rows(
    path: Path,
    before: Mapping[str, Any],
    name: str,
    rows: Iterable[Row],
    *,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Writes an object of the members `before`, then the list `name` of `rows`, then `after`.

    Each batch is a line of its own. Floats are written as they come: whoever makes the rows rounds
    to what a number means.
    Raises: StorageError, ValueError for a number that JSON cannot hold.
    """
    with storage_errors(), path.open("wb") as stream:
        stream.writelines(pieces(before, name, rows, after=after or {}))


def pieces(
    before: Mapping[str, Any], name: str, rows: Iterable[Row], *, after: Mapping[str, Any]
) -> Iterator[Buffer]:
    """The same as bytes, a batch at a time. Raises: ValueError."""
    yield b"{"
    for key, value in before.items():
        yield _member(key, value) + b",\n"
    yield _plain(name) + b":["
    yield from _batches(rows)
    yield b"\n]"
    for key, value in after.items():
        yield b",\n" + _member(key, value)
    yield b"}\n"


def _batches(rows: Iterable[Row]) -> Iterator[Buffer]:
    left, separator = iter(rows), b"\n"
    while batch := list(islice(left, BATCH_ROWS)):
        yield separator
        yield memoryview(_value(batch))[1:-1]  # without the brackets, and without a copy
        separator = b",\n"


def _member(key: str, value: Any) -> bytes:
    return _plain(key) + b":" + _value(value)


def _plain(value: str) -> bytes:
    return orjson.dumps(value)


def _value(value: Any) -> bytes:
    """As JSON. orjson writes null for a number that is not finite, so a null is looked into."""
    written = orjson.dumps(value)
    if b"null" in written:
        _refuse_not_finite(value)
    return written


def _refuse_not_finite(value: Any) -> None:
    if isinstance(value, Mapping):
        _refuse_not_finite(list(value.values()))
    elif isinstance(value, list | tuple):
        _refuse_in_list(value)
    elif isinstance(value, float) and not isfinite(value):
        raise ValueError("A result holds a number that is not finite.")


def _refuse_in_list(values: Sequence[Any]) -> None:
    try:
        finite = all(map(isfinite, values))  # most lists are long and of numbers alone
    except TypeError:
        finite = False
    for each in () if finite else values:
        _refuse_not_finite(each)
