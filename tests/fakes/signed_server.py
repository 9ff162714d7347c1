"""A storage server that takes and gives bytes at signed addresses, and fails as it is told to."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from tests.fakes.http_server import served

PIECE_BYTES = 1000


@dataclass
class SignedServer:
    """Bytes by name. A request needs the newest signature of the server."""

    contents: dict[str, bytes] = field(default_factory=dict)
    port: int = 0
    signature: int = 1  #: the one that is good now
    statuses: list[int] = field(default_factory=list)  #: of the next answers, instead of good ones
    cut_after_bytes: list[int] = field(default_factory=list)  #: of the next bodies
    ranges: bool = True  #: it knows Range
    announces: bool = True  #: it tells the length
    stalls: bool = False  #: it sends the head of an answer, and then nothing
    requests: list[str] = field(default_factory=list)  #: method, name and Range, in order
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def address(self, name: str) -> str:
        """The newest address of `name`."""
        return f"http://127.0.0.1:{self.port}/{name}?X-Amz-Signature={self.signature}"

    def at(self, name: str) -> Callable[[], str]:
        """Gives the newest address of `name`, each time it is asked."""
        return lambda: self.address(name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        name = scope["path"].lstrip("/")
        asked = dict(scope["headers"]).get(b"range", b"").decode()
        self.requests.append(f"{scope['method']} {name} {asked}".strip())
        self.asked.set()
        body = await _body(receive)
        if self.statuses:
            await _answer(send, self.statuses.pop(0))
        elif scope["query_string"].decode() != f"X-Amz-Signature={self.signature}":
            await _answer(send, 403)
        elif scope["method"] == "PUT":
            self.contents[name] = body
            await _answer(send, 200)
        elif name not in self.contents:
            await _answer(send, 404)
        else:
            await self._give(receive, send, self.contents[name], asked)

    async def _give(self, receive: Receive, send: Send, content: bytes, asked: str) -> None:
        first = re.fullmatch(r"bytes=(\d+)-", asked) if self.ranges else None
        rest = content[int(first[1]) :] if first else content
        length = [(b"content-length", str(len(rest)).encode())] if self.announces else []
        status = 206 if first else 200
        await send({"type": "http.response.start", "status": status, "headers": length})
        most = self.cut_after_bytes.pop(0) if self.cut_after_bytes else len(rest)
        for at in range(0, most, PIECE_BYTES):
            piece = rest[at : min(at + PIECE_BYTES, most)]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if self.stalls:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if most < len(rest):
            raise ConnectionResetError("cut as it was told to")
        await send({"type": "http.response.body", "body": b""})


async def _body(receive: Receive) -> bytes:
    whole = b""
    while True:
        message = await receive()
        whole += message.get("body", b"")
        if not message.get("more_body"):
            return whole


async def _answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def signed_server() -> AsyncIterator[SignedServer]:
    """A server that runs inside the block."""
    server = SignedServer()
    async with served(server) as port:
        server.port = port
        yield server
