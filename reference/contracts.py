"""grpc.md: every service, call and message, out of the comments in protos/."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc_tools  # type: ignore[import-untyped]
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

from reference.markdown import code, link, page, table

PROTOS = Path(__file__).resolve().parent.parent / "protos"
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"
#: Numbers of fields in descriptor.proto, which the places of comments are made of.
PACKAGE, MESSAGE, ENUM, SERVICE, MEMBER, ONEOF = (2,), 4, 5, 6, 2, 8


def compiled() -> FileDescriptorSet:
    """The contracts with their comments."""
    sources = sorted(str(path) for path in PROTOS.glob("videoannotator/v1/*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "descriptors"
        arguments = [f"-I{PROTOS}", f"-I{WELL_KNOWN}", f"--descriptor_set_out={out}"]
        status = protoc.main(["protoc", *arguments, "--include_source_info", *sources])
        if status != 0:
            raise SystemExit(f"protoc failed with status {status}; its message is above")
        return FileDescriptorSet.FromString(out.read_bytes())


class Contract:
    """One file of contracts."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self._comments = {
            tuple(each.path): " ".join(each.leading_comments.split())
            for each in file.source_code_info.location
        }

    def told(self, *place: int) -> str:
        """The comment at a place."""
        return self._comments.get(place, "")

    def parts(self) -> list[str]:
        """The contract as Markdown."""
        parts = [f"## {self.file.name.rpartition('/')[2]}", self.told(*PACKAGE)]
        for index, service in enumerate(self.file.service):
            parts += [f"### {service.name}", self.told(SERVICE, index)]
            parts.append(self._calls(service, index))
        for index, message in enumerate(self.file.message_type):
            parts += self._message(message, (MESSAGE, index))
        for index, each in enumerate(self.file.enum_type):
            parts += self._enum(each, (ENUM, index))
        return parts

    def _calls(self, service: Any, index: int) -> str:
        rows = [
            (
                code(call.name),
                _stream(call.client_streaming) + _named(call.input_type),
                _stream(call.server_streaming) + _named(call.output_type),
                self.told(SERVICE, index, MEMBER, number),
            )
            for number, call in enumerate(service.method)
        ]
        return table(["call", "takes", "answers", "what it does"], rows)

    def _message(self, message: Any, place: tuple[int, ...], outer: str = "") -> list[str]:
        if message.options.map_entry:
            return []
        name = f"{outer}{message.name}"
        maps = {each.name: each for each in message.nested_type if each.options.map_entry}
        rows = [
            (
                str(field.number),
                code(field.name),
                _kind(field, maps),
                _one_of(field, message),
                self.told(*place, MEMBER, number),
            )
            for number, field in enumerate(message.field)
        ]
        head = ["number", "field", "type", "one of", "what it is"]
        parts = [f"#### {name}", self.told(*place), table(head, rows)]
        for number, each in enumerate(message.nested_type):
            parts += self._message(each, (*place, 3, number), f"{name}.")
        for number, each in enumerate(message.enum_type):
            parts += self._enum(each, (*place, 4, number), f"{name}.")
        return parts

    def _enum(self, each: Any, place: tuple[int, ...], outer: str = "") -> list[str]:
        rows = [
            (str(value.number), code(value.name), self.told(*place, MEMBER, number))
            for number, value in enumerate(each.value)
        ]
        told = table(["number", "value", "what it means"], rows)
        return [f"#### {outer}{each.name}", self.told(*place), told]


def _stream(streams: bool) -> str:
    return "stream of " if streams else ""


def _named(full: str) -> str:
    short = full.removeprefix(".videoannotator.v1.")
    return link(short) if short != full else code(full.lstrip("."))


def _kind(field: Any, maps: dict[str, Any]) -> str:
    entry = maps.get(field.type_name.rpartition(".")[2])
    if entry is not None:
        key, value = (_kind(each, {}) for each in entry.field)
        return f"map of {key} to {value}"
    many = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    maybe = "optional " if field.proto3_optional else ""
    if field.type_name:
        return many + maybe + _named(field.type_name)
    return many + maybe + FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _one_of(field: Any, message: Any) -> str:
    if field.proto3_optional or not field.HasField("oneof_index"):
        return ""
    return code(message.oneof_decl[field.oneof_index].name)


def services(files: Sequence[Any]) -> str:
    """Which services there are."""
    rows = [
        (link(service.name), Contract(file).told(SERVICE, index))
        for file in files
        for index, service in enumerate(file.service)
    ]
    return table(["service", "who serves it, who calls it"], rows)


def page_of_contracts() -> str:
    """The page."""
    files = list(compiled().file)
    return page(
        "gRPC",
        "The package is `videoannotator.v1`; the contracts are in `protos/`. A field that was not "
        "sent has its zero value; an enumeration's zero is UNSPECIFIED. Numbers and names of "
        "fields never change their meaning. Errors: [errors.md](errors.md).",
        services(files),
        *(part for file in files for part in Contract(file).parts()),
    )
