"""The gRPC server of a worker: who may call, what else answers, how it listens."""

from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from videoannotator.domain.errors import InvalidSetting
from videoannotator.inference.service import Service
from videoannotator.inference.servicer import InferenceServicer
from videoannotator.rpc.auth import TokenInterceptor
from videoannotator.rpc.certificates import Certificates
from videoannotator.rpc.channel import KEEPALIVE, Keepalive, bind, server_options
from videoannotator.rpc.tokens import matches
from videoannotator.v1 import inference_pb2, inference_pb2_grpc

SERVICE_NAME: str = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name
LISTEN = "worker.listen"


class WorkerServer:
    """Listens on one address, for InferenceService, health and reflection."""

    def __init__(
        self,
        service: Service,
        token_sha256: str,
        keepalive: Keepalive = KEEPALIVE,
        certificates: Certificates | None = None,
    ) -> None:
        """`token_sha256` is all that the worker knows of its token.

        With `certificates` it speaks TLS, unless on a Unix socket.
        """
        self._certificates = certificates
        guard = TokenInterceptor(lambda token: matches(token, token_sha256), [SERVICE_NAME])
        self._server = grpc.aio.server(interceptors=[guard], options=server_options(keepalive))
        aio_health: Any = health  # its types lack the asyncio part
        self._health = aio_health.aio.HealthServicer()
        _register(self._server, service, self._health)

    async def start(self, listen: str) -> int:
        """Listens on `listen`, as `unix:/path` or `host:port`; returns the port.

        Raises: InvalidSetting.
        """
        credentials = self._certificates.for_server() if self._certificates else None
        try:
            port = bind(self._server, listen, credentials, LISTEN)
        except InvalidSetting as error:
            raise InvalidSetting(
                "The worker cannot listen on its address.",
                hint="A socket's path has at most 107 bytes; a port is free and allowed.",
            ) from error
        await self._server.start()
        serving = health_pb2.HealthCheckResponse.SERVING
        await self._health.set(SERVICE_NAME, serving)
        return port

    async def stop(self, grace_seconds: float) -> None:
        """Takes no new calls, and ends those in hand after the grace."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)


def _register(server: Any, service: Service, health_servicer: Any) -> None:
    register: Any = inference_pb2_grpc.add_InferenceServiceServicer_to_server
    register(InferenceServicer(service), server)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = (SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
