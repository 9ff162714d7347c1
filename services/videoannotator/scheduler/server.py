"""The gRPC server of a scheduler: for the api alone, who shows the internal token."""

import socket
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from videoannotator.rpc.auth import TokenInterceptor
from videoannotator.rpc.certificates import Certificates
from videoannotator.rpc.channel import UNIX, bind, server_options
from videoannotator.rpc.tokens import matches
from videoannotator.scheduler.servicer import SERVICE, SchedulerServicer
from videoannotator.v1 import scheduler_pb2_grpc

CALL_GRACE_SECONDS = 0.5
EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - only recognised


class SchedulerServer:
    """Serves SchedulerService, health and reflection; a standby is as healthy as a leader."""

    def __init__(
        self,
        servicer: SchedulerServicer,
        internal_token_sha256: str,
        certificates: Certificates | None,
    ) -> None:
        """Nothing listens before `start`."""
        self._servicer = servicer
        self._expected = internal_token_sha256
        self._certificates = certificates
        self._checks = HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(self, listen: str) -> int:
        """Listens; returns the port, 1 on a Unix socket. Raises: InvalidSetting."""
        guard = TokenInterceptor(lambda token: matches(token, self._expected), [SERVICE])
        server = grpc.aio.server(interceptors=[guard], options=server_options())
        add: Any = scheduler_pb2_grpc.add_SchedulerServiceServicer_to_server  # has no types
        add(self._servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._checks, server)
        await self._checks.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection([SERVICE, reflection.SERVICE_NAME], server)
        credentials = self._certificates.for_server() if self._certificates else None
        port = bind(server, listen, credentials, "scheduler.listen")
        await server.start()
        self._server = server
        return port

    async def stop(self) -> None:
        """Says that it serves no more, and ends; calls under way get a moment."""
        await self._checks.enter_graceful_shutdown()
        if self._server is not None:
            await self._server.stop(CALL_GRACE_SECONDS)


def reachable(listen: str, address: str, port: int) -> str:
    """Where the api dials a scheduler that listens on `listen`, at `port`.

    The socket when it is one; `address` when one is given; else `listen`, with this machine's name
    where that means every address of it.
    """
    if listen.startswith(UNIX):
        return listen
    if address:
        return address
    host = listen.rpartition(":")[0]
    return f"{socket.gethostname() if host in EVERYWHERE else host}:{port}"
