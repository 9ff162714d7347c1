"""Recomputes a job from its runs and wants, under the lock on its row."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update

from videoannotator.domain.jobs import JOB_FINAL, Job, JobState, Run, job_error, job_state
from videoannotator.store import tables as t
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.reading import read_job
from videoannotator.store.rows import JobRows


async def lock_job(connection: AsyncConnection, job_id: str) -> JobRows | None:
    """The job as it is, locked until the transaction ends; None when there is none."""
    row = select(t.jobs.c.id).where(t.jobs.c.id == job_id).with_for_update()
    if await connection.scalar(row) is None:
        return None
    return await read_job(connection, job_id)


def settled(job: Job, runs: tuple[Run, ...], now: datetime) -> Job:
    """`job` with all that follows from `runs` and its wants. A final state's times are kept."""
    state = job_state(runs, job.wants)
    ended = state in JOB_FINAL
    return replace(
        job,
        state=state,
        updated_at=now,
        started_at=job.started_at
        or min((r.started_at for r in runs if r.started_at), default=None),
        completed_at=(job.completed_at or now) if ended else None,
        cancelled_at=(job.cancelled_at or now) if state is JobState.CANCELLED else None,
        error_message=job_error(runs) if state in (JobState.COMPLETED, JobState.FAILED) else None,
    )


async def settle(connection: AsyncConnection, rows: JobRows, now: datetime) -> JobRows:
    """Stores what follows for the job from its runs and wants. Its row is locked."""
    job = settled(rows.job, rows.runs, now)
    await connection.execute(
        update(t.jobs)
        .where(t.jobs.c.id == job.id)
        .values(
            state=job.state,
            updated_at=job.updated_at,
            started_at=job.started_at,
            completed_at=job.completed_at,
            cancelled_at=job.cancelled_at,
            error_message=job.error_message,
        )
    )
    return replace(rows, job=job)
