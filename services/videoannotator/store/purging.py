"""Removes the rows of a job that was deleted."""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from videoannotator.domain.videos import Video
from videoannotator.store import tables as t
from videoannotator.store.reading import records
from videoannotator.store.records import video_of


async def purge_job(connection: AsyncConnection, job_id: str, now: datetime) -> Video | None:
    """Deletes a job with its runs, attempts, workers, artifacts and events.

    Returns its video, marked for deletion, when no other job uses it.
    """
    video_id = await connection.scalar(
        select(t.jobs.c.video_id).where(t.jobs.c.id == job_id).with_for_update()
    )
    if video_id is None:
        return None
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
    """Hides a video that no job uses, and returns it; its row is locked."""
    """Marks a video for deletion when no job uses it, and returns it then."""
    unused = (t.videos.c.id == video_id, ~video_is_used())
    await connection.execute(update(t.videos).where(*unused).values(delete_requested_at=now))
    found = await records(connection, select(t.videos).where(*unused), video_of)
    return found[0] if found else None
