"""Messages in the words of REST's JSON, so that both faces can be compared."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from videoannotator.api.bodies.times import rfc3339
from videoannotator.rpc.well_known import struct_from


def plain(message: Message) -> dict[str, Any]:
    """Every field of a message under its name; one that is absent is None."""
    return {field.name: _field(message, field) for field in message.DESCRIPTOR.fields}


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if isinstance(value, Mapping):
        return dict(value)
    if field.is_repeated:
        return [_value(each, field) for each in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _value(value, field)


def _value(value: Any, field: Any) -> Any:
    if isinstance(value, Struct):
        return struct_from(value)
    if isinstance(value, Timestamp):
        return rfc3339(value.ToDatetime(UTC))
    if isinstance(value, Message):
        return plain(value)
    if field.enum_type is not None:
        return _word(value, field)
    return value


def _word(number: int, field: Any) -> str:
    """JOB_STATE_PENDING as pending."""
    kind = field.enum_type
    name = kind.values_by_number[number].name
    shared = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(name).removeprefix(shared).lower()
