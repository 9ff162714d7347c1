"""Schedulers and workers killed at random moments while forty jobs run.

KILL_SEED=<number> in the environment repeats the choices of an earlier run.
"""

import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.chaos import Chaos, thrown_seed
from tests.fakes.mortal import Nursery
from tests.fakes.site import Site, quick_settings, workers_of
from videoannotator.scheduler.composing import socket_folder

pytestmark = pytest.mark.slow

JOBS = 40
KILLS = 60
FREEZES = 5


@pytest.fixture
async def chaos(nursery: Nursery, clip: Path, tmp_path: Path) -> AsyncIterator[Chaos]:
    """An empty site and a seed."""
    seed = thrown_seed()
    site = await Site.open(quick_settings(tmp_path / "storage"))
    video = await site.add_video(clip)
    dice = random.Random(seed)
    yield Chaos(site, nursery, tmp_path, video, dice)
    await site.close()
    for process in workers_of(tmp_path):
        process.kill()
    shutil.rmtree(socket_folder(site.settings.storage.root), ignore_errors=True)


@pytest.mark.timeout(900)
async def test_random_kills_lose_nothing_and_do_nothing_twice(chaos: Chaos) -> None:
    freezes = 0
    while len(chaos.kills) < KILLS:
        await chaos.staff()
        while len(chaos.jobs) < min(JOBS, 6 + len(chaos.kills) * JOBS / KILLS):
            await chaos.submit()
        if len(chaos.kills) >= (freezes + 1) * KILLS / (FREEZES + 1):
            freezes += 1
            await chaos.freeze()
        await chaos.kill()
    while len(chaos.jobs) < JOBS:
        await chaos.submit()
    await chaos.end()

    assert await chaos.wrong() == []
    assert len(chaos.jobs) == JOBS
    assert {"scheduler", "worker"} == set(chaos.kills)
    assert chaos.overtaken > 0
