"""Stores a new job, once."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import bindparam, func, insert, select

from videoannotator.domain.errors import IdempotencyMismatch, LimitReached, VideoNotFound
from videoannotator.domain.jobs import Job, Run, RunState
from videoannotator.domain.videos import Video
from videoannotator.store import tables as t
from videoannotator.store.audit import Used, write
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.events import append, state_events
from videoannotator.store.reading import clock, read_job
from videoannotator.store.records import job_values, run_values, video_of, video_values
from videoannotator.store.rows import JobRows, NewJob
from videoannotator.store.visibility import well_formed

#: Made once: making a statement takes longer than SQLite takes to carry it out.
INSERT_VIDEO, INSERT_JOB, INSERT_RUN = insert(t.videos), insert(t.jobs), insert(t.runs)
OWNER = select(t.users.c.id).where(t.users.c.id == bindparam("owner_id"))
LOCK_OWNER = OWNER.with_for_update(key_share=True)
VIDEO = select(t.videos).where(t.videos.c.delete_requested_at.is_(None))
HELD_VIDEO = VIDEO.where(t.videos.c.id == bindparam("video_id")).with_for_update(read=True)
SAME_BYTES = VIDEO.where(
    t.videos.c.owner_id == bindparam("owner_id"), t.videos.c.sha256 == bindparam("sha256")
).with_for_update(read=True)


async def submit_job(
    connection: AsyncConnection, new: NewJob, max_queued_runs: int, use: Used | None
) -> tuple[JobRows, bool]:
    """The job, and whether it is new. Raises: IdempotencyMismatch, LimitReached, VideoNotFound."""
    await lock_owner(connection, new.owner_id)
    known = await _repeated(connection, new)
    if known is not None:
        await _note(connection, use, known, await clock(connection))
        return known, False
    await _check_limit(connection, new, max_queued_runs)
    rows = _rows(new, await _video(connection, new), await clock(connection))
    await connection.execute(INSERT_JOB, job_values(rows.job, new.request_sha256))
    await connection.execute(INSERT_RUN, [run_values(run) for run in rows.runs])
    await _note(connection, use, rows, rows.job.created_at)
    await append(connection, state_events(None, rows), rows.job.created_at)
    return rows, True


async def lock_owner(connection: AsyncConnection, owner_id: str) -> None:
    """One submit per owner at a time: the key and the limit are read and written as one step."""
    if connection.dialect.name != "sqlite":  # where there is one writer at a time anyway
        await connection.execute(LOCK_OWNER, {"owner_id": owner_id})


async def add_video(connection: AsyncConnection, video: Video) -> Video:
    """Stores `video`; when its owner has these bytes already, returns that video instead.

    The owner is locked. Either is held until the transaction ends.
    """
    same = {"owner_id": video.owner_id, "sha256": video.sha256}
    found = (await connection.execute(SAME_BYTES, same)).mappings().one_or_none()
    if found is not None:
        return video_of(found)
    await connection.execute(INSERT_VIDEO, video_values(video))
    return video


async def _note(
    connection: AsyncConnection, use: Used | None, rows: JobRows, now: datetime
) -> None:
    if use is not None:
        await write(connection, use, rows.job.id, now)


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


async def _video(connection: AsyncConnection, new: NewJob) -> Video:
    """The video, held until its job is there. Raises: VideoNotFound, also when it is hidden."""
    if new.upload is not None:
        return await add_video(connection, new.upload)
    if not well_formed(new.video_id):
        raise VideoNotFound
    held = await connection.execute(HELD_VIDEO, {"video_id": new.video_id})
    found = held.mappings().one_or_none()
    if found is None:
        raise VideoNotFound
    return video_of(found)


def _rows(new: NewJob, video: Video, now: datetime) -> JobRows:
    job_id = str(uuid4())
    job = Job(
        id=job_id,
        kind=new.kind,
        owner_id=new.owner_id,
        group_id=new.group_id,
        video_id=video.id,
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
