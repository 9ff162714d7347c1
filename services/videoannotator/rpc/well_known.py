"""JSON objects and times as protobuf's own types, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format, struct_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from videoannotator.domain.errors import InvalidRequest

LARGEST_EXACT = 2**53  # a protobuf number is a double; beyond this it does not hold every integer


def struct_to(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """A JSON object as a message."""
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def struct_from(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A JSON object from a message.

    Whole numbers come back as int, which every numeric field takes. Raises: InvalidRequest for a
    number that JSON does not know.
    """
    try:
        values = json_format.MessageToDict(struct)
    except (ValueError, json_format.Error) as error:
        raise InvalidRequest(
            "An object holds a number that JSON does not know.", hint="Send finite numbers."
        ) from error
    return {key: _whole(value) for key, value in values.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_EXACT:
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    return value


def timestamp_to(moment: datetime | None) -> Timestamp | None:
    """An aware time as a message; None stays None."""
    if moment is None:
        return None
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def timestamp_from(message: Timestamp) -> datetime:
    """A time in UTC from a message. Raises: InvalidRequest outside the years 1 to 9999."""
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            "A time is outside the years 1 to 9999.", hint="Send seconds since 1970."
        ) from error
