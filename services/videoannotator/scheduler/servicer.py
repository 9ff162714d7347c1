"""SchedulerService: the api says "look now", and asks who waits for what."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from videoannotator.domain.errors import NotLeader
from videoannotator.domain.jobs import RunState, Worker, WorkerState
from videoannotator.rpc.queue import Queue, Slot, Waiting, queue_to
from videoannotator.rpc.status import abort
from videoannotator.scheduler.policy import Policy
from videoannotator.store.rows import JobRows
from videoannotator.v1 import scheduler_pb2, scheduler_pb2_grpc

SERVICE = "videoannotator.v1.SchedulerService"


class Leading(Protocol):
    """What is asked of the loop."""

    rows: tuple[JobRows, ...]
    draining: bool
    ticked_at: datetime | None
    trouble: str

    @property
    def epoch(self) -> int:
        """Number of the leadership."""


class SchedulerServicer(scheduler_pb2_grpc.SchedulerServiceServicer):
    """Answers from the loop's last look; a standby answers NotLeader."""

    def __init__(
        self, wake: Callable[[], None], leading: Callable[[], Leading | None], policy: Policy
    ) -> None:
        """`leading` gives the loop, None on a standby."""
        self._wake = wake
        self._leading = leading
        self._policy = policy

    async def Wake(self, request: Any, context: Any) -> scheduler_pb2.WakeResponse:  # noqa: N802
        """Rings the bell."""
        self._wake()
        return scheduler_pb2.WakeResponse()

    async def GetQueue(  # noqa: N802
        self, request: Any, context: Any
    ) -> scheduler_pb2.GetQueueResponse:
        """Queue and capacity as of the last look."""
        loop = self._leading()
        if loop is None or loop.ticked_at is None:
            await abort(context, NotLeader())
            raise AssertionError("abort does not return")
        return queue_to(queue(loop, self._policy))


def queue(loop: Leading, policy: Policy) -> Queue:
    """Queue and capacity as of the last look of `loop`."""
    return Queue(
        waiting=tuple(waiting_runs(loop.rows)),
        slots=tuple(slots(loop.rows)),
        max_workers=policy.max_workers,
        max_gpu_workers=policy.max_gpu_workers,
        epoch=loop.epoch,
        draining=loop.draining,
        ticked_at=loop.ticked_at,
        trouble=loop.trouble,
    )


def waiting_runs(rows: tuple[JobRows, ...]) -> list[Waiting]:
    """The runs that wait, first to go first."""
    found = [
        Waiting(
            run_id=run.id,
            job_id=job.job.id,
            owner_id=job.job.owner_id,
            pipeline=run.pipeline,
            position=run.queue_position or 0,
            reason=run.waiting_reason,
        )
        for job in rows
        for run in job.runs
        if run.state is RunState.PENDING and not job.job.wants.stop
    ]
    return sorted(found, key=lambda one: one.position or len(found) + 1)


def slots(rows: tuple[JobRows, ...]) -> list[Slot]:
    """The workers that hold a slot, oldest first."""
    found = [
        (worker, job, run)
        for job in rows
        for worker in job.workers
        if worker.charged
        for run in job.runs
        if run.id == worker.run_id
    ]
    return [
        Slot(
            worker_id=worker.id,
            run_id=run.id,
            job_id=job.job.id,
            owner_id=job.job.owner_id,
            pipeline=run.pipeline,
            state=worker.state.value,
            since=since(worker),
            gpus=worker.resources.gpus,
            unproven_since=worker.unproven_since,
        )
        for worker, job, run in sorted(found, key=lambda one: one[0].created_at)
    ]


def since(worker: Worker) -> datetime:
    """When a worker came into its state."""
    times = {WorkerState.UP: worker.up_at, WorkerState.STOPPING: worker.stopping_at}
    return times.get(worker.state) or worker.created_at
