"""What nobody will ask for any more goes, a little at a time."""

import os
import time
from pathlib import Path

import pytest

from tests.fakes.stored import Stored
from videoannotator.blobs import keys
from videoannotator.blobs.files import FileBlobs
from videoannotator.domain.errors import StorageError
from videoannotator.domain.videos import Video
from videoannotator.scheduler.sweep import LATE_MARGIN_SECONDS, UPLOAD_LIFE_SECONDS, Sweeper
from videoannotator.store.videos import Videos

NEVER_AGAIN_SECONDS = 10**6


class Stubborn(FileBlobs):
    """A storage from which nothing can be deleted while it is closed."""

    closed = True

    async def delete_prefix(self, prefix: str) -> int:
        if self.closed:
            raise StorageError("The storage does not answer.")
        return await super().delete_prefix(prefix)


def store(blobs: FileBlobs, key: str, age_seconds: float = 0) -> Path:
    """Puts bytes there that were written so long ago."""
    path = blobs.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"bytes")
    written = time.time() - age_seconds
    os.utime(path, (written, written))
    return path


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path / "storage")


def source(video: Video) -> str:
    return keys.video_source(video.owner_id, video.id)


async def test_a_video_that_no_job_uses_goes_bytes_and_row(
    stored: Stored, blobs: FileBlobs
) -> None:
    videos = Videos(stored.database)
    path = store(blobs, source(stored.video))
    await videos.drop_unused(stored.video.id)

    await Sweeper(blobs, videos, NEVER_AGAIN_SECONDS).sweep()

    assert not path.exists()
    assert await videos.doomed() == []


async def test_a_video_that_a_job_uses_stays(stored: Stored, blobs: FileBlobs) -> None:
    videos = Videos(stored.database)
    path = store(blobs, source(stored.video))
    await stored.submit("p")
    await videos.drop_unused(stored.video.id)

    await Sweeper(blobs, videos, NEVER_AGAIN_SECONDS).sweep()

    assert path.exists()


@pytest.mark.parametrize(("hours", "stays"), [(23, True), (25, False)])
async def test_an_upload_that_was_left_behind_for_a_day_goes(
    stored: Stored, blobs: FileBlobs, hours: float, stays: bool
) -> None:
    assert UPLOAD_LIFE_SECONDS == 24 * 3600
    path = store(blobs, keys.incoming("upload"), hours * 3600)

    await Sweeper(blobs, Videos(stored.database), NEVER_AGAIN_SECONDS).sweep()

    assert path.exists() is stays


async def test_it_sweeps_at_first_and_then_when_its_time_has_come_or_it_is_told_to(
    stored: Stored, blobs: FileBlobs
) -> None:
    sweeper = Sweeper(blobs, Videos(stored.database), NEVER_AGAIN_SECONDS)
    await sweeper.sweep()
    path = store(blobs, keys.incoming("upload"), 10**6)

    await sweeper.sweep()
    too_soon = path.exists()
    sweeper.soon()
    await sweeper.sweep()

    assert too_soon
    assert not path.exists()


async def test_while_bytes_cannot_be_deleted_their_row_stays_and_nothing_else_stops(
    stored: Stored, tmp_path: Path
) -> None:
    videos, blobs = Videos(stored.database), Stubborn(tmp_path / "storage")
    path = store(blobs, source(stored.video))
    await videos.drop_unused(stored.video.id)
    sweeper = Sweeper(blobs, videos, NEVER_AGAIN_SECONDS)

    await sweeper.sweep()
    (doomed,) = await videos.doomed()
    blobs.closed = False
    sweeper.soon()
    await sweeper.sweep()

    assert doomed.id == stored.video.id
    assert not path.exists()
    assert await videos.doomed() == []


SIGNED_SECONDS = 1000.0


@pytest.mark.parametrize(
    ("age_seconds", "deleted"),
    [(SIGNED_SECONDS - 1, False), (SIGNED_SECONDS + LATE_MARGIN_SECONDS + 5, True)],
)
async def test_bytes_of_a_deleted_job_go_once_more_when_nobody_can_write_any_longer(
    stored: Stored, blobs: FileBlobs, age_seconds: float, deleted: bool
) -> None:
    videos = Videos(stored.database)
    first = Sweeper(blobs, videos, NEVER_AGAIN_SECONDS, late_write_seconds=SIGNED_SECONDS)
    await first.delete_again("owner", "job")
    note = blobs.path(keys.doomed("owner", "job"))
    written = time.time() - age_seconds
    os.utime(note, (written, written))
    late = store(blobs, f"{keys.attempt_folder('owner', 'job', 'p', 1)}/late.json")
    other = store(blobs, f"{keys.attempt_folder('owner', 'job2', 'p', 1)}/late.json")

    # The next scheduler finds the note, too.
    await Sweeper(blobs, videos, NEVER_AGAIN_SECONDS, late_write_seconds=SIGNED_SECONDS).sweep()

    assert late.exists() is not deleted
    assert note.exists() is not deleted
    assert other.exists()


async def test_where_nothing_is_signed_nothing_is_noted(stored: Stored, blobs: FileBlobs) -> None:
    sweeper = Sweeper(blobs, Videos(stored.database), NEVER_AGAIN_SECONDS)

    await sweeper.delete_again("owner", "job")

    assert await blobs.list("") == []
