"""One machine: api and scheduler composed in one process, from the first byte to the last."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI

from videoannotator.api.app import create_app
from videoannotator.api.operations.assembly import Operations, assemble
from videoannotator.api.wake import LeaderClient
from videoannotator.blobs.files import FileBlobs
from videoannotator.cli.exits import ExitCode
from videoannotator.domain.errors import InvalidSetting
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.rpc.keyfiles import INTERNAL_TOKEN, read_or_make
from videoannotator.scheduler.composing import local_scheduler
from videoannotator.scheduler.service import Scheduler
from videoannotator.settings import Settings
from videoannotator.store import schema
from videoannotator.store.access import Access
from videoannotator.store.engine import Database, parse_url, sqlite_file
from videoannotator.store.leader import Leader
from videoannotator.telemetry import get_logger

#: Told where the server is, and the first administrator's key where one was made.
Announce = Callable[[str, str | None], None]

#: Seconds that requests under way get at the end. Event streams would go on for ever.
REQUEST_GRACE_SECONDS = 5
CHECK_SECONDS = 1.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ends."""

    code: ExitCode
    take_workers: bool  #: end the workers, too; else they run on for the next leader


#: Ctrl-C means all of it. SIGTERM is what an upgrade sends: the next start takes the workers over.
INTERRUPTED = Ending(code=ExitCode.INTERRUPTED, take_workers=True)
TERMINATED = Ending(code=ExitCode.OK, take_workers=False)
LEFT_ALONE = Ending(code=ExitCode.OK, take_workers=True)
BROKEN = Ending(code=ExitCode.FAILED, take_workers=False)


class Server(uvicorn.Server):
    """uvicorn, without its signal handlers: a signal ends more than the requests."""

    def __init__(self, app: FastAPI) -> None:
        """Serves `app` on the sockets that it is given."""
        config = uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=REQUEST_GRACE_SECONDS,
        )
        super().__init__(config)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes no signal, and so raises none again in the end."""
        yield


def run(settings: Settings, announce: Announce, *, until_stdin_closes: bool = False) -> ExitCode:
    """Serves until a signal says to stop; returns the exit code.

    With `until_stdin_closes` it also stops, workers and all, when whoever started it is gone.
    Raises: InvalidSetting, StorageError, SchemaMismatch, DatabaseUnavailable.
    """
    prepare_schema(settings)
    with listening(settings.api.host, settings.api.port) as listener:
        return asyncio.run(_serve(settings, listener, announce, until_stdin_closes))


def prepare_schema(settings: Settings) -> None:
    """Makes or upgrades a SQLite database; a shared one is only checked.

    Raises: SchemaMismatch, which says how to upgrade a shared database.
    """
    url = settings.database_url
    if sqlite_file(parse_url(url)) is not None:
        schema.upgrade(url)
    else:
        schema.check(url)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound and listens. Raises: InvalidSetting."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidSetting(
            f"Nothing can listen on {host}, port {port}: {error.strerror}.",
            hint="Stop the other program, or choose another with --port or "
            "VIDEOANNOTATOR_API__PORT.",
            field="api.port",
        ) from error
    with listener:
        yield listener


def address_of(listener: socket.socket) -> str:
    """The address for people on this machine."""
    host, port = listener.getsockname()[:2]
    known = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 - only shown
    return f"http://[{known}]:{port}" if ":" in known else f"http://{known}:{port}"


async def _serve(
    settings: Settings, listener: socket.socket, announce: Announce, until_stdin_closes: bool
) -> ExitCode:
    ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
    _listen_for_signals(ending)
    if until_stdin_closes:
        _listen_to_stdin(ending)
    database = Database.open(settings.database_url)
    try:
        async with _parts(settings, database, ending) as (server, operations, scheduler):
            serving = asyncio.create_task(server.serve([listener]), name="http")
            await _until_started(server, serving)
            announce(address_of(listener), await _first_key(settings, database))
            how = await _until_ending(ending, serving, scheduler)
            await operations.close()  # uvicorn waits for open answers, and streams have no end
            server.should_exit = True
            await asyncio.wait([serving])
        return how.code
    finally:
        await database.close()


@asynccontextmanager
async def _parts(
    settings: Settings, database: Database, ending: asyncio.Future[Ending]
) -> AsyncIterator[tuple[Server, Operations, Scheduler]]:
    """The api, and the scheduler at work; the scheduler is stopped last, as `ending` says."""
    blobs = FileBlobs(settings.storage.root)
    catalogue = Catalogue.load()
    scheduler = local_scheduler(settings, database, blobs, catalogue)
    token = read_or_make(settings.storage.root.absolute() / "secrets", INTERNAL_TOKEN)
    leader = LeaderClient(Leader(database), token)
    operations = assemble(settings, database, blobs, catalogue, leader)
    app = create_app(settings, operations, Access(database), blobs)
    await scheduler.start()
    try:
        yield Server(app), operations, scheduler
    finally:
        await operations.close()
        await leader.close()
        how = ending.result() if ending.done() else BROKEN
        await scheduler.stop(take_workers=how.take_workers)


async def _first_key(settings: Settings, database: Database) -> str | None:
    return await Access(database).bootstrap_admin() if settings.auth.required else None


async def _until_started(server: Server, serving: asyncio.Task[None]) -> None:
    while not server.started and not serving.done():
        await asyncio.wait([serving], timeout=0.01)
    if serving.done():
        serving.result()


async def _until_ending(
    ending: asyncio.Future[Ending], serving: asyncio.Task[None], scheduler: Scheduler
) -> Ending:
    """Waits for the end, which also comes when a part broke: only a restart mends that."""
    while not ending.done():
        both: list[asyncio.Future[Any]] = [ending, serving]
        await asyncio.wait(both, timeout=CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done() and (serving.done() or not scheduler.alive):
            log.error("part_broken", part="http" if serving.done() else "scheduler")
            ending.set_result(BROKEN)
    return ending.result()


def _listen_for_signals(ending: asyncio.Future[Ending]) -> None:
    loop = asyncio.get_running_loop()

    def take(number: int, how: Ending) -> None:
        log.info("ending", signal=signal.Signals(number).name)
        # A second Ctrl-C does not wait for anything: the workers end by their orphan rule.
        loop.remove_signal_handler(number)
        if not ending.done():
            ending.set_result(how)

    loop.add_signal_handler(signal.SIGINT, take, signal.SIGINT, INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, take, signal.SIGTERM, TERMINATED)


def _listen_to_stdin(ending: asyncio.Future[Ending]) -> None:
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()

    def look() -> None:
        with suppress(BlockingIOError):
            if os.read(stdin, 1024):
                return
        loop.remove_reader(stdin)
        if not ending.done():
            ending.set_result(LEFT_ALONE)

    loop.add_reader(stdin, look)
