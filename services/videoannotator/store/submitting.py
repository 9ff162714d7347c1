"""Stores a new job, once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, func, insert, select

from videoannotator.domain.errors import IdempotencyMismatch, LimitReached, VideoNotFound
from videoannotator.domain.jobs import Job, Run, RunState
from videoannotator.domain.videos import Video
from videoannotator.store import tables as t
from videoannotator.store.audit import Used, writing
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.events import appending, state_events
from videoannotator.store.prepared import Asked, Row, Rows
from videoannotator.store.reading import CLOCK, read_job
from videoannotator.store.records import job_values, run_values, video_of, video_values
from videoannotator.store.rows import JobRows, NewJob
from videoannotator.store.together import commit_with, together
from videoannotator.store.visibility import well_formed

#: Made once: making a statement takes longer than SQLite takes to carry it out.
INSERT_VIDEO, INSERT_JOB, INSERT_RUN = insert(t.videos), insert(t.jobs), insert(t.runs)
OWNER = select(t.users.c.id).where(t.users.c.id == bindparam("owner_id"))
#: One submit per owner at a time: the key and the limit are read and written as one step. On SQLite
#: there is one writer at a time anyway.
LOCK_OWNER = OWNER.with_for_update(key_share=True)
VIDEO = select(t.videos).where(t.videos.c.delete_requested_at.is_(None))
HELD_VIDEO = VIDEO.where(t.videos.c.id == bindparam("video_id")).with_for_update(read=True)
SAME_BYTES = VIDEO.where(
    t.videos.c.owner_id == bindparam("owner_id"), t.videos.c.sha256 == bindparam("sha256")
).with_for_update(read=True)
SAME_KEY = select(t.jobs.c.id, t.jobs.c.request_sha256).where(
    t.jobs.c.owner_id == bindparam("owner_id"),
    t.jobs.c.idempotency_key == bindparam("idempotency_key"),
)
QUEUED = (
    select(func.count().label("queued"))
    .select_from(t.runs.join(t.jobs))
    .where(t.jobs.c.owner_id == bindparam("owner_id"), t.runs.c.state == RunState.PENDING)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a submission depends on; its owner is locked, and so is the video that it names."""

    known: Row | None  #: the job that came with the same idempotency key
    queued: int  #: runs of the owner that wait
    video: Video | None  #: the one named, or the owner's with the same bytes
    now: datetime


async def submit_job(
    connection: AsyncConnection, new: NewJob, max_queued_runs: int, use: Used | None
) -> tuple[JobRows, bool]:
    """The job, and whether it is new. Nothing may follow in this transaction.

    Raises: IdempotencyMismatch, LimitReached, VideoNotFound.
    """
    found = await _look(connection, new, limited=max_queued_runs > 0)
    if found.known is not None:
        return await _repeated(connection, new, found, use), False
    _check_limit(new, found.queued, max_queued_runs)
    video = found.video or new.upload
    if video is None:
        raise VideoNotFound
    rows = _rows(new, video, found.now)
    audited = [] if use is None else [writing(use, rows.job.id, found.now)]
    stored: list[Asked] = [
        *([] if found.video else [(INSERT_VIDEO, video_values(video))]),
        (INSERT_JOB, job_values(rows.job, new.request_sha256)),
        *((INSERT_RUN, run_values(run)) for run in rows.runs),
        *audited,
        *appending(connection.dialect, state_events(None, rows), found.now),
    ]
    await commit_with(connection, stored)
    return rows, True


async def add_video(connection: AsyncConnection, video: Video) -> Video:
    """Stores `video`; when its owner has these bytes already, returns that video instead.

    Either is held until the transaction ends.
    """
    locked = _lock(connection, video.owner_id).values()
    found = (await together(connection, [*locked, _same_bytes(video)]))[-1]
    if found:
        return video_of(found[0])
    await together(connection, [(INSERT_VIDEO, video_values(video))])
    return video


async def _look(connection: AsyncConnection, new: NewJob, *, limited: bool) -> Found:
    """All that a submission depends on, in one go."""
    owner = {"owner_id": new.owner_id}
    asked: dict[str, Asked] = {**_lock(connection, new.owner_id)}
    if new.idempotency_key is not None:
        asked["known"] = SAME_KEY, {**owner, "idempotency_key": new.idempotency_key}
    if limited:
        asked["queued"] = QUEUED, owner
    asked["video"] = _named(new.video_id) if new.upload is None else _same_bytes(new.upload)
    asked["now"] = CLOCK, {}
    found = dict(zip(asked, await together(connection, [*asked.values()]), strict=True))
    return Found(
        known=next(iter(found.get("known", ())), None),
        queued=_only(found["queued"]) if limited else 0,
        video=next(map(video_of, found["video"]), None),
        now=_only(found["now"]),
    )


def _lock(connection: AsyncConnection, owner_id: str) -> dict[str, Asked]:
    if connection.dialect.name == "sqlite":
        return {}
    return {"lock": (LOCK_OWNER, {"owner_id": owner_id})}


def _named(video_id: str) -> Asked:
    return HELD_VIDEO, {"video_id": video_id if well_formed(video_id) else ""}


def _same_bytes(video: Video) -> Asked:
    return SAME_BYTES, {"owner_id": video.owner_id, "sha256": video.sha256}


def _only(rows: Rows) -> Any:
    """The one value of one row."""
    ((value,),) = (row.values() for row in rows)
    return value


async def _repeated(
    connection: AsyncConnection, new: NewJob, found: Found, use: Used | None
) -> JobRows:
    assert found.known is not None  # noqa: S101 - its caller has looked
    if found.known[t.jobs.c.request_sha256] != new.request_sha256:
        raise IdempotencyMismatch
    rows = await read_job(connection, found.known[t.jobs.c.id])
    assert rows is not None  # noqa: S101 - its owner is locked
    if use is not None:
        await together(connection, [writing(use, rows.job.id, found.now)])
    return rows


def _check_limit(new: NewJob, queued: int, max_queued_runs: int) -> None:
    if max_queued_runs and queued + len(new.runs) > max_queued_runs:
        raise LimitReached(
            f"{queued} of your runs are waiting; at most {max_queued_runs} may.",
            hint="Wait until some have started, or cancel some.",
        )


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
