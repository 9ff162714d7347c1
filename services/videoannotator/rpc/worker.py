"""How a scheduler calls one worker: the rpcs of InferenceService in records and domain errors."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc

from videoannotator.domain.errors import Unavailable, VideoAnnotatorError, WorkerUnreachable
from videoannotator.rpc import convert
from videoannotator.rpc.certificates import Certificates
from videoannotator.rpc.channel import KEEPALIVE, Keepalive, dial
from videoannotator.rpc.status import error_of
from videoannotator.rpc.work import Assignment, Description, WorkEvent
from videoannotator.v1 import inference_pb2, inference_pb2_grpc


class WorkerClient:
    """One channel to one worker.

    Every method raises WorkerUnreachable when nothing answers in time, NotLeader when the worker
    has seen a higher epoch, Unauthenticated when the token is not its own. A cancelled call is
    cancelled, not an error.
    """

    def __init__(
        self,
        target: str,
        token: str,
        keepalive: Keepalive = KEEPALIVE,
        certificates: Certificates | None = None,
    ) -> None:
        """`target` is as `unix:/path` or `host:port`; nothing is dialled before the first call.

        With `certificates` it speaks TLS over TCP.
        """
        self._channel = dial(target, token, keepalive, certificates)
        stub: Any = inference_pb2_grpc.InferenceServiceStub  # the generated code has no types
        self._stub = stub(self._channel)

    async def describe(self, epoch: int, timeout_seconds: float) -> Description:
        """What the worker is."""
        request = inference_pb2.DescribeRequest(epoch=epoch)
        answer = await _answered(self._stub.Describe(request, timeout=timeout_seconds))
        return convert.description_from(answer)

    async def annotate(self, assignment: Assignment, epoch: int) -> AsyncIterator[WorkEvent]:
        """Starts the work or re-attaches to it: Accepted first, Completed or Failure last.

        Leaving the iteration leaves the work alone. Raises: Conflict when the worker serves another
        attempt, Stopped when it was asked to stop.
        """
        call = self._stub.Annotate(convert.assignment_to(assignment, epoch))
        try:
            async for message in call:
                event = convert.event_from(message)
                if event is not None:
                    yield event
        except grpc.aio.AioRpcError as error:
            raise reason_of(error) from error
        finally:
            call.cancel()

    async def keep_alive(self, epoch: int, timeout_seconds: float) -> str:
        """Tells that the worker is still wanted. Returns its identity."""
        request = inference_pb2.KeepAliveRequest(epoch=epoch)
        answer = await _answered(self._stub.KeepAlive(request, timeout=timeout_seconds))
        return str(answer.identity)

    async def stop(self, epoch: int, reason: str, timeout_seconds: float) -> None:
        """Asks the work to stop and the process to end; does not wait for either."""
        request = inference_pb2.StopRequest(epoch=epoch, reason=reason)
        await _answered(self._stub.Stop(request, timeout=timeout_seconds))

    async def close(self) -> None:
        """Ends the channel and every stream on it; the work goes on."""
        await self._channel.close(None)


async def _answered(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise reason_of(error) from error


def reason_of(error: grpc.aio.AioRpcError) -> VideoAnnotatorError:
    """What a failed call to a worker means: no answer is WorkerUnreachable."""
    reason = error_of(error)
    if type(reason) is Unavailable:
        return WorkerUnreachable(hint="The scheduler looks again.")
    return reason
