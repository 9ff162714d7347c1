"""The api: REST, public gRPC and probes on one set of use cases, from first request to last."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import uvloop

from videoannotator.api.app import create_app
from videoannotator.api.grpc_server import PublicServer
from videoannotator.api.operations.assembly import Operations, assemble
from videoannotator.api.serving import (
    HttpServer,
    address_of,
    endpoint,
    for_people,
    listening,
)
from videoannotator.api.wake import LeaderClient
from videoannotator.blobs.interface import BlobStore
from videoannotator.blobs.opening import open_blobs
from videoannotator.pipelines.catalogue import Catalogue, catalogue_of
from videoannotator.processes.collecting import settle
from videoannotator.processes.endings import INTERRUPTED_ALONE, End
from videoannotator.processes.probes import Probes
from videoannotator.rpc.certificates import certificates_of
from videoannotator.rpc.keyfiles import internal_token
from videoannotator.settings import Settings
from videoannotator.store import schema
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader
from videoannotator.telemetry.metrics import DATABASE_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What whoever starts an api wants to know of it."""

    address: str  #: of REST, as http://localhost:18011
    grpc_address: str | None  #: as localhost:50051; None: no gRPC
    probes_port: int | None  #: None: probes are on the port of REST alone
    admin_key: str | None  #: the first administrator's; None: there are users, or the site gave it


#: Told once, when the api takes requests.
Announce = Callable[[Started], None]


class Api:
    """Everything that faces users. Its parts end together, requests under way first."""

    def __init__(
        self,
        settings: Settings,
        operations: Operations,
        access: Access,
        blobs: BlobStore,
        listener: socket.socket,
    ) -> None:
        """The arguments stay the caller's to close."""
        self._settings = settings
        self._operations = operations
        self._access = access
        app = create_app(settings, operations, access, blobs)
        self._http = HttpServer(app, listener, settings.api.stop_grace_seconds)
        self._grpc: PublicServer | None = None
        if settings.api.grpc_port is not None:
            self._grpc = PublicServer(operations, access, settings, blobs)
        self._probes = Probes(self._ready)
        self._address = address_of(listener)
        self._grpc_address: str | None = None
        self._probes_port: int | None = None

    async def start(self) -> None:
        """Returns when requests are taken. Raises: InvalidSetting."""
        telemetry = self._settings.telemetry
        if telemetry.port is not None:
            self._probes_port = await self._probes.start(telemetry.host, telemetry.port)
        port = self._settings.api.grpc_port
        if self._grpc is not None and port is not None:
            self._grpc_address = await self._start_grpc(self._grpc, port)
        await self._http.start()

    async def _start_grpc(self, server: PublicServer, port: int) -> str:
        host = self._settings.api.grpc_host
        certificates = certificates_of(self._settings.rpc)
        credentials = certificates.for_server() if certificates else None
        return for_people(host, await server.start(endpoint(host, port), credentials))

    async def started(self) -> Started:
        """Where it is; makes the first administrator where there is no user yet."""
        return Started(
            address=self._address,
            grpc_address=self._grpc_address,
            probes_port=self._probes_port,
            admin_key=await self._first_admin_key(),
        )

    async def _first_admin_key(self) -> str | None:
        """The key to tell: of an administrator who was made just now, unless the site gave it."""
        auth = self._settings.auth
        if not auth.required:
            return None
        given = auth.first_admin_key.get_secret_value()
        made = await self._access.bootstrap_admin(given)
        return None if given else made

    @property
    def alive(self) -> bool:
        """Requests are served; False when that broke."""
        return self._http.alive

    async def _ready(self) -> str:
        """Why it takes no requests; empty: it does."""
        if self._operations.closed:
            return "It is being stopped."
        health = await self._operations.system.health(None)
        parts = {"database": health.database, "storage": health.storage}
        broken = [name for name, part in parts.items() if part.status == "error"]
        return f"What does not work: {', '.join(broken)}." if broken else ""

    async def stop(self) -> None:
        """Says that it is not ready, ends the streams, lets the requests under way finish."""
        await self._operations.close()  # streams have no end, and everybody waits for them
        async with asyncio.TaskGroup() as ending:
            ending.create_task(self._http.stop())
            if self._grpc is not None:
                ending.create_task(self._grpc.stop(self._settings.api.stop_grace_seconds))
        await self._probes.stop()


@asynccontextmanager
async def serving(
    settings: Settings, database: Database, catalogue: Catalogue, listener: socket.socket
) -> AsyncIterator[Api]:
    """An api that takes requests inside the block. Raises: InvalidSetting, StorageError."""
    DATABASE_UP.set_function(lambda: float(database.reached))
    certificates = certificates_of(settings.rpc)
    leader = LeaderClient(Leader(database), internal_token(settings), certificates)
    blobs = open_blobs(settings.storage)
    operations = assemble(settings, database, blobs, catalogue, leader)
    api = Api(settings, operations, Access(database), blobs, listener)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(leader.close)
        closing.push_async_callback(api.stop)
        await api.start()
        yield api


def run(settings: Settings, announce: Announce) -> int:
    """Serves until a signal says to stop; returns the exit status.

    Both signals end the api alone: workers are the scheduler's.
    Raises: InvalidSetting, StorageError, SchemaMismatch, DatabaseUnavailable.
    """
    schema.check(settings.database_url)
    with listening(settings.api.host, settings.api.port) as listener:
        return uvloop.run(_serve(settings, listener, announce))


async def _serve(settings: Settings, listener: socket.socket, announce: Announce) -> int:
    end = End()
    end.listen_for_signals(INTERRUPTED_ALONE)
    database = Database.open(settings.database_url)
    try:
        async with serving(settings, database, catalogue_of(settings), listener) as api:
            settle()
            announce(await api.started())
            how = await end.wait({"http": lambda: api.alive})
        return how.status
    finally:
        await database.close()
