"""Deletes what nobody will ask for any more, a little at a time."""

import time

from videoannotator.blobs import keys
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.errors import StorageError
from videoannotator.telemetry import get_logger

UPLOAD_LIFE_SECONDS = 24 * 3600.0  # an upload that was not finished by then never will be
MOST_AT_ONCE = 100  # blobs in one tick, so that the loop goes on

log = get_logger(__name__)


class Sweeper:
    """The storage's part of the full sweep."""

    def __init__(self, blobs: BlobStore, every_seconds: float) -> None:
        """Sweeps at the first call, then at most once in `every_seconds`."""
        self._blobs = blobs
        self._every_seconds = every_seconds
        self._next = 0.0

    async def sweep(self) -> None:
        """Deletes uploads that were left behind."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_seconds
        try:
            await self._blobs.sweep(
                keys.INCOMING, older_than_seconds=UPLOAD_LIFE_SECONDS, limit=MOST_AT_ONCE
            )
        except StorageError as error:
            log.warning("sweep.failed", reason=error.message)
