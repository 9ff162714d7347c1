"""Stands between our scheduler and the API server: counts what is asked, fails as it is told."""

import asyncio
import random
import ssl
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

#: Of creates, and of everything else that is no watch: the share that meets each fault.
CREATES: Mapping[str, float] = {
    "lost before": 0.01,
    "lost after": 0.04,
    "500 after": 0.04,
    "409": 0.02,
    "429": 0.04,
}
OTHERS: Mapping[str, float] = {"lost after": 0.03, "500 after": 0.03, "429": 0.03}
REASONS = {409: "AlreadyExists", 429: "TooManyRequests", 500: "InternalError"}
LARGEST_BYTES = 64 << 20


@dataclass
class Seen:
    """What went through."""

    asked: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    first_create_at: float | None = None
    opened: list[float] = field(default_factory=list)  #: watches, when they began to be answered
    closed: list[float] = field(default_factory=list)  #: watches that the scheduler gave up

    @property
    def requests(self) -> int:
        """All of them."""
        return self.asked.total()


class Proxy:
    """Passes on requests to the API server. Times are of the monotonic clock."""

    def __init__(self, upstream: str, pki: Path, seed: int = 0) -> None:
        """`pki` holds the administrator's certificate."""
        self.seen = Seen()
        self.injecting = False  #: a share of the requests fails
        self.broken = False  #: every request is answered with 500
        self.gone = False  #: every connection is broken off
        self.address = ""
        self._upstream = upstream
        self._dice = random.Random(seed)  # noqa: S311 - the same faults in every run
        self._context = ssl.create_default_context(cafile=pki / "ca.crt")
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._answering = asyncio.Event()
        self._answering.set()
        self._streams: set[asyncio.Event] = set()  # set: it is dead, and says nothing any more
        self._session: aiohttp.ClientSession
        self._runner: web.AppRunner

    async def start(self) -> None:
        """Listens on a free port of this machine."""
        connector = aiohttp.TCPConnector(ssl=self._context, limit=0)
        self._session = aiohttp.ClientSession(connector=connector)
        app = web.Application(client_max_size=LARGEST_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, shutdown_timeout=0.5)
        await site.start()
        port = self._runner.addresses[0][1]
        self.address = f"http://127.0.0.1:{port}"

    async def close(self) -> None:
        """Ends every connection."""
        await self._runner.cleanup()
        await self._session.close()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """The path is dead: what is open stays silent for good, and nothing new is answered."""
        self._answering.clear()
        self._kill_streams()
        try:
            yield
        finally:
            self._answering.set()

    def cut(self) -> None:
        """Breaks every open watch off."""
        for connection in tuple(self._runner.server.connections if self._runner.server else ()):
            connection.force_close()
            if connection.transport is not None:
                connection.transport.abort()

    def _kill_streams(self) -> None:
        for dead in self._streams:
            dead.set()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        kind = kind_of(request)
        self.seen.asked[kind] += 1
        if kind == "create jobs" and self.seen.first_create_at is None:
            self.seen.first_create_at = time.monotonic()
        if self.gone:
            return _broken_off(request)
        body = await request.read()
        await self._answering.wait()
        if self.broken:
            return _refusal(500)
        return await self._passed_on(request, kind, body)

    async def _passed_on(self, request: web.Request, kind: str, body: bytes) -> web.StreamResponse:
        fault = self._fault(kind)
        if fault in ("409", "429"):
            return _refusal(int(fault))
        if fault == "lost before":
            return _broken_off(request)
        async with self._session.request(
            request.method,
            self._upstream + request.raw_path,
            data=body,
            headers={"Content-Type": request.content_type, "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            if kind.startswith("watch") and answer.status == 200:
                return await self._streamed(request, answer)
            whole = await answer.read()
        if fault == "lost after":
            return _broken_off(request)
        if fault == "500 after":
            return _refusal(500)
        return web.Response(status=answer.status, body=whole, content_type=answer.content_type)

    def _fault(self, kind: str) -> str:
        if not self.injecting or kind.startswith("watch"):
            return ""
        chances = CREATES if kind == "create jobs" else OTHERS
        names = [*chances, ""]
        shares = [*chances.values(), 1.0 - sum(chances.values())]
        (fault,) = self._dice.choices(names, shares)
        if fault:
            self.seen.faults[f"{kind}: {fault}"] += 1
        return fault

    async def _streamed(
        self, request: web.Request, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        passed_on = web.StreamResponse(headers={"Content-Type": "application/json"})
        await passed_on.prepare(request)
        dead = asyncio.Event()
        self._streams.add(dead)
        self.seen.opened.append(time.monotonic())
        try:
            async for piece in answer.content.iter_any():
                if dead.is_set():
                    await asyncio.Event().wait()  # until the scheduler gives it up
                await passed_on.write(piece)
            return passed_on
        except (asyncio.CancelledError, ConnectionError):
            self.seen.closed.append(time.monotonic())
            raise
        finally:
            self._streams.discard(dead)


def kind_of(request: web.Request) -> str:
    """What is asked for, as `create jobs`."""
    parts = request.path.strip("/").split("/")
    at = parts.index("namespaces") if "namespaces" in parts else len(parts)
    what = parts[at + 2] if len(parts) > at + 2 else parts[-1]
    is_one = len(parts) > at + 3
    verb = {"POST": "create", "DELETE": "delete"}.get(request.method)
    if verb is None:
        verb = "watch" if "watch" in request.query else "get" if is_one else "list"
    return f"{verb} {what}"


def _refusal(status: int) -> web.Response:
    told = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "injected by the measurement",
        "reason": REASONS[status],
        "code": status,
    }
    headers = {"Retry-After": "1"} if status == 429 else {}
    return web.json_response(told, status=status, headers=headers)


def _broken_off(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
