"""What the scheduler reads and writes: a snapshot, and transactions of the leader alone."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import Select, and_, bindparam, insert, or_, select, union, update
from sqlalchemy.exc import IntegrityError

from videoannotator.domain.errors import IllegalTransition, JobNotFound
from videoannotator.domain.jobs import (
    RUN_FINAL,
    Attempt,
    Progress,
    Run,
    RunState,
    Worker,
    WorkerState,
    check_run,
    check_worker,
)
from videoannotator.domain.videos import Video
from videoannotator.store import tables as t
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.engine import Database
from videoannotator.store.events import NewEvent, append, log_event, state_events
from videoannotator.store.leader import hold_epoch, read_leadership
from videoannotator.store.purging import purge_job
from videoannotator.store.reading import clock, read_job, read_jobs
from videoannotator.store.records import (
    artifact_values,
    attempt_values,
    probe_document,
    progress_document,
    run_values,
    worker_values,
)
from videoannotator.store.rows import Changes, JobRows, Snapshot
from videoannotator.store.settling import lock_job, settle

__all__ = ["Changes", "JobRows", "Schedule", "SchedulerTransaction", "Snapshot"]

RUN_FIXED = {"id", "job_id", "position", "pipeline", "parameters", "ignored_parameters"}
RUN_FIXED |= {"created_at"}
# `abandon_requested_at` is the api's: one writer per column.
WORKER_FIXED = {"id", "run_id", "job_id", "attempt", "created_at", "abandon_requested_at"}
OPEN_RUNS = [state for state in RunState if state not in RUN_FINAL]
LIVING = [state for state in WorkerState if state is not WorkerState.GONE]
#: For many runs at once.
WAITS = (
    update(t.runs)
    # Not IN: its list is written out for each execution, which is not possible for many at once.
    .where(t.runs.c.id == bindparam("run"), or_(*(t.runs.c.state == state for state in OPEN_RUNS)))
    .values(waiting_reason=bindparam("reason"), queue_position=bindparam("place"))
)


class Schedule:
    """The scheduler's view of the database."""

    def __init__(self, database: Database) -> None:
        """Reads and writes `database`."""
        self._database = database

    async def snapshot(self) -> Snapshot:
        """All that needs a look, as of one moment, in a fixed number of queries."""
        async with self._database.reading() as connection:
            leadership = await read_leadership(connection)
            now = await clock(connection)
            found = await read_jobs(connection, _need_a_look())
        return Snapshot(jobs=tuple(found.values()), leadership=leadership, now=now)

    @asynccontextmanager
    async def transaction(self, epoch: int) -> AsyncIterator["SchedulerTransaction"]:
        """A transaction of the leader; all of it is written, or nothing.

        Raises: NotLeader when another took over or the row was given up.
        """
        async with self._database.writing() as connection:
            now = await hold_epoch(connection, epoch)
            transaction = SchedulerTransaction(connection, now)
            yield transaction
            await transaction.append_events()


def _need_a_look() -> Select[str]:
    """Ids of jobs, each part found by its own index: most jobs ended long ago."""
    open_run = select(t.runs.c.job_id).where(t.runs.c.state.in_(OPEN_RUNS))
    living = select(t.workers.c.job_id).where(t.workers.c.state.in_(LIVING))
    deleted = select(t.jobs.c.id).where(t.jobs.c.delete_requested_at.is_not(None))
    return select(union(open_run, living, deleted).subquery().c[0])


class SchedulerTransaction:
    """One transaction that holds the leader row. Its events are written last."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        """`now` is the database's time at the beginning."""
        self._connection = connection
        self._events: list[NewEvent] = []
        self._locked: dict[str, JobRows] = {}
        self.now = now

    async def job(self, job_id: str) -> JobRows | None:
        """The job as it is, locked until the end of the transaction; None when there is none."""
        rows = await lock_job(self._connection, job_id)
        if rows is not None:
            self._locked[job_id] = rows
        return rows

    async def write(self, rows: JobRows, changes: Changes) -> JobRows:
        """Stores `changes` of the job of `rows`; returns the job as it is then.

        Raises: IllegalTransition, JobNotFound.
        """
        old = await self._own(rows.job.id)
        runs = _check_runs(old.runs, changes.runs)
        _check_workers(old.workers, changes.workers)
        _check_attempts(old.attempts, changes.attempts)
        await self._write_runs(runs)
        await self._write_workers(old.workers, changes.workers)
        await self._write_attempts(old.attempts, changes.attempts)
        await self._write_results(old, changes)
        fresh = await read_job(self._connection, old.job.id)
        new = await settle(self._connection, fresh or old, self.now)
        self._events += [log_event(new, *line) for line in changes.logs]
        self._events += state_events(old, new)
        self._locked[new.job.id] = new
        return new

    async def progress(self, run_id: str, progress: Progress) -> None:
        """Stores how far a run is; no event. Nothing when the run has ended."""
        await self._update_open_run(run_id, progress=progress_document(progress))

    async def waiting(self, run_id: str, reason: str, position: int | None) -> None:
        """Stores why a run waits and its place in the queue; no event. Nothing once it is over."""
        await self.all_waiting([(run_id, reason, position)])

    async def all_waiting(self, waits: Sequence[tuple[str, str, int | None]]) -> None:
        """The same for many, by run id, reason and position, in one statement.

        When one run is launched, everybody behind it moves up.
        """
        values = [
            {"run": run_id, "reason": reason, "place": place} for run_id, reason, place in waits
        ]
        if values:
            await self._connection.execute(WAITS, values)

    async def log(self, job_id: str, run_id: str, level: str, message: str) -> None:
        """Appends a line for the owner of the job; nothing when the job is not there."""
        rows = self._locked.get(job_id) or await read_job(self._connection, job_id)
        if rows is not None:
            self._events.append(log_event(rows, run_id, level, message))

    async def purge(self, job_id: str) -> Video | None:
        """Deletes the rows of a job, and hides its video when no other job uses it.

        Raises: IllegalTransition while it is not deleted or a worker of it is not GONE.
        Returns that video: its bytes are the caller's to delete, then its row (`Videos.forget`).
        """
        self._locked.pop(job_id, None)
        self._events = [event for event in self._events if event.job_id != job_id]
        return await purge_job(self._connection, job_id, self.now)

    async def append_events(self) -> None:
        """Writes the events of this transaction; its last act."""
        await append(self._connection, self._events, self.now)
        self._events = []

    async def _own(self, job_id: str) -> JobRows:
        rows = self._locked.get(job_id) or await self.job(job_id)
        if rows is None:
            raise JobNotFound
        return rows

    async def _update_open_run(self, run_id: str, **values: object) -> None:
        await self._connection.execute(
            update(t.runs)
            .where(and_(t.runs.c.id == run_id, t.runs.c.state.in_(OPEN_RUNS)))
            .values(**values)
        )

    async def _write_runs(self, runs: Iterable[Run]) -> None:
        for run in runs:
            values = {k: v for k, v in run_values(run).items() if k not in RUN_FIXED}
            await self._connection.execute(
                update(t.runs).where(t.runs.c.id == run.id).values(values)
            )

    async def _write_workers(self, old: Iterable[Worker], new: Iterable[Worker]) -> None:
        known = {worker.id for worker in old}
        for worker in new:
            values = worker_values(worker)
            if worker.id not in known:
                await self._connection.execute(insert(t.workers).values(values))
                continue
            values = {k: v for k, v in values.items() if k not in WORKER_FIXED}
            await self._connection.execute(
                update(t.workers).where(t.workers.c.id == worker.id).values(values)
            )

    async def _write_attempts(self, old: Iterable[Attempt], new: Iterable[Attempt]) -> None:
        known = {(attempt.run_id, attempt.number) for attempt in old}
        for attempt in sorted(new, key=lambda each: each.open):  # those that end, then the new one
            key = (attempt.run_id, attempt.number)
            try:
                await self._write_attempt(attempt, known=key in known)
            except IntegrityError as error:
                raise IllegalTransition("A run has an open attempt already.") from error

    async def _write_attempt(self, attempt: Attempt, *, known: bool) -> None:
        c, values = t.attempts.c, attempt_values(attempt)
        if not known:
            await self._connection.execute(insert(t.attempts).values(values))
            return
        own = and_(c.run_id == attempt.run_id, c.number == attempt.number)
        await self._connection.execute(update(t.attempts).where(own).values(values))

    async def _write_results(self, old: JobRows, changes: Changes) -> None:
        if changes.artifacts:
            values = [artifact_values(artifact) for artifact in changes.artifacts]
            await self._connection.execute(insert(t.artifacts), values)
        if changes.probe is not None:
            await self._connection.execute(
                update(t.videos)
                .where(t.videos.c.id == old.video.id)
                .values(probe=probe_document(changes.probe))
            )


def _check_runs(old: Iterable[Run], new: Iterable[Run]) -> list[Run]:
    """Those of `new` that differ. Raises: IllegalTransition."""
    known = {run.id: run for run in old}
    for run in new:
        if run.id not in known:
            raise IllegalTransition("The run is not one of this job.")
        if known[run.id].state is not run.state:
            check_run(known[run.id].state, run.state)
    return [run for run in new if run != known[run.id]]


def _check_workers(old: Iterable[Worker], new: Iterable[Worker]) -> None:
    known = {worker.id: worker for worker in old}
    for worker in new:
        before = known.get(worker.id, worker)
        if before.state is not worker.state:
            check_worker(before.state, worker.state)


def _check_attempts(old: Iterable[Attempt], new: Iterable[Attempt]) -> None:
    over = {(attempt.run_id, attempt.number) for attempt in old if not attempt.open}
    if any(attempt.open and (attempt.run_id, attempt.number) in over for attempt in new):
        raise IllegalTransition("An attempt that is over cannot be opened again.")
