"""A full disk is waited for: the scheduler lives, and what it could not write it writes later."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.site import Site, journal, quick_settings, succeeded, workers_of
from tests.whole.test_runs import until_written

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_a_run_goes_on_when_there_is_space_again(
    small_disk: Path, clip: Path, tmp_path: Path
) -> None:
    site = await Site.open(quick_settings(small_disk))
    video = await site.add_video(clip)
    lines = tmp_path / "journal"
    async with site.scheduling() as scheduler:
        job = await site.submit(video, ("journal", {"journal": str(lines), "seconds": 1}))
        await site.running(job)
        await until_written(lines)
        fill(small_disk / "ballast")
        lease = site.settings.scheduler.lease_seconds
        await asyncio.sleep(lease + 1)  # long enough to lose the leadership as well
        alive = scheduler.alive
        (small_disk / "ballast").unlink()
        rows = await site.ended(job)
    await site.close()

    assert alive
    assert succeeded(rows), rows.runs[0].failure
    assert "completed" in {line["outcome"] for line in journal(lines)}
    assert workers_of(tmp_path) == []


def fill(path: Path) -> None:
    """Takes every byte that is left."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return
