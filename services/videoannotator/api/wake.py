"""The api's side of the SchedulerService: say "look now", ask who waits."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import grpc

from videoannotator.domain.errors import Unavailable, VideoAnnotatorError
from videoannotator.rpc.channel import dial
from videoannotator.rpc.status import error_of
from videoannotator.store.leader import Leader
from videoannotator.telemetry import log
from videoannotator.v1 import scheduler_pb2
from videoannotator.v1.scheduler_pb2_grpc import SchedulerServiceStub

WAKE_SECONDS = 1.0  # a lost wake costs a delay and nothing else: the scheduler looks by itself
QUEUE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A run that waits."""

    run_id: str
    job_id: str
    owner_id: str
    pipeline: str
    position: int  #: from 1
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A worker that holds a slot."""

    worker_id: str
    run_id: str
    job_id: str
    owner_id: str
    pipeline: str
    state: str
    since: datetime
    gpus: int
    unproven_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Who waits for what, and what is in use, at one moment."""

    waiting: tuple[Waiting, ...]
    slots: tuple[Slot, ...]
    max_workers: int
    max_gpu_workers: int
    epoch: int
    draining: bool
    ticked_at: datetime | None  #: when the scheduler last looked at everything


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
        return queue_of(answer)

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


def queue_of(answer: scheduler_pb2.GetQueueResponse) -> Queue:
    """The scheduler's answer as records."""
    return Queue(
        waiting=tuple(_waiting(each) for each in answer.waiting),
        slots=tuple(_slot(each) for each in answer.slots),
        max_workers=answer.max_workers,
        max_gpu_workers=answer.max_gpu_workers,
        epoch=answer.epoch,
        draining=answer.draining,
        ticked_at=answer.ticked_at.ToDatetime(UTC) if answer.HasField("ticked_at") else None,
    )


def _waiting(message: scheduler_pb2.WaitingRun) -> Waiting:
    return Waiting(
        run_id=message.run_id,
        job_id=message.job_id,
        owner_id=message.owner_id,
        pipeline=message.pipeline,
        position=message.position,
        reason=message.reason,
    )


def _slot(message: scheduler_pb2.SlotUse) -> Slot:
    unproven = message.unproven_since.ToDatetime(UTC)
    return Slot(
        worker_id=message.worker_id,
        run_id=message.run_id,
        job_id=message.job_id,
        owner_id=message.owner_id,
        pipeline=message.pipeline,
        state=message.state,
        since=message.since.ToDatetime(UTC),
        gpus=message.gpus,
        unproven_since=unproven if message.HasField("unproven_since") else None,
    )
