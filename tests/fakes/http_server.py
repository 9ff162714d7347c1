"""A real server on a loopback port, and the wire as it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """Leaves the signals to the test runner."""

    def install_signal_handlers(self) -> None:
        """Installs none."""


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    """Serves `app`; gives the port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


class Wire:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both ends of it."""
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> None:
        """Writes and waits until it is taken."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def head(self) -> str:
        """The head of the next answer."""
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode()

    async def body(self, head: str) -> bytes:
        """The body that belongs to a head with a Content-Length."""
        line = next(each for each in head.lower().splitlines() if each.startswith("content-length"))
        return await asyncio.wait_for(self.reader.readexactly(int(line.partition(":")[2])), 10)

    def break_off(self) -> None:
        """Goes away without a word."""
        self.writer.transport.abort()


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    """A connection to a port on this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()
