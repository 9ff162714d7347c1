"""The public gRPC server: JobService and PipelineService, health and reflection."""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from videoannotator.api.auth import Callers
from videoannotator.api.operations.assembly import Operations
from videoannotator.api.servicers.calls import CLEANING_SECONDS
from videoannotator.api.servicers.gate import Gate
from videoannotator.api.servicers.jobs import JobServicer
from videoannotator.api.servicers.pipelines import PipelineServicer
from videoannotator.blobs.interface import BlobStore
from videoannotator.rpc.channel import bind, server_options
from videoannotator.settings import Settings
from videoannotator.store.access import Access
from videoannotator.v1 import job_pb2, job_pb2_grpc, pipeline_pb2, pipeline_pb2_grpc

JOBS: str = job_pb2.DESCRIPTOR.services_by_name["JobService"].full_name
PIPELINES: str = pipeline_pb2.DESCRIPTOR.services_by_name["PipelineService"].full_name
#: Full name -> whether strangers may call it, as REST has it.
SERVICES = {JOBS: False, PIPELINES: True}

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
HEALTH_SECONDS = 5.0  # between two looks; a Check looks by itself
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class PublicServer:
    """Listens on one address."""

    def __init__(
        self, operations: Operations, access: Access, settings: Settings, blobs: BlobStore
    ) -> None:
        """On parts that REST uses too, which stay the caller's to close.

        Must be made inside the event loop that it will run in.
        """
        self._operations = operations
        self._gate = Gate(
            Callers(access, required=settings.auth.required), SERVICES, settings.api.max_body_bytes
        )
        options = [*server_options(), ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
        self._server = grpc.aio.server(interceptors=[self._gate], options=options)
        self._health = _Health(operations)
        self._looking: asyncio.Task[None] | None = None
        _register(self._server, operations, blobs, self._health)

    async def start(self, listen: str, credentials: grpc.ServerCredentials | None) -> int:
        """Listens on `listen`, as `host:port` or `unix:/path`; returns the port.

        Without `credentials` nothing is encrypted. Raises: InvalidSetting.
        """
        port = bind(self._server, listen, credentials, "api.grpc_port")
        await self._server.start()
        self._looking = asyncio.create_task(self._health.keep_looking(), name="grpc-health")
        return port

    async def stop(self, grace_seconds: float) -> None:
        """Takes no new calls, ends the streams of watchers, and the rest after the grace.

        Whoever is sent away is told UNAVAILABLE.
        """
        await self._health.servicer.enter_graceful_shutdown()
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        await self._operations.close()
        # The library drops what its handlers do at the end of its own grace; ours ends before.
        stopping = asyncio.ensure_future(self._server.stop(grace_seconds + CLEANING_SECONDS))
        await self._gate.in_hand.end(grace_seconds)
        await self._server.stop(None)  # who watches our health would keep it open
        await stopping


class _Health:
    """Tells of each service what /readyz tells of the process."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self.servicer = _Looking(self.look)

    async def look(self) -> None:
        """Looks once."""
        health_now = await self._operations.system.health(None)
        status = SERVING if health_now.healthy else NOT_SERVING
        for service in ("", *SERVICES):
            await self.servicer.set(service, status)

    async def keep_looking(self) -> None:
        """Looks for those who watch."""
        while True:
            await self.look()
            await asyncio.sleep(HEALTH_SECONDS)


_aio_health: Any = health  # its types lack the asyncio part


class _Looking(_aio_health.aio.HealthServicer):  # type: ignore[misc]
    """Looks before it answers a Check."""

    def __init__(self, look: Any) -> None:
        super().__init__()
        self._look = look

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """As of now."""
        await self._look()
        return await super().Check(request, context)


def _register(
    server: Any, operations: Operations, blobs: BlobStore, health_servicer: _Health
) -> None:
    add_jobs: Any = job_pb2_grpc.add_JobServiceServicer_to_server  # the generated code has no types
    add_pipelines: Any = pipeline_pb2_grpc.add_PipelineServiceServicer_to_server
    add_jobs(JobServicer(operations, blobs), server)
    add_pipelines(PipelineServicer(operations), server)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer.servicer, server)
    names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
