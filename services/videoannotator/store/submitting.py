"""Stores a new job, once."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from videoannotator.domain.errors import IdempotencyMismatch, LimitReached, VideoNotFound
from videoannotator.domain.jobs import Job, Run, RunState
from videoannotator.domain.videos import Video
from videoannotator.store import tables as t
from videoannotator.store.events import append, state_events
from videoannotator.store.reading import clock, read_job, records
from videoannotator.store.records import job_values, run_values, video_of
from videoannotator.store.rows import JobRows, NewJob
from videoannotator.store.visibility import well_formed


async def submit_job(
    connection: AsyncConnection, new: NewJob, max_queued_runs: int
) -> tuple[JobRows, bool]:
    """The job, and whether it is new. Raises: IdempotencyMismatch, LimitReached, VideoNotFound."""
    await _lock_owner(connection, new.owner_id)
    known = await _repeated(connection, new)
    if known is not None:
        return known, False
    await _check_limit(connection, new, max_queued_runs)
    video = await _lock_video(connection, new.video_id)
    rows = _rows(new, video, await clock(connection))
    await connection.execute(insert(t.jobs).values(job_values(rows.job, new.request_sha256)))
    for run in rows.runs:
        await connection.execute(insert(t.runs).values(run_values(run)))
    await append(connection, state_events(None, rows), rows.job.created_at)
    return rows, True


async def _lock_owner(connection: AsyncConnection, owner_id: str) -> None:
    """One submit per owner at a time: the key and the limit are read and written as one step."""
    query = select(t.users.c.id).where(t.users.c.id == owner_id)
    await connection.execute(query.with_for_update(key_share=True))


async def _repeated(connection: AsyncConnection, new: NewJob) -> JobRows | None:
    if new.idempotency_key is None:
        return None
    job = t.jobs.c
    query = select(job.id, job.request_sha256).where(
        job.owner_id == new.owner_id, job.idempotency_key == new.idempotency_key
    )
    found = (await connection.execute(query)).one_or_none()
    if found is None:
        return None
    if found.request_sha256 != new.request_sha256:
        raise IdempotencyMismatch
    return await read_job(connection, found.id)


async def _check_limit(connection: AsyncConnection, new: NewJob, max_queued_runs: int) -> None:
    if not max_queued_runs:
        return
    query = (
        select(func.count())
        .select_from(t.runs.join(t.jobs))
        .where(t.jobs.c.owner_id == new.owner_id, t.runs.c.state == RunState.PENDING)
    )
    queued = (await connection.execute(query)).scalar_one()
    if queued + len(new.runs) > max_queued_runs:
        raise LimitReached(
            f"{queued} of your runs are waiting; at most {max_queued_runs} may.",
            hint="Wait until some have started, or cancel some.",
        )


async def _lock_video(connection: AsyncConnection, video_id: str) -> Video:
    """The video, held until its job is there. Raises: VideoNotFound, also when it is hidden."""
    if not well_formed(video_id):
        raise VideoNotFound
    c = t.videos.c
    query = select(t.videos).where(c.id == video_id, c.delete_requested_at.is_(None))
    found = await records(connection, query.with_for_update(read=True), video_of)
    if not found:
        raise VideoNotFound
    return found[0]


def _rows(new: NewJob, video: Video, now: datetime) -> JobRows:
    job_id = str(uuid4())
    job = Job(
        id=job_id,
        kind=new.kind,
        owner_id=new.owner_id,
        group_id=new.group_id,
        video_id=new.video_id,
        video_name=new.video_name,
        config=new.config,
        priority=new.priority,
        idempotency_key=new.idempotency_key,
        created_at=now,
        updated_at=now,
    )
    runs = tuple(
        Run(
            id=str(uuid4()),
            job_id=job_id,
            position=position,
            pipeline=run.pipeline,
            parameters=run.parameters,
            ignored_parameters=run.ignored_parameters,
            resources=run.resources,
            created_at=now,
        )
        for position, run in enumerate(new.runs)
    )
    return JobRows(job=job, video=video, runs=runs)
