"""The api's side of the SchedulerService: say "look now", ask who waits."""

import asyncio
from typing import Any, Protocol

import grpc

from videoannotator.domain.errors import Unavailable, VideoAnnotatorError
from videoannotator.rpc.channel import dial
from videoannotator.rpc.queue import Queue, queue_from
from videoannotator.rpc.status import error_of
from videoannotator.store.leader import Leader
from videoannotator.telemetry import log
from videoannotator.v1 import scheduler_pb2
from videoannotator.v1.scheduler_pb2_grpc import SchedulerServiceStub

WAKE_SECONDS = 1.0  # a lost wake costs a delay and nothing else: the scheduler looks by itself
QUEUE_SECONDS = 3.0


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

    def __init__(self, leader: Leader, token: str) -> None:
        """`token` is the internal one that api and scheduler share."""
        self._leader = leader
        self._token = token
        self._waking: asyncio.Task[None] | None = None
        self._again = False
        self._address = ""
        self._channel: grpc.aio.Channel | None = None

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
            except (grpc.aio.AioRpcError, VideoAnnotatorError) as error:
                log.debug("wake_failed", reason=str(error))

    async def queue(self) -> Queue:
        """Queue and capacity. Raises: Unavailable."""
        stub = await self._stub()
        try:
            answer = await stub.GetQueue(scheduler_pb2.GetQueueRequest(), timeout=QUEUE_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Unavailable("The scheduler does not answer.") from error_of(error)
        return queue_from(answer)

    async def _stub(self) -> Any:
        address = (await self._leader.read()).address
        if not address:
            raise Unavailable("No scheduler leads at the moment.")
        if address != self._address or self._channel is None:
            await self._hang_up()
            self._address, self._channel = address, dial(address, self._token)
        stub: Any = SchedulerServiceStub
        return stub(self._channel)

    async def _hang_up(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(grace=None)

    async def close(self) -> None:
        """Ends what is under way."""
        self._again = False
        if self._waking is not None:  # it ends within its deadline
            await asyncio.wait([self._waking])
        await self._hang_up()
