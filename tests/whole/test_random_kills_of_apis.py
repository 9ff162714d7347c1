"""Apis, schedulers and workers killed at random moments while users send, cancel and delete.

KILL_SEED=<number> in the environment repeats the choices of an earlier run.
"""

import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.chaos import thrown_seed
from tests.fakes.leftovers import half_videos, swept_later
from tests.fakes.mortal import Nursery
from tests.fakes.rest_chaos import RestChaos
from tests.fakes.site import Site, quick_settings, workers_of
from videoannotator.scheduler.composing import socket_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgresql,
]

JOBS = 50
KILLS = 70
FREEZES = 6


@pytest.fixture
async def chaos(nursery: Nursery, clip: Path, tmp_path: Path) -> AsyncIterator[RestChaos]:
    """An empty site and a seed."""
    seed = thrown_seed()
    site = await Site.open(quick_settings(tmp_path / "storage"))
    video = await site.add_video(clip)
    content = clip.read_bytes()  # noqa: ASYNC240 - it is small
    yield RestChaos(site, nursery, tmp_path, video, random.Random(seed), content=content)
    await site.close()
    for process in workers_of(tmp_path):
        process.kill()
    shutil.rmtree(socket_folder(site.settings.storage.root), ignore_errors=True)


@pytest.mark.timeout(900)
async def test_killed_apis_and_schedulers_lose_nothing_and_do_nothing_twice(
    chaos: RestChaos,
) -> None:
    freezes = 0
    while len(chaos.kills) < KILLS:
        await chaos.staff()
        while len(chaos.keys) < min(JOBS, 6 + len(chaos.kills) * JOBS / KILLS):
            await chaos.submit()
        if len(chaos.kills) >= (freezes + 1) * KILLS / (FREEZES + 1):
            freezes += 1
            await (chaos.freeze_api() if freezes % 3 == 0 else chaos.freeze())
        await chaos.kill()
    while len(chaos.keys) < JOBS:
        await chaos.submit()
    await chaos.end()

    left = await swept_later(chaos.site)
    assert await chaos.wrong() == []
    assert left == []
    assert await half_videos(chaos.site) == []
    assert {"scheduler", "worker", "api"} == set(chaos.kills)
    assert chaos.lost > 0
    assert chaos.overtaken > 0
