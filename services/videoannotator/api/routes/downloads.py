"""Users' bytes as responses: ranges, ETags, and headers that keep a browser from running them."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from videoannotator.api.names import attachment
from videoannotator.api.operations.results import Archive, Download
from videoannotator.api.routes.documented import IfNoneMatch, IfRange, Range
from videoannotator.api.routes.requests import asks_for_head, matches
from videoannotator.blobs.interface import BlobStore

#: Bytes that somebody uploaded, or that were made from them.
GUARDED = {"Content-Security-Policy": "sandbox", "Cache-Control": "private, no-store"}


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes [start, end) of something."""

    start: int
    end: int


def part_of(header: str | None, size_bytes: int) -> Part | None:
    """What a Range header asks for; None: everything, as for several ranges at once.

    A start beyond the end gives a part with `start == size_bytes`: it cannot be satisfied.
    """
    found = re.fullmatch(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", header or "")
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size_bytes)
        return Part(size_bytes - length, size_bytes)
    if last and int(last) < int(first):
        return None
    end = min(int(last) + 1, size_bytes) if last else size_bytes
    return Part(min(int(first), size_bytes), end)


@dataclass(frozen=True, slots=True)
class Condition:
    """What the caller has, and what of a file is wanted."""

    head: bool  #: the headers alone
    if_none_match: str | None
    range: str | None
    if_range: str | None


async def _condition(
    request: Request,
    if_none_match: IfNoneMatch = None,
    range: Range = None,  # noqa: A002 - the header's name
    if_range: IfRange = None,
) -> Condition:
    return Condition(asks_for_head(request), if_none_match, range, if_range)


Conditions = Annotated[Condition, Depends(_condition)]


async def send_download(blobs: BlobStore, download: Download, wanted: Condition) -> Response:
    """A file, or the part of it that the request asks for.

    Raises: HTTPException with status 416.
    """
    tag = f'"{download.sha256}"'
    headers = {
        **GUARDED,
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": attachment(download.name),
    }
    if matches(wanted.if_none_match, tag):
        return Response(status_code=304, headers=headers)
    size = download.size_bytes
    part = part_of(wanted.range, size)
    if part is None or wanted.if_range not in (None, tag):
        return await _send(wanted.head, blobs, download, Part(0, size), headers)
    if part.start >= part.end:
        raise HTTPException(
            416,
            f"The file has {size} bytes; the range begins after them.",
            headers={**GUARDED, "Accept-Ranges": "bytes", "Content-Range": f"bytes */{size}"},
        )
    headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{size}"
    return await _send(wanted.head, blobs, download, part, headers)


async def _send(
    head: bool, blobs: BlobStore, download: Download, part: Part, headers: dict[str, str]
) -> Response:
    chunks = blobs.read(download.key, part.start, part.end)
    status = 206 if "Content-Range" in headers else 200
    headers = {**headers, "Content-Length": str(part.end - part.start)}
    return await _streamed(head, chunks, status, download.media_type, headers)


async def send_archive(request: Request, archive: Archive) -> Response:
    """A ZIP whose length is known before it is made."""
    headers = {
        **GUARDED,
        "Content-Length": str(archive.size_bytes),
        "Content-Disposition": attachment(archive.name),
    }
    return await _streamed(asks_for_head(request), archive.chunks, 200, "application/zip", headers)


async def _streamed(
    head: bool,
    chunks: AsyncIterator[bytes],
    status: int,
    media_type: str,
    headers: dict[str, str],
) -> Response:
    if head:
        return Response(status_code=status, media_type=media_type, headers=headers)
    whole = await _begun(chunks)
    return StreamingResponse(whole, status, media_type=media_type, headers=headers)


async def _begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, the first one read already: while an error can still be answered."""
    first = await anext(chunks, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return whole()
