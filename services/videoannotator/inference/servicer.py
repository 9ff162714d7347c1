"""InferenceService as gRPC calls: a thin face of `Service`."""

from collections.abc import AsyncIterator
from typing import Any

from videoannotator.inference.service import Service
from videoannotator.rpc import convert
from videoannotator.rpc.status import answering
from videoannotator.v1 import inference_pb2, inference_pb2_grpc


class InferenceServicer(inference_pb2_grpc.InferenceServiceServicer):
    """Every call shows its epoch first; a call of an old leader changes nothing."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def Describe(  # noqa: N802 - the contract's name
        self, request: inference_pb2.DescribeRequest, context: Any
    ) -> inference_pb2.DescribeResponse:
        """What this worker is."""
        async with answering(context):
            self._service.contact.admit(request.epoch)
        return convert.description_to(self._service.description())

    async def Annotate(  # noqa: N802
        self, request: inference_pb2.AnnotateRequest, context: Any
    ) -> AsyncIterator[inference_pb2.AnnotateResponse]:
        """Starts the work or finds it, and tells how it goes until its end."""
        async with answering(context):
            self._service.contact.admit(request.epoch)
            messages = self._service.annotate(convert.assignment_from(request))
            async for event in messages.follow():
                yield convert.event_to(event)

    async def KeepAlive(  # noqa: N802
        self, request: inference_pb2.KeepAliveRequest, context: Any
    ) -> inference_pb2.KeepAliveResponse:
        """The worker is still wanted."""
        async with answering(context):
            self._service.contact.admit(request.epoch)
        return inference_pb2.KeepAliveResponse(identity=self._service.identity)

    async def Stop(  # noqa: N802
        self, request: inference_pb2.StopRequest, context: Any
    ) -> inference_pb2.StopResponse:
        """The work shall stop and the process end."""
        async with answering(context):
            self._service.contact.admit(request.epoch)
            self._service.stop(request.reason or "asked by the scheduler")
        return inference_pb2.StopResponse()
