"""Carries actions out: rows in a transaction of this epoch, calls while the lease is valid."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from videoannotator.blobs import keys
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.errors import (
    Forbidden,
    NotLeader,
    PipelineNotFound,
    StorageError,
    Unavailable,
    VideoAnnotatorError,
)
from videoannotator.domain.jobs import Worker
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.rpc.tokens import worker_token
from videoannotator.rpc.work import Assignment
from videoannotator.rpc.worker import WorkerClient
from videoannotator.scheduler import accounting, changes
from videoannotator.scheduler.actions import (
    Action,
    Attach,
    Call,
    Create,
    Dismiss,
    Examine,
    Launch,
    Purge,
    Terminate,
    Wait,
)
from videoannotator.scheduler.creating import FAILURES, create_ended
from videoannotator.scheduler.drive import Drive, Timing
from videoannotator.scheduler.examine import Place, examine
from videoannotator.scheduler.inbox import CreateEnded, ExamineEnded, Inbox, TerminateEnded
from videoannotator.scheduler.launchers.interface import Launcher, Stray
from videoannotator.scheduler.lease import Lease
from videoannotator.scheduler.log_tail import readable
from videoannotator.scheduler.places import Places
from videoannotator.scheduler.policy import Policy
from videoannotator.scheduler.reconcile import purgeable
from videoannotator.scheduler.sweep import Sweeper
from videoannotator.scheduler.view import View
from videoannotator.scheduler.waiting import gpus_of
from videoannotator.scheduler.worker_body import Draft, WorkerTemplate, new_worker, new_worker_id
from videoannotator.store.rows import Changes, JobRows
from videoannotator.store.schedule import Schedule
from videoannotator.store.videos import Videos
from videoannotator.telemetry import get_logger
from videoannotator.telemetry.metrics import LAUNCH_ERRORS

SEND_WITHIN_SECONDS = 15.0  # a create leaves within this time after it was recorded, or is redone
LOG_TAIL_LINES = 20
REPORTED = "the run has ended"

#: A worker that could not be ended now is ended at another look.
UNANSWERED = (StorageError, Unavailable, Forbidden)

log = get_logger(__name__)


#: Makes the client of a worker from its address and token; tests give another.
Dial = Callable[[str, str], WorkerClient]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the scheduler works with."""

    schedule: Schedule
    videos: Videos
    blobs: BlobStore
    places: Places
    launcher: Launcher
    catalogue: Catalogue
    template: WorkerTemplate
    policy: Policy
    timing: Timing = field(default_factory=Timing)
    dial: Dial = WorkerClient
    sweep_seconds: float = 30.0


class Shell:
    """One leadership's hands."""

    def __init__(self, parts: Parts, lease: Lease, inbox: Inbox, view: View) -> None:
        """Acts under the epoch of `lease`."""
        self._parts = parts
        self._lease = lease
        self._inbox = inbox
        self._view = view
        self.sweeper = Sweeper(
            parts.blobs,
            parts.videos,
            parts.sweep_seconds,
            late_write_seconds=parts.places.late_write_seconds,
        )
        self._drives: dict[str, Drive] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._clearing: asyncio.Task[None] | None = None

    async def carry_out(self, action: Action, rows: JobRows, now: datetime) -> bool:
        """Does one step; True when it changed rows, so that a new look is worth while.

        Raises: NotLeader.
        """
        match action:
            case Launch():
                return await self._launch(action, rows, now)
            case Create():
                return await self._create(action, rows)
            case Call():
                self._call(action)
            case Attach():
                self._attach(action, rows)
            case Dismiss():
                self._dismiss(action)
            case Terminate():
                self._terminate(action, rows)
            case Examine():
                self._examine(action, rows)
            case Purge():
                return await self._purge(rows)
            case Wait():
                pass  # told for all at once
            case _:
                return await self._decide(action, now)
        return False

    # --- rows

    async def _decide(self, action: Action, now: datetime) -> bool:
        """Changes rows as `changes.decide` says."""
        dice = random.random()  # noqa: S311 - it spreads retries, it guards nothing
        retry = self._parts.policy.retry
        made = await self._change(
            action.job_id, lambda rows, _: changes.decide(action, rows, retry, now, dice)
        )
        return made is not None

    async def _change(
        self, job_id: str, decide: Callable[[JobRows, datetime], Changes | None]
    ) -> Changes | None:
        """Writes what is decided on the locked rows, at the database's time under the lock."""
        self._lease.check()
        async with self._parts.schedule.transaction(self._lease.epoch) as transaction:
            rows = await transaction.job(job_id)
            made = None if rows is None else decide(rows, transaction.now)
            if rows is not None and made is not None:
                await transaction.write(rows, made)
        if rows is not None and made is not None:
            accounting.tell(rows, made, transaction.now)
        return made

    async def _launch(self, action: Launch, seen: JobRows, now: datetime) -> bool:
        run = changes.run_of(seen, action.run_id)
        if run is None:
            return False
        try:
            spec = self._parts.catalogue.get(run.pipeline)
        except PipelineNotFound:
            log.error("run.pipeline_unknown", run_id=run.id, pipeline=run.pipeline)
            return False
        draft = Draft(
            worker_id=new_worker_id(),
            rows=seen,
            run=run,
            attempt=changes.next_attempt(seen, run.id),
            epoch=self._lease.epoch,
            spec=spec,
        )
        worker = new_worker(self._parts.template, draft, action.gpus, now)
        gpus = gpus_of(run.pipeline, run.resources, self._parts.policy)
        worker = replace(worker, resources=replace(run.resources, gpus=gpus))
        made = await self._change(action.job_id, lambda rows, _: _first(rows, worker, now))
        return made is not None

    async def tell_waiting(self, waits: Sequence[Wait]) -> None:
        """Writes why runs wait, all in one transaction: one launch moves up everybody behind it."""
        if not waits:
            return
        told = [(each.run_id, each.reason, each.position) for each in waits]
        self._lease.check()
        async with self._parts.schedule.transaction(self._lease.epoch) as transaction:
            await transaction.all_waiting(told)

    async def _purge(self, rows: JobRows) -> bool:
        """Bytes first: when this is cut short the rows are still there to say what must go."""
        if not purgeable(rows):
            return False
        self._lease.check()
        folder = keys.job_folder(rows.job.owner_id, rows.job.id)
        await self._parts.blobs.delete_prefix(folder)
        await self.sweeper.delete_again(rows.job.owner_id, rows.job.id)
        for worker in rows.workers:
            await self._parts.launcher.forget(worker.id)
        async with self._parts.schedule.transaction(self._lease.epoch) as transaction:
            await transaction.purge(rows.job.id)
        self.sweeper.soon()
        return True

    # --- workers

    async def _create(self, action: Create, seen: JobRows) -> bool:
        # Not the tick's time: the tick may have begun long ago, and GONE counts from the record.
        recorded_at = self._lease.now()
        made = await self._change(
            action.job_id, lambda rows, at: changes.before_create(rows, action.worker_id, at)
        )
        if made is None:
            return False
        worker = made.workers[0]
        self._view.busy.add(worker.id)
        self._start(self._send_create(seen, worker, recorded_at))
        return False

    async def _send_create(self, rows: JobRows, worker: Worker, recorded_at: float) -> None:
        ended = CreateEnded(worker_id=worker.id)
        latest = recorded_at + SEND_WITHIN_SECONDS - self._parts.launcher.leaves_within_seconds
        try:
            self._lease.check()
            await self._parts.places.prepare(rows, worker)
            self._lease.check()
            if self._lease.now() < latest:
                await self._parts.launcher.create(worker)
                ended = CreateEnded(worker_id=worker.id, landed=True)
            else:
                ended = CreateEnded(worker_id=worker.id, again_after_seconds=0.0)
        except NotLeader:
            return
        except FAILURES as error:
            ended = create_ended(worker.id, error)
            LAUNCH_ERRORS.labels(type(error).__name__).inc()
            log.warning("worker.create_failed", worker_id=worker.id, reason=error.message)
        finally:
            self._inbox.put(ended)

    def _call(self, action: Call) -> None:
        token = worker_token(self._parts.template.key, action.worker_id)
        client = self._parts.dial(action.address, token)
        drive = Drive(action.worker_id, client, self._lease, self._inbox, self._parts.timing)
        before = self._drives.pop(action.worker_id, None)
        if before is not None:  # to another process of the worker, which is not called any more
            self._start(before.close())
        self._drives[action.worker_id] = drive
        self._view.called(action.worker_id, action.identity)
        drive.describe(action.identity)

    def _attach(self, action: Attach, rows: JobRows) -> None:
        drive = self._drives.get(action.worker_id)
        worker = changes.worker_of(rows, action.worker_id)
        if drive is None or worker is None:
            return
        renewed = self._parts.places.renewed_every_seconds
        drive.attach(lambda: self._assignment(rows, worker), renewed)
        self._view.attached(action.worker_id)

    async def _assignment(self, rows: JobRows, worker: Worker) -> Assignment:
        at = await self._parts.places.of(rows, worker)
        run = next(run for run in rows.runs if run.id == worker.run_id)
        return Assignment(
            run_id=run.id,
            attempt=worker.attempt,
            pipeline=run.pipeline,
            parameters=run.parameters,
            ignored_parameters=run.ignored_parameters,
            retries=worker.attempt - 1,
            video_id=rows.video.id,
            path=at.path,
            url=at.url,
            sha256=rows.video.sha256,
            size_bytes=rows.video.size_bytes,
            directory=at.directory,
            signed=at.signed,
            manifest_url=at.manifest_url,
        )

    def _dismiss(self, action: Dismiss) -> None:
        drive = self._drives.pop(action.worker_id, None)
        if drive is not None:
            self._view.busy.add(action.worker_id)
            self._start(self._send_dismiss(action.worker_id, drive))

    async def _send_dismiss(self, worker_id: str, drive: Drive) -> None:
        try:
            await drive.stop(REPORTED)
            await drive.close()
        finally:
            self._inbox.put(TerminateEnded(worker_id=worker_id), ring=False)

    def _terminate(self, action: Terminate, rows: JobRows) -> None:
        worker = changes.worker_of(rows, action.worker_id)
        if worker is not None:
            self._view.busy.add(worker.id)
            self._start(self._send_terminate(worker))

    async def _send_terminate(self, worker: Worker) -> None:
        drive = self._drives.pop(worker.id, None)
        try:
            if drive is not None:
                await drive.stop(worker.failure.code if worker.failure else REPORTED)
                await drive.close()
            self._lease.check()
            await self._parts.launcher.terminate(worker)
        except NotLeader:
            return
        except UNANSWERED as error:
            log.warning("worker.terminate_failed", worker_id=worker.id, reason=error.message)
        finally:
            self._inbox.put(TerminateEnded(worker_id=worker.id), ring=False)

    def _examine(self, action: Examine, rows: JobRows) -> None:
        run = changes.run_of(rows, action.run_id)
        worker = changes.worker_of(rows, action.worker_id)
        if run is not None and worker is not None:
            place = Place(owner_id=rows.job.owner_id, run=run, attempt=action.attempt)
            self._view.examining.add((run.id, action.attempt))
            self._start(self._look_for_manifest(place, worker))

    async def _look_for_manifest(self, place: Place, worker: Worker) -> None:
        found = None
        try:
            found = await examine(self._parts.blobs, place)
            if not found.found:
                lines = await self._parts.launcher.logs(worker, LOG_TAIL_LINES)
                found = replace(found, log_tail=readable(lines, LOG_TAIL_LINES))
        except VideoAnnotatorError as error:
            log.warning("result.unreadable", run_id=place.run.id, reason=error.message)
            await asyncio.sleep(1.0)  # before the next look
        finally:
            key = (place.run.id, place.attempt)
            self._inbox.put(ExamineEnded(worker_id=worker.id, key=key, examined=found))

    def clear(self, strays: Sequence[Stray]) -> None:
        """Ends and removes what is left of workers that are GONE; one such task at a time."""
        if strays and (self._clearing is None or self._clearing.done()):
            self._clearing = self._start(self._clear([stray.worker_id for stray in strays]))

    async def _clear(self, worker_ids: list[str]) -> None:
        try:
            for worker_id in worker_ids:
                self._lease.check()
                await self._parts.launcher.clear(worker_id)
        except NotLeader:
            return
        except UNANSWERED as error:
            log.warning("worker.remains_kept", reason=error.message)

    # --- the end

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def release(self, worker_id: str) -> None:
        """Ends the calls to a worker that is no longer this leader's business."""
        drive = self._drives.pop(worker_id, None)
        if drive is not None:
            await drive.close()

    async def close(self) -> None:
        """Ends every call and task; workers run on."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for worker_id in tuple(self._drives):
            await self.release(worker_id)


def _first(rows: JobRows, worker: Worker, now: datetime) -> Changes | None:
    """The launch, unless somebody opened the same attempt meanwhile."""
    if changes.next_attempt(rows, worker.run_id) != worker.attempt:
        return None
    return changes.launch(rows, worker, now)
