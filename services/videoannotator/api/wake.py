"""The api's side of the SchedulerService: say "look now", ask who waits."""

import asyncio
import time
from typing import Any, Protocol

import grpc

from videoannotator.domain.errors import Unavailable, VideoAnnotatorError
from videoannotator.rpc.certificates import Certificates, is_refusal
from videoannotator.rpc.channel import dial
from videoannotator.rpc.queue import Queue, queue_from
from videoannotator.rpc.status import error_of
from videoannotator.store.leader import Leader
from videoannotator.telemetry import log
from videoannotator.v1 import scheduler_pb2
from videoannotator.v1.scheduler_pb2_grpc import SchedulerServiceStub

#: After a wake. Many submits at once would otherwise ask who leads as often as they submit.
WAKE_PAUSE_SECONDS = 0.05
WAKE_SECONDS = 1.0  # a lost wake costs a delay and nothing else: the scheduler looks by itself
QUEUE_SECONDS = 3.0
#: Between two calls for the queue. A takeover after an orderly stop is over before they give up.
AGAIN_SECONDS = 0.1


class SchedulerClient(Protocol):
    """What the api asks of the scheduler."""

    def wake(self) -> None:
        """Says "look now" and does not wait."""

    async def queue(self) -> Queue:
        """Queue and capacity. Raises: Unavailable."""

    async def close(self) -> None:
        """Ends what is under way."""


class LeaderClient:
    """Calls the scheduler that leads; its address is in the leader row."""

    def __init__(
        self, leader: Leader, token: str, certificates: Certificates | None = None
    ) -> None:
        """`token` is the internal one that api and scheduler share."""
        self._leader = leader
        self._token = token
        self._certificates = certificates
        self._waking: asyncio.Task[None] | None = None
        self._again = False
        self._address = ""
        self._channel: grpc.aio.Channel | None = None
        self._hanging_up: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Says "look now" and does not wait; many at once become one."""
        self._again = True
        if self._waking is None or self._waking.done():
            self._waking = asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        while self._again:
            self._again = False
            try:
                stub = await self._stub()
                await stub.Wake(scheduler_pb2.WakeRequest(), timeout=WAKE_SECONDS)
            except grpc.aio.AioRpcError as error:
                _tell(error)
            except VideoAnnotatorError as error:
                log.debug("wake_failed", reason=error.message)
            await asyncio.sleep(WAKE_PAUSE_SECONDS)

    async def queue(self) -> Queue:
        """Queue and capacity, of the leader of this moment. Raises: Unavailable.

        Asks again for a while: right after a takeover the row may name one who is gone, or one who
        has not looked yet.
        """
        deadline = time.monotonic() + QUEUE_SECONDS
        while True:
            try:
                return await self._queue(max(deadline - time.monotonic(), AGAIN_SECONDS))
            except Unavailable:
                if time.monotonic() + AGAIN_SECONDS >= deadline:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)

    async def _queue(self, seconds: float) -> Queue:
        stub = await self._stub()
        try:
            answer = await stub.GetQueue(scheduler_pb2.GetQueueRequest(), timeout=seconds)
        except grpc.aio.AioRpcError as error:
            _tell(error)
            raise _reason(error) from error_of(error)
        return queue_from(answer)

    async def _stub(self) -> Any:
        address = (await self._leader.read()).address
        if not address:
            raise Unavailable("No scheduler leads at the moment.")
        if address != self._address or self._channel is None:
            self._hang_up()
            self._address = address
            self._channel = dial(address, self._token, certificates=self._certificates)
        stub: Any = SchedulerServiceStub
        return stub(self._channel)

    def _hang_up(self) -> None:
        """Ends the channel when its calls have ended: others may still wait for an answer."""
        channel, self._channel = self._channel, None
        if channel is not None:
            task = asyncio.get_running_loop().create_task(channel.close(grace=QUEUE_SECONDS))
            self._hanging_up.add(task)
            task.add_done_callback(self._hanging_up.discard)

    async def close(self) -> None:
        """Ends what is under way."""
        self._again = False
        if self._waking is not None:  # it ends within its deadline
            await asyncio.wait([self._waking])
        self._hang_up()
        await asyncio.gather(*self._hanging_up)


def _tell(error: grpc.aio.AioRpcError) -> None:
    """For the operator; a wrong certificate does not mend itself."""
    if is_refusal(error):
        log.error("scheduler_not_trusted", reason=error.details())
    else:
        log.debug("scheduler_not_reached", reason=error.details())


def _reason(error: grpc.aio.AioRpcError) -> Unavailable:
    """For the user."""
    if is_refusal(error):
        return Unavailable(
            "Api and scheduler do not trust each other's certificate.",
            hint="An operator compares ca.crt of the api with tls.crt of the scheduler, and the "
            "name in it with VIDEOANNOTATOR_RPC__SERVER_NAME.",
        )
    return Unavailable("The scheduler does not answer.")
