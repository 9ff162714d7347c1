"""A scheduler that kills itself at a step of its protocols, for every step, and what is left then.

A first life without a death names the steps of a scenario. Then each step is where a child dies;
the next one goes on with what is left. A site sees several deaths, each at a later step, so that
one worker is found again by many schedulers.
"""

import asyncio
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.fakes import databases
from tests.fakes.mortal import Life, Nursery
from tests.fakes.site import Site, journal, quick_settings
from tests.fakes.verdict import faults
from videoannotator.blobs.files import FileBlobs
from videoannotator.domain.jobs import JobState
from videoannotator.domain.videos import Video
from videoannotator.scheduler.composing import socket_folder
from videoannotator.store import tables
from videoannotator.store.engine import Database

pytestmark = pytest.mark.slow

KILLED = -9
DEATHS = 7  #: in one site
TRIES = 3  # of a step that the deaths before it passed over
PARTS = 2  #: tests per scenario, side by side
AT_ONCE = 4  #: sites
LIFE_SECONDS = 150.0  #: a bound for a machine that does much else
LEASE = {"lease_seconds": 1.2, "renew_seconds": 0.3, "orphan_grace_seconds": 30.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What the pipeline does, what a user does and when, and how it must end."""

    parameters: dict[str, Any] = field(default_factory=dict)
    act: str = ""
    act_at: str = ""
    ends: frozenset[JobState] = frozenset({JobState.COMPLETED})
    attempts: int = 1
    starts: tuple[int, ...] = (1,)  #: how many workers may have begun to work


SCENARIOS = {
    "launch and finish": Scenario(parameters={"seconds": 0.3, "log_lines": 1}),
    "cancel while it starts": Scenario(
        parameters={"seconds": 60},
        act="cancel",
        act_at="after create 1",
        ends=frozenset({JobState.CANCELLED}),
        starts=(0, 1),
    ),
    "cancel while it runs": Scenario(
        parameters={"seconds": 60},
        act="cancel",
        act_at="progress 1",
        ends=frozenset({JobState.CANCELLED}),
    ),
    "cancel when it has finished": Scenario(act="cancel", act_at="completed 1"),
    "retry after a worker's death": Scenario(
        parameters={"seconds": 0.1, "die_signal": 9, "fault_attempts": 1}, attempts=2, starts=(2,)
    ),
    "delete while it runs": Scenario(
        parameters={"seconds": 60}, act="delete", act_at="progress 1", ends=frozenset()
    ),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Where lives of one scenario take place: copies of one empty site."""

    scenario: Scenario
    nursery: Nursery
    template: Site
    video: Video
    folder: Path

    async def play(self, number: int, deaths: Iterable[str]) -> "Played":
        """One site, with a child that dies at each of `deaths` and one that ends everything."""
        folder = self.folder / str(number)
        site = await asyncio.to_thread(self._copy, folder)
        try:
            life = await self._begin(site, folder)
            reached = [step for step in deaths if await self._dies(life, step)]
            status = await (await self.nursery.bear(life)).died(LIFE_SECONDS)
            wrong = [f"the last child ended with {status}"] if status else []
            wrong += await self._wrong(site, life.job_id, folder / "journal")
        finally:
            await site.close()
            shutil.rmtree(socket_folder(site.settings.storage.root), ignore_errors=True)
        return Played(reached, (folder / "steps").read_text().splitlines(), wrong)

    def _copy(self, folder: Path) -> Site:
        shutil.copytree(self.template.settings.storage.root, folder / "storage")
        databases.copy(self.template.settings.storage.root, folder / "storage")
        settings = quick_settings(folder / "storage")
        database = Database.open(settings.database_url)
        blobs = FileBlobs(settings.storage.root)
        return replace(self.template, settings=settings, database=database, blobs=blobs)

    async def _begin(self, site: Site, folder: Path) -> Life:
        told = {"journal": str(folder / "journal"), **self.scenario.parameters}
        return Life(
            root=str(site.settings.storage.root),
            scheduler=LEASE,
            reached=str(folder / "steps"),
            act=self.scenario.act,
            act_at=self.scenario.act_at,
            job_id=await site.submit(self.video, ("journal", told)),
        )

    async def _dies(self, life: Life, step: str) -> bool:
        """Whether a child came to that step; it may come to the end before."""
        child = await self.nursery.bear(replace(life, die_at=step))
        status = await child.died(LIFE_SECONDS)
        assert status in (0, KILLED), child.log.read_text()
        return status == KILLED

    async def _wrong(self, site: Site, job_id: str, lines: Path) -> list[str]:
        jobs = [await site.job(job_id)] if self.scenario.ends else []
        wrong = await faults(site, jobs, lines)
        starts = sum(line["event"] == "started" for line in journal(lines))
        if starts not in self.scenario.starts:
            wrong.append(f"{starts} workers began to work")
        for job in jobs:
            if job.job.state not in self.scenario.ends or job.job.error_message:
                wrong.append(f"the job is {job.job.state}: {job.job.error_message}")
            if len(job.attempts) != self.scenario.attempts:
                wrong.append(f"{len(job.attempts)} attempts")
        return wrong if jobs else wrong + await what_is_left(site)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one site."""

    reached: list[str]  #: of the deaths
    steps: list[str]  #: all that were passed, by any child
    wrong: list[str]


async def what_is_left(site: Site) -> list[str]:
    """Rows and bytes of a site in which everything was deleted."""
    left = [f"bytes of {key}" for top in ("jobs", "videos") for key in await site.blobs.list(top)]
    left += [f"folder {path}" for path in site.settings.storage.root.glob("jobs/*/*")]
    async with site.database.reading() as connection:
        for table in (tables.jobs, tables.runs, tables.attempts, tables.workers, tables.videos):
            count = await connection.scalar(select(func.count()).select_from(table))
            left += [f"{count} rows of {table.name}"] if count else []
    return left


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_scheduler_that_dies_at_any_step_leaves_nothing_wrong(
    name: str, part: int, nursery: Nursery, clip: Path, tmp_path: Path
) -> None:
    template = await Site.open(quick_settings(tmp_path / "template"))
    video = await template.add_video(clip)
    await template.close()
    stage = Stage(SCENARIOS[name], nursery, template, video, tmp_path)

    undisturbed, again = await stage.play(0, ()), await stage.play(1, ())
    # Where two messages race, a life takes one of several ways: what every life passes is counted.
    steps = [step for step in unique(undisturbed.steps) if step in again.steps]
    lives = spread(steps)[part::PARTS]
    played = await side_by_side(stage, lives, first=2)
    reached = {step for one in played for step in one.reached}
    # Tasks take turns: a step may have been passed already by the child that died before it.
    never = {step for life in lives for step in life if step not in reached}
    for number in range(1, TRIES + 1):
        alone = await side_by_side(stage, [[step] for step in sorted(never)], first=1000 * number)
        played += alone
        never -= {step for one in alone for step in one.reached}

    assert undisturbed.wrong == []
    assert len(steps) > 20, steps
    wrong = [(one.reached, one.wrong) for one in (again, *played) if one.wrong]
    assert wrong == []
    assert never == set()


async def side_by_side(stage: Stage, lives: list[list[str]], first: int) -> list[Played]:
    """Plays each life in a site of its own, a few at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def play(number: int, deaths: list[str]) -> Played:
        async with room:
            return await stage.play(number, deaths)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(play(first + n, life)) for n, life in enumerate(lives)]
    return [task.result() for task in tasks]


def spread(steps: list[str]) -> list[list[str]]:
    """Every step in one life: each has DEATHS of them, far from each other, in their order."""
    lives = -(-len(steps) // DEATHS)
    return [steps[start::lives] for start in range(lives)]


def unique(steps: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(steps))
