"""REST over HTTP: uvicorn on a socket that is bound before anything else is opened."""

import asyncio
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from videoannotator.domain.errors import InvalidSetting
from videoannotator.settings import variable

START_LOOK_SECONDS = 0.01


class _Server(uvicorn.Server):
    """uvicorn, without its signal handlers: a signal ends more than the requests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes no signal, and so raises none again in the end."""
        yield


class HttpServer:
    """Serves one application until it is told to stop."""

    def __init__(self, app: FastAPI, listener: socket.socket, grace_seconds: float) -> None:
        """`listener` is bound and listens; it is the caller's to close.

        Requests under way get `grace_seconds` at the end.
        """
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(grace_seconds),
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when requests are served. Raises: what the server died of."""
        serving = asyncio.create_task(self._server.serve([self._listener]), name="http")
        self._serving = serving
        while not self._server.started and not serving.done():
            await asyncio.wait([serving], timeout=START_LOOK_SECONDS)
        if serving.done():
            serving.result()

    @property
    def alive(self) -> bool:
        """It serves; False when it broke."""
        return self._serving is not None and not self._serving.done()

    async def stop(self) -> None:
        """Takes no more requests; those under way get their grace."""
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait([self._serving])


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound and listens. Raises: InvalidSetting."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidSetting(
            f"Nothing can listen on {host}, port {port}: {error.strerror}.",
            hint=f"Stop the other program, or choose another with --port or "
            f"{variable('api.port')}.",
            field="api.port",
        ) from error
    with listener:
        yield listener


def address_of(listener: socket.socket) -> str:
    """The address for people on this machine."""
    host, port = listener.getsockname()[:2]
    return f"http://{for_people(host, port)}"


def for_people(host: str, port: int) -> str:
    """HOST:PORT to dial on this machine, where the host may mean every address of it."""
    known = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 - only shown
    return endpoint(known, port)


def endpoint(host: str, port: int) -> str:
    """HOST:PORT, with brackets around the colons of an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
