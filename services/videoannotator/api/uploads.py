"""Forms that are read as they arrive: a file goes to storage, fields to memory, in any order."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from videoannotator.blobs.interface import BlobStore, Stored
from videoannotator.domain.errors import InvalidRequest, TooLarge, UnsupportedType

MAX_FIELD_BYTES = 256 * 1024  # of one field that is not a file
MAX_PARTS = 32
MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"

#: MultipartSegment: a part begins; bytes: of it; None: it ends. The parser has no types.
Event: TypeAlias = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a form, already in storage."""

    filename: str  #: as its user named it
    key: str
    stored: Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form that was read to its last byte."""

    fields: dict[str, str]
    file: File | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where the one file of a form goes."""

    field: str  #: name of the field that holds it
    key: str
    blobs: BlobStore
    max_bytes: int


def video_too_large(max_bytes: int) -> TooLarge:
    """The refusal of a video of more than `max_bytes`."""
    return TooLarge(
        f"A video may have {max_bytes} bytes at most.",
        hint="Compress or cut it, or ask the operator to raise the limit.",
        field="video",
    )


async def read_form(
    content_type: str, body: AsyncIterator[bytes], destination: Destination
) -> Form:
    """Reads a form. What a failed call has stored under the key is left to the caller.

    Raises: InvalidRequest for a malformed form, TooLarge as soon as a part is, UnsupportedType,
    and what the storage raises.
    """
    kind, options = parse_options_header(content_type)
    if kind == MULTIPART:
        return await _multipart(options.get("boundary", ""), body, destination)
    if kind == URLENCODED:
        text = await _text(body)
        return Form(fields=dict(parse_qsl(text, keep_blank_values=True)))
    if kind:
        raise UnsupportedType(
            f"A form is sent as {MULTIPART}, not as {kind[:80]}.",
            hint="Let your HTTP library write the form, as curl does with -F.",
        )
    return Form(fields={})


async def _multipart(boundary: str, body: AsyncIterator[bytes], destination: Destination) -> Form:
    fields: dict[str, str] = {}
    file: File | None = None
    events = _events(boundary, body)
    async for event in events:
        if not isinstance(event, MultipartSegment):
            continue  # of a part that nobody wanted
        name = event.name or ""
        if name == destination.field and event.filename:
            if file is not None:
                raise InvalidRequest(
                    f"More than one file '{name}'.", hint="Submit a job for each.", field=name
                )
            file = await _stored(event.filename, events, destination)
        else:
            fields[name] = await _text(_part(events))
    return Form(fields=fields, file=file)


async def _events(boundary: str, body: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The parser's events. Raises: InvalidRequest, TooLarge."""
    try:
        with PushMultipartParser(boundary, max_segment_count=MAX_PARTS) as parser:
            async for chunk in body:
                for event in parser.parse(chunk) if chunk else ():
                    yield event
    except ParserLimitReached as error:
        raise TooLarge(
            f"The form has more than {MAX_PARTS} parts, or too long headers.",
            hint="Send the fields that /openapi.json names, each once.",
        ) from error
    except MultipartError as error:
        raise InvalidRequest(
            "The multipart form is malformed.", hint="Let your HTTP library write the form."
        ) from error


async def _part(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """The bytes of the part that has just begun, to its end."""
    async for event in events:
        if event is None:
            return
        if isinstance(event, bytes | bytearray):
            yield bytes(event)


async def _stored(filename: str, events: AsyncIterator[Event], to: Destination) -> File:
    try:
        stored = await to.blobs.put(to.key, _part(events), max_bytes=to.max_bytes)
    except TooLarge as error:
        raise video_too_large(to.max_bytes) from error
    return File(filename=filename, key=to.key, stored=stored)


async def _text(chunks: AsyncIterator[bytes]) -> str:
    whole = bytearray()
    async for chunk in chunks:
        whole += chunk
        if len(whole) > MAX_FIELD_BYTES:
            raise TooLarge(
                f"A field of the form has more than {MAX_FIELD_BYTES} bytes.",
                hint="Send the video as a file, and short fields.",
            )
    try:
        return whole.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            "A field of the form is not UTF-8.", hint="Send every field as UTF-8."
        ) from error
