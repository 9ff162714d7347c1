"""Queue and capacity, as records and as messages: what the scheduler tells the api."""

from dataclasses import dataclass
from datetime import UTC, datetime

from videoannotator.rpc.well_known import timestamp_to
from videoannotator.v1 import scheduler_pb2


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
    #: why workers can be neither seen nor started now, for people; empty: they can
    trouble: str = ""


def queue_to(queue: Queue) -> scheduler_pb2.GetQueueResponse:
    """As a message."""
    return scheduler_pb2.GetQueueResponse(
        waiting=[_waiting_to(each) for each in queue.waiting],
        slots=[_slot_to(each) for each in queue.slots],
        max_workers=queue.max_workers,
        max_gpu_workers=queue.max_gpu_workers,
        epoch=queue.epoch,
        draining=queue.draining,
        ticked_at=timestamp_to(queue.ticked_at),
        trouble=queue.trouble,
    )


def queue_from(message: scheduler_pb2.GetQueueResponse) -> Queue:
    """As records."""
    return Queue(
        waiting=tuple(_waiting_from(each) for each in message.waiting),
        slots=tuple(_slot_from(each) for each in message.slots),
        max_workers=message.max_workers,
        max_gpu_workers=message.max_gpu_workers,
        epoch=message.epoch,
        draining=message.draining,
        ticked_at=message.ticked_at.ToDatetime(UTC) if message.HasField("ticked_at") else None,
        trouble=message.trouble,
    )


def _waiting_to(waiting: Waiting) -> scheduler_pb2.WaitingRun:
    return scheduler_pb2.WaitingRun(
        run_id=waiting.run_id,
        job_id=waiting.job_id,
        owner_id=waiting.owner_id,
        pipeline=waiting.pipeline,
        position=waiting.position,
        reason=waiting.reason,
    )


def _waiting_from(message: scheduler_pb2.WaitingRun) -> Waiting:
    return Waiting(
        run_id=message.run_id,
        job_id=message.job_id,
        owner_id=message.owner_id,
        pipeline=message.pipeline,
        position=message.position,
        reason=message.reason,
    )


def _slot_to(slot: Slot) -> scheduler_pb2.SlotUse:
    return scheduler_pb2.SlotUse(
        worker_id=slot.worker_id,
        run_id=slot.run_id,
        job_id=slot.job_id,
        owner_id=slot.owner_id,
        pipeline=slot.pipeline,
        state=slot.state,
        since=timestamp_to(slot.since),
        gpus=slot.gpus,
        unproven_since=timestamp_to(slot.unproven_since),
    )


def _slot_from(message: scheduler_pb2.SlotUse) -> Slot:
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
