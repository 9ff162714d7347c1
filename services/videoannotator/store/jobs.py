"""Jobs as their owners see them: submit, read, list, cancel, delete."""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import ColumnElement, bindparam, func, select, update

from videoannotator.domain.access import Principal
from videoannotator.domain.errors import Forbidden, JobAlreadyEnded, JobNotFound
from videoannotator.domain.jobs import Artifact, JobKind, JobState, Wants
from videoannotator.store import tables as t
from videoannotator.store.audit import Used
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.engine import Database
from videoannotator.store.events import append, state_events
from videoannotator.store.listing import conditions, count_of, page_of
from videoannotator.store.prepared import MOST_STATEMENTS
from videoannotator.store.reading import ONE_JOB, Queries, assembled, clock, read_job, read_jobs
from videoannotator.store.records import artifact_of
from videoannotator.store.rows import JobFilter, JobRows, NewJob, NewRun
from videoannotator.store.settling import lock_job, settle
from videoannotator.store.submitting import submit_job
from videoannotator.store.visibility import job_visible, well_formed

__all__ = ["JobFilter", "JobRows", "Jobs", "NewJob", "NewRun"]

Artifacts = list[Artifact]  # inside the class `list` is the method

ARTIFACTS = (
    select(t.artifacts)
    .join_from(t.artifacts, t.runs)
    .where(t.artifacts.c.job_id == bindparam("job_id"))
    .order_by(t.runs.c.position, t.artifacts.c.attempt, t.artifacts.c.position)
)


class Jobs:
    """The jobs that a caller may see. Ids that are foreign, hidden or malformed are not found."""

    def __init__(self, database: Database) -> None:
        """Reads and writes `database`."""
        self._database = database

    async def submit(
        self, new: NewJob, max_queued_runs: int = 0, use: Used | None = None
    ) -> tuple[JobRows, bool]:
        """Stores a job with its upload, once per idempotency key. True when it is new.

        `max_queued_runs` limits what waits per owner; 0: no limit. `use` is written into the audit
        log; all of it in one transaction.
        Raises: IdempotencyMismatch, LimitReached, VideoNotFound.
        """
        async with self._database.writing() as connection:
            return await submit_job(connection, new, max_queued_runs, use)

    async def get(self, principal: Principal, job_id: str) -> JobRows:
        """One job. Raises: JobNotFound."""
        async with self._database.reading() as connection:
            return await _visible(connection, principal, job_id)

    async def get_with_artifacts(
        self, principal: Principal, job_id: str
    ) -> tuple[JobRows, Artifacts]:
        """One job and its result files, as of one moment. Raises: JobNotFound."""
        _check_id(job_id)
        of_one = visible_job(principal)
        queries = (of_one.jobs, of_one.runs, of_one.attempts, of_one.workers, ARTIFACTS)
        *found, artifacts = await self._database.look_up(queries, {"job_id": job_id})
        rows = assembled(found).get(job_id)
        if rows is None:
            raise JobNotFound
        return rows, [artifact_of(row) for row in artifacts]

    async def list(
        self, principal: Principal, which: JobFilter, page: int = 1, per_page: int = 20
    ) -> tuple[list[JobRows], int]:
        """One page, counted from 1, and the number of all. A fixed number of queries."""
        where = conditions(principal, which)
        async with self._database.reading() as connection:
            total = (await connection.execute(count_of(where, which))).scalar_one()
            query = page_of(where, which, page, per_page)
            ids = [job_id for (job_id,) in await connection.execute(query)]
            found = await read_jobs(connection, ids)
        return [found[job_id] for job_id in ids], total

    async def cancel(self, principal: Principal, job_id: str) -> JobRows:
        """Asks for the end of a job; asking again changes nothing.

        Raises: JobNotFound, Forbidden, JobAlreadyEnded when it has completed or failed.
        """
        _check_id(job_id)
        async with self._database.writing() as connection:
            rows = await self._lock_own(connection, principal, job_id)
            if rows.job.state in (JobState.COMPLETED, JobState.FAILED):
                raise JobAlreadyEnded(f"The job has already ended: {rows.job.state}.")
            if rows.job.wants.stop or rows.job.state is JobState.CANCELLED:
                return rows
            now = await clock(connection)
            wants = replace(rows.job.wants, cancel_requested_at=now)
            return await self._want(connection, rows, wants, now)

    async def delete(self, principal: Principal, job_id: str) -> JobRows:
        """Hides a job at once and asks for its end. Its idempotency key is free again.

        Raises: JobNotFound, Forbidden.
        """
        _check_id(job_id)
        async with self._database.writing() as connection:
            rows = await self._lock_own(connection, principal, job_id)
            now = await clock(connection)
            await connection.execute(
                update(t.jobs).where(t.jobs.c.id == job_id).values(idempotency_key=None)
            )
            rows = replace(rows, job=replace(rows.job, idempotency_key=None))
            wants = replace(rows.job.wants, delete_requested_at=now)
            return await self._want(connection, rows, wants, now)

    async def artifacts(self, principal: Principal, job_id: str) -> Artifacts:
        """The result files of a job. Raises: JobNotFound."""
        _check_id(job_id)
        visible = select(t.jobs.c.id).where(t.jobs.c.id == job_id, job_visible(principal))
        async with self._database.reading() as connection:
            if await connection.scalar(visible) is None:
                raise JobNotFound
            return await _artifacts(connection, job_id)

    async def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state, of all owners; every state is there."""
        query = (
            select(t.jobs.c.state, func.count())
            .where(t.jobs.c.kind == JobKind.ANNOTATION, t.jobs.c.delete_requested_at.is_(None))
            .group_by(t.jobs.c.state)
        )
        async with self._database.reading() as connection:
            found = {row[0]: row[1] for row in await connection.execute(query)}
        return {state: found.get(state, 0) for state in JobState}

    async def _lock_own(
        self, connection: AsyncConnection, principal: Principal, job_id: str
    ) -> JobRows:
        """The caller's job, locked. A member of its group may see it, not change it."""
        seen: ColumnElement[bool] = job_visible(principal)
        query = select(t.jobs.c.id).where(t.jobs.c.id == job_id, seen).with_for_update()
        if await connection.scalar(query) is None:
            raise JobNotFound
        rows = await lock_job(connection, job_id)
        if rows is None:
            raise JobNotFound
        if not (principal.sees_all or rows.job.owner_id == principal.user_id):
            raise Forbidden("Only the owner of a job may change it.")
        return rows

    async def _want(
        self, connection: AsyncConnection, old: JobRows, wants: Wants, now: datetime
    ) -> JobRows:
        await connection.execute(
            update(t.jobs)
            .where(t.jobs.c.id == old.job.id)
            .values(
                cancel_requested_at=wants.cancel_requested_at,
                delete_requested_at=wants.delete_requested_at,
            )
        )
        wanted = replace(old, job=replace(old.job, wants=wants))
        new = await settle(connection, wanted, now)
        await append(connection, state_events(old, new), now)
        return new


@lru_cache(MOST_STATEMENTS)
def visible_job(principal: Principal) -> Queries:
    """What a job is read with that this caller may see."""
    return replace(ONE_JOB, jobs=ONE_JOB.jobs.where(job_visible(principal)))


async def _visible(connection: AsyncConnection, principal: Principal, job_id: str) -> JobRows:
    _check_id(job_id)
    rows = await read_job(connection, job_id, visible_job(principal))
    if rows is None:
        raise JobNotFound
    return rows


async def _artifacts(connection: AsyncConnection, job_id: str) -> Artifacts:
    found = await connection.execute(ARTIFACTS, {"job_id": job_id})
    return [artifact_of(row) for row in found.mappings()]


def _check_id(job_id: str) -> None:
    if not well_formed(job_id):
        raise JobNotFound
