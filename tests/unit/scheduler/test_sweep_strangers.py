"""Bytes that no row names are swept when they are old, and only then."""

import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.fakes.site import Site, quick_settings
from videoannotator.blobs import keys
from videoannotator.scheduler.sweep import Sweeper
from videoannotator.store.tables import videos
from videoannotator.store.videos import Videos

DAY_SECONDS = 24 * 3600


async def one_byte() -> AsyncIterator[bytes]:
    yield b"x"


@pytest.mark.parametrize(("age_seconds", "left"), [(2 * DAY_SECONDS, 1), (60, 2)])
async def test_a_video_without_a_row_goes_when_it_is_old(
    tmp_path: Path, age_seconds: float, left: int
) -> None:
    site = await Site.open(quick_settings(tmp_path / "storage"))
    known = tmp_path / "known.mp4"
    known.write_bytes(b"known")
    video = await site.add_video(known)
    stranger = keys.video_source(site.user.user_id, "stranger")
    await site.blobs.put(stranger, one_byte())
    for key in (stranger, video.key):
        then = time.time() - age_seconds
        os.utime(site.blobs.path(key), (then, then))

    await Sweeper(site.blobs, Videos(site.database), 30.0).sweep()

    found = await site.blobs.list(keys.VIDEOS)
    await site.close()
    assert len(found) == left
    assert video.key in found
    assert site.blobs.path(stranger).parent.exists() == (left == 2)


@pytest.mark.parametrize(
    ("age_seconds", "submitted", "left"),
    [(2 * DAY_SECONDS, False, False), (60, False, True), (2 * DAY_SECONDS, True, True)],
)
async def test_a_video_without_a_job_goes_when_it_is_old(
    tmp_path: Path, age_seconds: float, submitted: bool, left: bool
) -> None:
    site = await Site.open(quick_settings(tmp_path / "storage"))
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"clip")
    video = await site.add_video(clip)
    if submitted:
        await site.submit(video, ("scene_detection", {}))
    created = datetime.now(UTC) - timedelta(seconds=age_seconds)
    async with site.database.writing() as connection:
        await connection.execute(update(videos).values(created_at=created))

    for _ in range(2):  # the first sweep marks it
        await Sweeper(site.blobs, Videos(site.database), 30.0).sweep()

    async with site.database.reading() as connection:
        rows = (await connection.execute(select(videos.c.id))).scalars().all()
    await site.close()
    assert rows == [video.id] * left
    assert (
        list((tmp_path / "storage" / "videos").rglob("source"))
        == [site.blobs.path(video.key)] * left
    )
