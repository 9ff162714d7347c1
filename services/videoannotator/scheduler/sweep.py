"""Deletes what nobody will ask for any more, a little at a time."""

import time
from collections.abc import AsyncIterator

from videoannotator.blobs import keys
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.errors import StorageError
from videoannotator.store.videos import Videos
from videoannotator.telemetry import get_logger

LATE_MARGIN_SECONDS = 60.0  # beyond the end of a signed address: clocks differ a little
UPLOAD_LIFE_SECONDS = 24 * 3600.0  # an upload that was not finished by then never will be
MOST_AT_ONCE = 100  # in one tick, so that the loop goes on

log = get_logger(__name__)


class Sweeper:
    """The storage's part of the full sweep: what is marked goes, whoever marked it."""

    def __init__(
        self,
        blobs: BlobStore,
        videos: Videos,
        every_seconds: float,
        *,
        late_write_seconds: float = 0.0,
    ) -> None:
        """Sweeps at the first call, then at most once in `every_seconds`.

        For `late_write_seconds` after a worker is gone its signed addresses can still be used.
        """
        self._late_write_seconds = late_write_seconds
        self._blobs = blobs
        self._videos = videos
        self._every_seconds = every_seconds
        self._next = 0.0
        self._next_strangers = 0.0

    def soon(self) -> None:
        """There is something to sweep."""
        self._next = 0.0

    async def delete_again(self, owner_id: str, job_id: str) -> None:
        """Has the bytes of a deleted job deleted once more, when nobody can write any longer.

        That is noted in the storage itself, so that the next scheduler knows it. Raises:
        StorageError.
        """
        if self._late_write_seconds:
            await self._blobs.put(keys.doomed(owner_id, job_id), _nothing())

    async def sweep(self) -> None:
        """Deletes videos that no job uses, and uploads that were left behind."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_seconds
        try:
            await self._doomed_videos()
            await self._strangers()
            await self._late_writes()
            await self._blobs.sweep(
                keys.INCOMING, older_than_seconds=UPLOAD_LIFE_SECONDS, limit=MOST_AT_ONCE
            )
        except StorageError as error:
            log.warning("sweep.failed", reason=error.message)

    async def _strangers(self) -> None:
        """An api died between storing a video and writing it down, or its job after it.

        Bytes without a row go now, videos without a job with the next sweep.
        """
        if time.monotonic() < self._next_strangers:
            return
        self._next_strangers = time.monotonic() + UPLOAD_LIFE_SECONDS
        await self._videos.doom_unused(UPLOAD_LIFE_SECONDS)
        folders = {
            keys.video_id_of(key): key.rpartition("/")[0]
            for key in await self._blobs.list(keys.VIDEOS)
        }
        for video_id in await self._videos.unknown(folders):
            await self._blobs.sweep(
                folders[video_id], older_than_seconds=UPLOAD_LIFE_SECONDS, limit=MOST_AT_ONCE
            )
            if not await self._blobs.list(folders[video_id]):
                await self._blobs.delete_prefix(folders[video_id])  # the folder itself

    async def _doomed_videos(self) -> None:
        """Bytes first: when this is cut short the row is still there to say what must go."""
        for video in await self._videos.doomed(MOST_AT_ONCE):
            await self._blobs.delete_prefix(keys.video_folder(video.owner_id, video.id))
            await self._videos.forget(video.id)

    async def _late_writes(self) -> None:
        """The note goes last: when this is cut short it still says what must go."""
        if not self._late_write_seconds:
            return
        age_seconds = self._late_write_seconds + LATE_MARGIN_SECONDS
        for note in await self._blobs.older(keys.DOOMED, age_seconds, MOST_AT_ONCE):
            await self._blobs.delete_prefix(keys.job_folder_of(note))
            await self._blobs.delete_prefix(note)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
