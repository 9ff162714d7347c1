"""Probes and metrics on a port of their own: a few lines of HTTP for those who only look."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus

from videoannotator.domain.errors import InvalidSetting
from videoannotator.settings import variable
from videoannotator.telemetry.metrics import exposition

READ_SECONDS = 5.0
MOST_HEAD_BYTES = 16 * 1024
JSON = "application/json"

#: Tells why the process cannot do its work, and what to do; empty: it can.
Ready = Callable[[], Awaitable[str]]
Answer = tuple[HTTPStatus, str, bytes]


class Probes:
    """Answers /livez, /readyz and /metrics, one request per connection."""

    def __init__(self, ready: Ready, alive: Callable[[], bool] = lambda: True) -> None:
        """Nothing listens before `start`. `alive` is False when only a restart helps."""
        self._ready = ready
        self._alive = alive
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the port, which is a free one for 0. Raises: InvalidSetting."""
        try:
            self._server = await asyncio.start_server(
                self._serve, host, port, limit=MOST_HEAD_BYTES
            )
        except OSError as error:
            raise InvalidSetting(
                f"Nothing can listen on {host}, port {port}: {error.strerror}.",
                hint=f"Choose another port with {variable('telemetry.port')}.",
                field="telemetry.port",
            ) from error
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broken = (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        with suppress(*broken):
            async with asyncio.timeout(READ_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(
                    _written(*await self._answer(head.split(b"\r\n", 1)[0].decode("latin-1")))
                )
                await writer.drain()
        writer.close()

    async def _answer(self, request: str) -> Answer:
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, JSON, _status("only GET")
        if path == "/livez":
            return self._liveness()
        if path == "/readyz":
            return await self._readiness()
        if path == "/metrics":
            content, media_type = exposition()
            return HTTPStatus.OK, media_type, content
        return HTTPStatus.NOT_FOUND, JSON, _status("only /livez, /readyz and /metrics")

    def _liveness(self) -> Answer:
        if self._alive():
            return HTTPStatus.OK, JSON, _status("ok")
        return HTTPStatus.SERVICE_UNAVAILABLE, JSON, _status("stuck")

    async def _readiness(self) -> Answer:
        reason = await self._ready()
        if not reason:
            return HTTPStatus.OK, JSON, _status("ok")
        return HTTPStatus.SERVICE_UNAVAILABLE, JSON, _status("not ready", reason=reason)


def _status(word: str, **more: str) -> bytes:
    return json.dumps({"status": word, **more}).encode()


def _written(status: HTTPStatus, media_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {media_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
