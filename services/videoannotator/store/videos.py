"""Videos: one row for the same bytes of one owner."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import delete, func, select, update

from videoannotator.domain.access import Principal
from videoannotator.domain.errors import VideoNotFound
from videoannotator.domain.videos import Video
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.purging import doom_video, video_is_used
from videoannotator.store.reading import clock, records
from videoannotator.store.records import video_of
from videoannotator.store.submitting import add_video
from videoannotator.store.visibility import video_visible, well_formed


class Videos:
    """The stored videos."""

    def __init__(self, database: Database) -> None:
        """Reads and writes `database`."""
        self._database = database

    async def add(self, video: Video) -> Video:
        """Stores `video`; when its owner has these bytes already, returns that video instead."""
        async with self._database.writing() as connection:
            return await add_video(connection, video)

    async def get(self, principal: Principal, video_id: str) -> Video:
        """One video that the caller may see. Raises: VideoNotFound."""
        if not well_formed(video_id):
            raise VideoNotFound
        query = select(t.videos).where(t.videos.c.id == video_id, video_visible(principal))
        async with self._database.reading() as connection:
            found = await records(connection, query, video_of)
        if not found:
            raise VideoNotFound
        return found[0]

    async def bytes_of(self, owner_id: str) -> int:
        """Bytes of the videos that an owner keeps."""
        c = t.videos.c
        query = select(func.coalesce(func.sum(c.size_bytes), 0)).where(
            c.owner_id == owner_id, c.delete_requested_at.is_(None)
        )
        async with self._database.reading() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def doomed(self, limit: int = 100) -> list[Video]:
        """Videos whose bytes are to be deleted: hidden, and no job uses them."""
        c = t.videos.c
        query = (
            select(t.videos)
            .where(c.delete_requested_at.is_not(None), ~video_is_used())
            .order_by(c.delete_requested_at)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return await records(connection, query, video_of)

    async def unknown(self, video_ids: Iterable[str]) -> set[str]:
        """Those of `video_ids` that have no row."""
        asked = set(video_ids)
        query = select(t.videos.c.id).where(t.videos.c.id.in_(asked))
        async with self._database.reading() as connection:
            return asked - set((await connection.execute(query)).scalars())

    async def drop_unused(self, video_id: str) -> bool:
        """Hides a video unless a job uses it, as one whose job was refused.

        True: no job uses it, its bytes are the caller's to delete, and then its row (`forget`).
        """
        async with self._database.writing() as connection:
            mine = select(t.videos.c.id).where(t.videos.c.id == video_id)
            await connection.execute(mine.with_for_update())
            await doom_video(connection, video_id, await clock(connection))
            return await connection.scalar(mine.where(video_is_used())) is None

    async def doom_unused(self, older_than_seconds: float) -> None:
        """Hides videos of that age without a job: its upload came no further than the video."""
        c = t.videos.c
        async with self._database.writing() as connection:
            now = await clock(connection)
            before = now - timedelta(seconds=older_than_seconds)
            unused = (c.created_at < before, c.delete_requested_at.is_(None), ~video_is_used())
            # A submit holds the row of its video until its job is there.
            old = select(c.id).where(*unused).with_for_update(skip_locked=True)
            found = set((await connection.execute(old)).scalars())
            query = update(t.videos).where(c.id.in_(found), *unused)
            await connection.execute(query.values(delete_requested_at=now))

    async def forget(self, video_id: str) -> None:
        """Removes the row of a doomed video, once its bytes are gone."""
        c = t.videos.c
        doomed = (c.id == video_id, c.delete_requested_at.is_not(None), ~video_is_used())
        async with self._database.writing() as connection:
            await connection.execute(delete(t.videos).where(*doomed))
