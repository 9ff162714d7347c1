"""One watch of the fake API server."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from aiohttp import web

from tests.fakes.kube.faults import Close, ErrorLine, Fault, Garbage, Padded, Pieces, Silence
from tests.fakes.kube.objects import KINDS, Body, Entry, Objects
from tests.fakes.kube.selecting import selects


class Watch:
    """Sends every change behind a version until somebody ends it."""

    def __init__(self, objects: Objects, plural: str, selector: str, version: int) -> None:
        """Follows one kind of objects with these labels."""
        self._objects = objects
        self._plural = plural
        self._selector = selector
        self._version = version
        self._ended = False
        self._bookmarks = 0
        self._request: web.Request | None = None

    def close(self) -> None:
        """Ends it in order."""
        self._ended = True
        self._objects.wake()

    def break_off(self) -> None:
        """Breaks its connection."""
        self.close()
        if self._request is not None and self._request.transport is not None:
            self._request.transport.abort()

    def bookmark(self) -> None:
        """Sends a bookmark behind what was sent."""
        self._bookmarks += 1
        self._objects.wake()

    async def serve(
        self, request: web.Request, fault: Fault | None, seconds: tuple[float, float | None]
    ) -> web.StreamResponse:
        """Answers the request; `seconds`: until it ends, and between bookmarks."""
        self._request = request
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        lasts, between = seconds
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(lasts):
                await self._follow(response, fault, between)
        with suppress(ConnectionError):
            await response.write_eof()
        return response

    async def _follow(
        self, response: web.StreamResponse, fault: Fault | None, between: float | None
    ) -> None:
        if isinstance(fault, Close):
            return
        if isinstance(fault, ErrorLine):
            told = {"kind": "Status", "code": fault.code, "reason": fault.reason}
            await response.write(_line("ERROR", {**told, "message": fault.message}))
            return
        if isinstance(fault, Garbage):
            await response.write(b"<html>a proxy</html>\n")
        while not self._ended:
            grown = self._objects.grown  # taken before sending: what changes meanwhile sets it
            if not isinstance(fault, Silence):
                await self._send(response, fault)
            if not self._ended:
                await self._wait(grown, between)

    async def _wait(self, grown: asyncio.Event, between: float | None) -> None:
        try:
            async with asyncio.timeout(between):
                await grown.wait()
        except TimeoutError:
            self._bookmarks += 1

    async def _send(self, response: web.StreamResponse, fault: Fault | None) -> None:
        for entry in self._objects.after(self._version, self._plural):
            self._version = entry.version
            for line in self._lines(entry, fault):
                await _write(response, line, fault)
        if self._bookmarks:
            self._bookmarks = 0
            self._version = max(self._version, self._objects.version)
            await _write(response, _line("BOOKMARK", self._mark()), fault)

    def _mark(self) -> Body:
        version, kind = KINDS[self._plural]
        metadata = {"resourceVersion": str(self._version)}
        return {"apiVersion": version, "kind": kind, "metadata": metadata}

    def _lines(self, entry: Entry, fault: Fault | None) -> Iterator[bytes]:
        """A change as this watch sees it: an object whose labels fit no more is gone for it."""
        fits = selects(self._selector, entry.object)
        fitted = entry.before is not None and selects(self._selector, entry.before)
        type_ = entry.type
        if type_ == "MODIFIED" and fits != fitted:
            type_ = "ADDED" if fits else "DELETED"
        elif not fits:
            return
        body: dict[str, Any] = entry.object
        if isinstance(fault, Padded):
            body = {**body, "padding": "x" * fault.size_bytes}
        yield _line(type_, body)


def _line(type_: str, body: Body) -> bytes:
    return json.dumps({"type": type_, "object": body}).encode() + b"\n"


async def _write(response: web.StreamResponse, line: bytes, fault: Fault | None) -> None:
    if not isinstance(fault, Pieces):
        await response.write(line)
        return
    for start in range(0, len(line), fault.size_bytes):
        await response.write(line[start : start + fault.size_bytes])
        await asyncio.sleep(0)
