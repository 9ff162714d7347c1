"""What a killed api may leave behind, and what must be left when that was swept."""

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from tests.fakes.site import Site
from videoannotator.scheduler.sweep import UPLOAD_LIFE_SECONDS, Sweeper
from videoannotator.store import tables as t
from videoannotator.store.videos import Videos

SWEEPS = 2  #: what the first one marks, the second one takes


async def half_videos(site: Site) -> list[str]:
    """Videos that somebody could use and whose bytes are not those that their row tells of."""
    query = select(t.videos).where(t.videos.c.delete_requested_at.is_(None))
    async with site.database.reading() as connection:
        rows = list(await connection.execute(query))
    return [fault for row in rows for fault in _unlike(site.blobs.path(row.key), row.sha256)]


def _unlike(path: Path, sha256: str) -> Iterator[str]:
    if not path.is_file():
        yield f"a video without bytes: {path}"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        yield f"a video with other bytes: {path}"


async def swept_later(site: Site) -> list[str]:
    """Sweeps as a scheduler does two days later; what is left of uploads that came to nothing."""
    root = site.settings.storage.root
    days = 2 * UPLOAD_LIFE_SECONDS
    for top in ("incoming", "videos"):
        for path in (root / top).rglob("*"):
            os.utime(path, (time.time() - days,) * 2)
    created = datetime.now(UTC) - timedelta(seconds=days)
    async with site.database.writing() as connection:
        await connection.execute(update(t.videos).values(created_at=created))
    for _ in range(SWEEPS):
        await Sweeper(site.blobs, Videos(site.database), 0.0).sweep()
    return [*_incoming(root), *await _unused(site)]


def _incoming(root: Path) -> Iterator[str]:
    yield from (f"never swept: {path.name}" for path in (root / "incoming").rglob("*"))


async def _unused(site: Site) -> list[str]:
    """Bytes of videos, and rows of them, that no job uses."""
    async with site.database.reading() as connection:
        used = set((await connection.execute(select(t.jobs.c.video_id))).scalars())
        known = set((await connection.execute(select(t.videos.c.id))).scalars())
    stored = {path.name for path in (site.settings.storage.root / "videos").glob("*/*")}
    return [
        *(f"bytes that no job uses: {one}" for one in stored - used),
        *(f"a row that no job uses: {one}" for one in known - used),
    ]
