"""Removes the rows of a job that was deleted."""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, select, update

from videoannotator.domain.errors import IllegalTransition
from videoannotator.domain.jobs import WorkerState
from videoannotator.domain.videos import Video
from videoannotator.store import tables as t
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.reading import records
from videoannotator.store.records import video_of
from videoannotator.store.settling import lock_job


async def purge_job(connection: AsyncConnection, job_id: str, now: datetime) -> Video | None:
    """Deletes a job with its runs, attempts, workers, artifacts and events.

    Returns its video, marked for deletion, when no other job uses it.
    Raises: IllegalTransition while it is not deleted or a worker of it is not GONE.
    """
    rows = await lock_job(connection, job_id)
    if rows is None:
        return None
    if rows.job.wants.delete_requested_at is None:
        raise IllegalTransition("Nobody asked to delete this job.")
    if any(worker.state is not WorkerState.GONE for worker in rows.workers):
        raise IllegalTransition("A worker of this job is not gone yet.")
    video_id = rows.video.id
    # The video's row is locked before its last job goes: a submit holds it as well.
    await connection.execute(
        select(t.videos.c.id).where(t.videos.c.id == video_id).with_for_update()
    )
    await connection.execute(delete(t.events).where(t.events.c.job_id == job_id))
    await connection.execute(delete(t.jobs).where(t.jobs.c.id == job_id))
    return await doom_video(connection, video_id, now)


def video_is_used() -> ColumnElement[bool]:
    """Some job, hidden or not, still needs the video."""
    return exists().where(t.jobs.c.video_id == t.videos.c.id)


async def doom_video(connection: AsyncConnection, video_id: str, now: datetime) -> Video | None:
    """Marks a video for deletion when no job uses it, and returns it then; its row is locked."""
    unused = (t.videos.c.id == video_id, ~video_is_used())
    await connection.execute(update(t.videos).where(*unused).values(delete_requested_at=now))
    found = await records(connection, select(t.videos).where(*unused), video_of)
    return found[0] if found else None
