"""A worker and the calls to it, without a process or a wire between them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from videoannotator.domain.errors import NotLeader, VideoAnnotatorError, WorkerUnreachable
from videoannotator.domain.failures import Failure
from videoannotator.rpc.work import (
    Accepted,
    Assignment,
    Completed,
    Description,
    LogLine,
    WorkEvent,
)

#: Stands between what a stream tells and its loss.
CUT = WorkerUnreachable("The stream broke.")


@dataclass
class FakeWorker:
    """What a worker remembers: what it told so far is told again to every new stream."""

    worker_id: str = "w1"
    epoch: int = 0
    attempt: int = 0
    silent: bool = False  #: it answers nothing
    refusal: VideoAnnotatorError | None = None  #: what it says to Annotate
    told: list[WorkEvent] = field(default_factory=lambda: [Accepted(device="cpu")])
    calls: list[str] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    stopped_for: str | None = None
    streams: set[asyncio.Queue[WorkEvent | VideoAnnotatorError]] = field(default_factory=set)

    def hear(self, call: str, epoch: int) -> None:
        """A call arrives. Raises: WorkerUnreachable, NotLeader."""
        self.calls.append(call)
        if self.silent:
            raise WorkerUnreachable
        if epoch < self.epoch:
            raise NotLeader
        self.epoch = epoch

    def tell(self, event: WorkEvent) -> None:
        """Tells something to every stream that is open, and to all later ones."""
        self.told.append(event)
        for stream in self.streams:
            stream.put_nowait(event)

    def cut(self) -> None:
        """Every open stream breaks; the work goes on."""
        for stream in self.streams:
            stream.put_nowait(CUT)


class FakeWorkerClient:
    """The channel of one leader to a worker."""

    def __init__(self, worker: FakeWorker) -> None:
        self.worker = worker
        self.closed = False

    async def describe(self, epoch: int, timeout_seconds: float) -> Description:
        self.worker.hear("Describe", epoch)
        return Description(
            worker_id=self.worker.worker_id,
            pipeline="p",
            pipeline_version="1",
            product_version="1",
            identity="p1",
            attempt=self.worker.attempt,
        )

    async def annotate(self, assignment: Assignment, epoch: int) -> AsyncIterator[WorkEvent]:
        worker = self.worker
        worker.hear("Annotate", epoch)
        if worker.refusal is not None:
            raise worker.refusal
        worker.attempt = assignment.attempt
        worker.assignments.append(assignment)
        stream: asyncio.Queue[WorkEvent | VideoAnnotatorError] = asyncio.Queue()
        told_before, known = worker.calls.count("Annotate") > 1, list(worker.told)
        worker.streams.add(stream)
        try:
            for event in known:
                again = told_before and isinstance(event, LogLine)
                yield replace(event, told_before=True) if again else event
            while not isinstance(worker.told[-1], Completed | Failure) or not stream.empty():
                news = await stream.get()
                if isinstance(news, VideoAnnotatorError):
                    raise news
                yield news
        finally:
            worker.streams.discard(stream)

    async def keep_alive(self, epoch: int, timeout_seconds: float) -> str:
        self.worker.hear("KeepAlive", epoch)
        return "p1"

    async def stop(self, epoch: int, reason: str, timeout_seconds: float) -> None:
        self.worker.hear("Stop", epoch)
        self.worker.stopped_for = reason

    async def close(self) -> None:
        self.closed = True
