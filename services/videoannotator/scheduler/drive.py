"""Talks to one worker: Describe, Annotate, KeepAlive, Stop.

Puts what it learns into the inbox and writes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass

from videoannotator.domain.errors import (
    Conflict,
    InvalidRequest,
    NotLeader,
    Stopped,
    VideoAnnotatorError,
)
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import AttemptOutcome, Progress
from videoannotator.domain.videos import Probe
from videoannotator.rpc.work import Accepted, Assignment, Completed, LogLine, WorkEvent
from videoannotator.rpc.worker import WorkerClient
from videoannotator.scheduler.inbox import Answered, Finished, Inbox, Message, Moved, Opened, Said
from videoannotator.scheduler.lease import Lease
from videoannotator.scheduler.observed import Ended
from videoannotator.telemetry import get_logger

#: Makes the assignment of a worker, anew for each call.
Assign = Callable[[], Awaitable[Assignment]]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How patiently a worker is called. Seconds."""

    describe_seconds: float = 5.0  #: time limit of one Describe
    keepalive_seconds: float = 15.0  #: between two KeepAlive calls
    stop_seconds: float = 2.0  #: time limit of Stop, which is a courtesy
    again_seconds: float = 0.5  #: before a call that failed is repeated


class Drive:
    """The calls of one leader to one worker. Losing it loses nothing: the next one re-attaches."""

    def __init__(
        self, worker_id: str, client: WorkerClient, lease: Lease, inbox: Inbox, timing: Timing
    ) -> None:
        """Nothing is called before `describe`."""
        self.worker_id = worker_id
        self._client = client
        self._lease = lease
        self._inbox = inbox
        self._timing = timing
        self._tasks: set[asyncio.Task[None]] = set()
        self._probe: Probe | None = None  # the last one told

    def describe(self, identity: str) -> None:
        """Asks what the worker is until it answers; `identity` is the process that is called."""
        self._start(self._describe(identity))

    def attach(self, assign: Assign, renewed_every_seconds: float | None = None) -> None:
        """Annotates, or re-attaches, until the last message; keeps it alive from now on.

        The call is repeated with a new assignment every `renewed_every_seconds`: signed addresses
        end.
        """
        self._start(self._keep_alive())
        self._start(self._annotate(assign, renewed_every_seconds))

    async def stop(self, reason: str) -> None:
        """Asks the worker to end, once, and calls it no more."""
        await self._cancel()
        try:
            self._lease.check()
            await self._client.stop(self._lease.epoch, reason, self._timing.stop_seconds)
        except VideoAnnotatorError as error:
            log.debug("worker.stop_unanswered", worker_id=self.worker_id, reason=error.message)

    async def close(self) -> None:
        """Ends every call; the worker works on."""
        await self._cancel()
        await self._client.close()

    def _start(self, calls: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(calls, name=f"drive {self.worker_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cancel(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _describe(self, identity: str) -> None:
        while self._lease.valid:
            try:
                limit = self._timing.describe_seconds
                told = await self._client.describe(self._lease.epoch, limit)
            except NotLeader:
                return
            except VideoAnnotatorError as error:
                log.debug("worker.silent", worker_id=self.worker_id, reason=error.message)
            else:
                if told.worker_id == self.worker_id:
                    self._tell(Answered(worker_id=self.worker_id, described_by=identity))
                    return
                log.error("worker.stranger", worker_id=self.worker_id, answered=told.worker_id)
            await asyncio.sleep(self._timing.again_seconds)

    async def _keep_alive(self) -> None:
        while self._lease.valid:
            try:
                await self._client.keep_alive(self._lease.epoch, self._timing.describe_seconds)
            except NotLeader:
                return
            except VideoAnnotatorError as error:
                log.debug("worker.silent", worker_id=self.worker_id, reason=error.message)
            else:
                self._tell(Answered(worker_id=self.worker_id), ring=False)
            await asyncio.sleep(self._timing.keepalive_seconds)

    async def _annotate(self, assign: Assign, renewed_every_seconds: float | None) -> None:
        while self._lease.valid:
            try:
                async with asyncio.timeout(renewed_every_seconds):
                    assignment = await assign()
                    calls = self._client.annotate(assignment, self._lease.epoch)
                    if await self._listen(calls):
                        return
            except TimeoutError:
                continue
            except (NotLeader, Stopped):
                return
            except (InvalidRequest, Conflict) as refused:
                self._tell(Finished(worker_id=self.worker_id, ended=_refused(refused)))
                return
            except VideoAnnotatorError as error:
                log.info("worker.stream_lost", worker_id=self.worker_id, reason=error.message)
            await asyncio.sleep(self._timing.again_seconds)

    async def _listen(self, events: AsyncIterator[WorkEvent]) -> bool:
        """Passes on what the worker tells; True after its last message."""
        async with aclosing(events) as told:  # type: ignore[type-var]
            async for event in told:
                if isinstance(event, Accepted):
                    log.info("worker.attached", worker_id=self.worker_id, epoch=self._lease.epoch)
                message = self._message(event)
                self._tell(message, ring=isinstance(message, Finished | Opened))
                if isinstance(message, Finished):
                    return True
        return False

    def _message(self, event: WorkEvent) -> Message:
        worker_id = self.worker_id
        match event:
            # Every attach tells it again; told again here it would count as progress.
            case Accepted(probe=Probe() as probe) if probe != self._probe:
                self._probe = probe
                return Opened(worker_id=worker_id, probe=probe)
            case Progress():
                return Moved(worker_id=worker_id, progress=event)
            case LogLine(told_before=False):
                return Said(worker_id=worker_id, level=event.level, text=event.message)
            case Completed():
                ended = Ended(outcome=AttemptOutcome.COMPLETED)
                return Finished(worker_id=worker_id, ended=ended)
            case Failure():
                ended = Ended(outcome=AttemptOutcome.FAILED, failure=event)
                return Finished(worker_id=worker_id, ended=ended)
            case _:
                return Answered(worker_id=worker_id)

    def _tell(self, message: Message, *, ring: bool = True) -> None:
        self._inbox.put(message, ring=ring)


def _refused(error: VideoAnnotatorError) -> Ended:
    """A worker that will not take this request will not take it later either."""
    failure = Failure(code=Code.REQUEST_ERROR, message=error.message, hint=error.hint)
    return Ended(outcome=AttemptOutcome.FAILED, failure=failure)
