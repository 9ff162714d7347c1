"""A leader that fails, and a standby that goes on with its workers: real processes."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fakes import databases
from tests.fakes.failover import How, Stage, Story, ended_well
from tests.fakes.separate import SeparateSite, separate_site
from tests.fakes.site import QUICK, Site

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(300)]

WORK_SECONDS = 9.0  #: more than a lease, so that the next leader finds the workers at work
#: On a busy machine a takeover takes its time, and no worker shall end meanwhile.
TIMES = {**QUICK, "orphan_grace_seconds": 60.0}
#: A frozen leader may hold SQLite's one write lock: then nobody can take over, and nothing is lost.
ON_SQLITE: tuple[How, ...] = ("killed", "stopped")
EVERYWHERE: tuple[How, ...] = (*ON_SQLITE, "frozen", "frozen in a transaction")
CASES = ON_SQLITE if os.environ[databases.KIND] == "sqlite" else EVERYWHERE


@pytest.fixture
def separate(tmp_path: Path) -> Iterator[SeparateSite]:
    """Leaves no process behind."""
    with separate_site(tmp_path, times=TIMES) as opened:
        yield opened


@pytest.fixture
async def stage(separate: SeparateSite, tmp_path: Path) -> AsyncIterator[Stage]:
    """Nobody leads yet."""
    site = await Site.open(separate.settings)
    yield Stage(separate, site, tmp_path)
    await site.close()


@pytest.mark.parametrize("how", CASES)
async def test_a_standby_goes_on_with_the_workers_of_a_leader_that_fails(
    stage: Stage, clip: Path, how: How
) -> None:
    story = await stage.play(how, clip, WORK_SECONDS)
    print(f"\n{story.timeline}")

    assert story.epochs[1] == story.epochs[0] + 1
    assert went_on_with_the_workers(story)
    assert set(map(tuple, story.events.values())) == {("started", "ended")}, "none began twice"
    assert ended_well(story.after)
    assert story.status == {"killed": -9, "stopped": 0}.get(how)
    assert story.freed
    assert story.woken is ("frozen" in how)
    assert story.changed == (), "the woken one has written"
    assert list(story.writers) == sorted(story.writers), "a former leader has written"


def went_on_with_the_workers(story: Story) -> bool:
    """The next leader has called the workers that were there, and there were no others."""
    workers = {worker.id for rows in story.before for worker in rows.workers}
    later = {worker.id for rows in story.after for worker in rows.workers}
    return workers == later == story.attached
