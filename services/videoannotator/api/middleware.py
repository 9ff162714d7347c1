"""What surrounds every request: its id, its line in the access log, the limit of its body."""

import re
import time
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from videoannotator.api.paths import route_path
from videoannotator.api.streaming import send_left
from videoannotator.telemetry import bound, log
from videoannotator.telemetry.metrics import HTTP_REQUEST_SECONDS, HTTP_REQUESTS

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
UPLOADS = frozenset({("POST", "/api/v1/jobs")})  #: these limit their own bodies
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
QUIET = frozenset({"/livez", "/readyz", "/metrics", "/health"})  #: asked for all the time


class RequestContext:
    """Gives a request its id, takes a line for the access log, sets headers of every response."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is everything inside."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes the caller's X-Request-ID when it is harmless, else makes one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_from(Headers(scope=scope).get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        seen = _Seen(send, request_id)
        method, began = scope["method"], time.monotonic()
        with bound(request_id=request_id):
            try:
                await self._app(scope, receive, seen.send)
                await send_left(scope, receive, send)
            finally:
                _log_access(scope, method, seen.status, time.monotonic() - began)


class _Seen:
    """Looks at a response while it leaves."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 500  # unless a response begins

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Referrer-Policy", "no-referrer")
        await self._send(message)


def request_id_from(given: str) -> str:
    """The caller's id of a request when it is harmless, else a new one."""
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _log_access(scope: Scope, method: str, status: int, seconds: float) -> None:
    # The route's pattern, never the query: it may hold a ticket.
    route = getattr(scope.get("route"), "path", None) or "unknown"
    method = method if method in METHODS else "other"
    HTTP_REQUESTS.labels(route, method, str(status)).inc()
    HTTP_REQUEST_SECONDS.labels(route, method).observe(seconds)
    if route in QUIET and status < 400:
        return
    milliseconds = round(seconds * 1000, 1)
    log.info("request", method=method, route=route, status=status, milliseconds=milliseconds)


class BodyLimit:
    """Refuses bodies that are too large, except of uploads."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        """`max_bytes` is the largest body."""
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts while the body is read; what is announced as too large is not read at all."""
        if scope["type"] != "http" or (scope["method"], route_path(scope)) in UPLOADS:
            await self._app(scope, receive, send)
            return
        counted = _Counted(receive, self._max_bytes, _announced(scope))
        await self._app(scope, counted.receive, send)


class _Counted:
    """A body that ends with an error when it grows too large."""

    def __init__(self, receive: Receive, max_bytes: int, announced: int) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._announced = announced
        self._received = 0

    async def receive(self) -> Message:
        """Raises: HTTPException with status 413."""
        self._check(self._announced)
        message = await self._receive()
        self._received += len(message.get("body", b""))
        self._check(self._received)
        return message

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise HTTPException(413, f"The body is larger than {self._max_bytes} bytes.")


def _announced(scope: Scope) -> int:
    length: Any = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdecimal() else 0


class Plain:
    """Makes every request plain for the routes: no slash at the end of a path, GET for HEAD."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        """`root_path` is where a proxy serves us; requests may come with it or without."""
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Never redirects: a redirected upload is sent twice, or not at all."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Changed in place: the access log outside looks for the route in this scope.
        scope["root_path"] = self._root_path
        scope["path"] = scope["path"].rstrip("/") or "/"
        if scope["method"] == "HEAD":
            scope["method"] = "GET"
            scope.setdefault("state", {})["head"] = True
            send = _Headless(scope, send).send
        await self._app(scope, receive, send)


class _Headless:
    """Lets the head of a response pass, and nothing of its body."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._ended = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            # The server looks again: an answer to GET without its promised body is an error.
            self._scope["method"] = "HEAD"
            await self._send(message)
        elif not self._ended:
            self._ended = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
