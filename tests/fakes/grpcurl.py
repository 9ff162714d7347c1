"""What the guide uses of grpcurl: a call by reflection, with JSON on both sides."""

import json
import shlex
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

LONGEST_SECONDS = 60.0


@dataclass(slots=True)
class Command:
    """What is called."""

    address: str = ""
    method: str = ""  #: as package.Service/Method; "list" lists the services
    metadata: list[tuple[str, str]] = field(default_factory=list)
    data: str = ""  #: JSON objects one after the other, a message each


def parsed(command: str) -> Command:
    """A command line. Raises: AssertionError for an option that the guide has no need of."""
    found, rest = Command(), []
    words = iter(shlex.split(command)[1:])
    for word in words:
        match word:
            case "-plaintext":
                pass
            case "-H":
                name, value = next(words).split(": ", 1)
                found.metadata.append((name.lower(), value))
            case "-d":
                found.data = next(words)
            case _:
                assert not word.startswith("-"), f"unknown option {word}"
                rest.append(word)
    found.address, found.method = rest
    return found


def run(command: Command) -> list[Any]:
    """Does it; what is printed, a JSON value for each message. Blocks.

    Raises: grpc.RpcError when the call is refused.
    """
    with grpc.insecure_channel(command.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        if command.method == "list":
            return sorted(database.get_services())
        return _call(channel, DescriptorPool(database), command)


def _call(channel: grpc.Channel, pool: Any, command: Command) -> list[Any]:
    service, _, name = command.method.partition("/")
    method = pool.FindServiceByName(service).methods_by_name[name]
    request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    messages = [json_format.ParseDict(each, request()) for each in _objects(command.data or "{}")]
    kind = ("stream" if method.client_streaming else "unary") + (
        "_stream" if method.server_streaming else "_unary"
    )
    call = getattr(channel, kind)(
        f"/{command.method}", request.SerializeToString, response.FromString
    )
    sent = iter(messages) if method.client_streaming else messages[0]
    answer = call(sent, metadata=command.metadata, timeout=LONGEST_SECONDS)
    answers = answer if method.server_streaming else [answer]
    return [json_format.MessageToDict(m, preserving_proto_field_name=True) for m in answers]


def _objects(text: str) -> list[Any]:
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found
