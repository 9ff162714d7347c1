"""Protobuf messages made by dice, and what can be wrong with them and with their metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.fakes.videos import mutated
from tests.fuzz.forms import UGLY_TEXTS

Kind = FieldDescriptor
WHOLE = (0, 1, -1, 2, 100, 2**31 - 1, -(2**31), 2**32 - 1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)
BOUNDS = {
    Kind.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    Kind.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    Kind.CPPTYPE_UINT32: (0, 2**32 - 1),
    Kind.CPPTYPE_UINT64: (0, 2**64 - 1),
    Kind.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
BROKEN_NUMBERS = (0.0, -0.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"), 0.5)
DEEPEST = 5

#: Field name -> values that lead deeper into what is tested.
Hints = Mapping[str, Sequence[Any]]
Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """An rpc."""

    path: str  #: as /videoannotator.v1.JobService/GetJob
    request: type[Message]
    streams_in: bool
    streams_out: bool


def methods_of(service: Any, messages: Mapping[str, type[Message]]) -> list[Method]:
    """Every rpc of a service, from its descriptor."""
    return [
        Method(
            path=f"/{service.full_name}/{rpc.name}",
            request=messages[rpc.input_type.name],
            streams_in=rpc.client_streaming,
            streams_out=rpc.server_streaming,
        )
        for rpc in service.methods
    ]


def made(kind: type[Message], dice: Random, hints: Hints, depth: int = 0) -> Message:
    """A message whose fields say what chance wants; of a oneof the last one wins."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if dice.random() < 0.3 or (depth >= DEEPEST and field.message_type):
            continue
        _set(message, field, dice, hints, depth)
    return message


def _set(message: Any, field: FieldDescriptor, dice: Random, hints: Hints, depth: int) -> None:
    if field.message_type and field.message_type.GetOptions().map_entry:
        _set_map(getattr(message, field.name), field, dice, hints, depth)
    elif field.is_repeated:
        for _ in range(dice.choice((0, 1, 2, 2, 300))):
            one = _value(field, dice, hints, depth)
            getattr(message, field.name).append(one)
    elif field.message_type:
        getattr(message, field.name).CopyFrom(_value(field, dice, hints, depth))
    else:
        setattr(message, field.name, _value(field, dice, hints, depth))


def _set_map(values: Any, field: FieldDescriptor, dice: Random, hints: Hints, depth: int) -> None:
    value = field.message_type.fields_by_name["value"]
    for _ in range(dice.choice((0, 1, 3, 100))):
        key = dice.choice((*hints.get("key", ("a",)), *UGLY_TEXTS[:-5]))
        made_one = _value(value, dice, hints, depth)
        if value.message_type:
            values[key].CopyFrom(made_one)
        else:
            values[key] = made_one


def _value(field: FieldDescriptor, dice: Random, hints: Hints, depth: int) -> Any:
    if field.message_type:
        return made(field.message_type._concrete_class, dice, hints, depth + 1)
    if field.name in hints and dice.random() < 0.7:
        return dice.choice(hints[field.name])
    if field.cpp_type in BOUNDS:
        least, most = BOUNDS[field.cpp_type]
        return min(most, max(least, dice.choice(WHOLE)))
    if field.cpp_type in (Kind.CPPTYPE_DOUBLE, Kind.CPPTYPE_FLOAT):
        return dice.choice(BROKEN_NUMBERS)
    if field.cpp_type == Kind.CPPTYPE_BOOL:
        return dice.random() < 0.5
    text = dice.choice(UGLY_TEXTS)
    return text.encode() if field.type == Kind.TYPE_BYTES else text


def damaged(raw: bytes, dice: Random) -> bytes:
    """Bytes that are no message, or another one."""
    how = dice.randrange(6)
    if how == 0:
        return dice.randbytes(dice.choice((0, 1, 10, 1000)))
    if how == 1:
        return b"\x0a" + b"\xff" * dice.choice((1, 5, 9, 10, 11))  # a length beyond the end
    if how == 2:
        return b"\x0b" * dice.choice((1, 100, 10_000))  # groups inside groups
    if how == 3:
        return b"\x0a\x02\xff\xfe" + raw  # a text that is no UTF-8
    return mutated(raw or b"\x0a\x01a", dice.randrange(2**32))


def metadata(right: Metadata, dice: Random) -> Metadata:
    """What goes beside a call, with something wrong about it."""
    long = "m" * dice.choice((1000, 7000, 20_000))
    return dice.choice(
        (
            (),
            (("authorization", "Bearer other"),),
            (("authorization", "Basic eDp5"),),
            (("authorization", ""),),
            (("authorization", "Bearer " + long),),
            (*right, *right),
            (*right, ("x-long", long)),
            (*right, *((f"x-{n}", "y") for n in range(300))),
            (*right, ("x-bytes-bin", dice.randbytes(500))),
            (*right, ("authorization-bin", b"\0\xff")),
            (*right, ("x-request-id", "\x7e" * 200)),
            (*right, ("idempotency-key", long)),
            (*right, ("grpc-previous-rpc-attempts", "-1")),
            (*right, ("content-type", "text/html")),
        )
    )


def frames(recorded: bytes, dice: Random) -> bytes:
    """A client's connection as it was recorded, with damaged frames behind its greeting."""
    how = dice.randrange(5)
    greeting = 24  # RFC 9113, 3.4
    if how == 0:
        return recorded[: dice.randrange(len(recorded))]
    if how == 1:
        kind, flags, stream = dice.randrange(12), dice.randrange(256), dice.choice(WHOLE) % 2**32
        body = dice.randbytes(dice.choice((0, 4, 8, 100, 16_384)))
        head = len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
        return recorded[: dice.choice((greeting, len(recorded)))] + (head + body) * dice.choice(
            (1, 50)
        )
    if how == 2:
        return dice.randbytes(2000)
    seed = dice.randrange(2**32)
    return recorded[:greeting] + mutated(recorded[greeting:], seed)
