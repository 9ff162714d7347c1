"""A site whose schedulers and workers are killed at moments of chance, and what must be left."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.fakes.mortal import Life, Mortal, Nursery, nothing_left
from tests.fakes.site import Site, workers_of
from tests.fakes.verdict import faults
from videoannotator.domain.errors import JobAlreadyEnded, JobNotFound, Unavailable
from videoannotator.domain.jobs import JobState
from videoannotator.domain.videos import Video
from videoannotator.store.jobs import Jobs
from videoannotator.store.leader import Leader
from videoannotator.store.schedule import Schedule
from videoannotator.store.videos import Videos

SCHEDULERS = 3  #: one leads, the others stand by
FROZEN_LOOKS = 50
SETTINGS = {
    "lease_seconds": 1.2,
    "renew_seconds": 0.3,
    "orphan_grace_seconds": 30.0,
    "sweep_seconds": 3.0,
}
KILLED = -signal.SIGKILL
END_SECONDS = 240.0  #: a bound for a machine that does much else
SEED_NAME = "KILL_SEED"


def thrown_seed() -> int:
    """The seed that was given, or a new one; told."""
    seed = int(os.environ.get(SEED_NAME) or time.time_ns() % 1_000_000)
    print(f"{SEED_NAME}={seed}")
    return seed


@dataclass
class Chaos:
    """A site with schedulers, jobs, and somebody who kills."""

    site: Site
    nursery: Nursery
    folder: Path
    video: Video
    dice: random.Random
    schedulers: list[Mortal] = field(default_factory=list)
    former: list[Mortal] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    unwanted: dict[str, str] = field(default_factory=dict)  #: job id -> cancel | delete
    jobs: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    overtaken: int = 0  #: freezes in which another one took the leadership

    # --- jobs

    async def submit(self) -> None:
        """One more job, which may be unwanted later."""
        told = {"journal": str(self.folder / "journal"), **self._parameters()}
        job = await patiently(lambda: self.site.submit(self.video, ("journal", told)))
        self.jobs.append(job)
        if self.dice.random() < 0.3:
            self.unwanted[job] = self.dice.choice(["cancel", "cancel", "delete"])
            delay = self.dice.uniform(0.0, 6.0)
            self.tasks.append(asyncio.create_task(self._unwant(job, delay)))

    def _parameters(self) -> dict[str, Any]:
        seconds = round(self.dice.uniform(0.2, 3.0), 1)
        kinds: list[dict[str, Any]] = [
            {},
            {"child_seconds": 90},
            {"die_signal": 9, "fault_attempts": 1},
            {"ignore_sigterm": True, "files": 3, "file_bytes": 100_000},
        ]
        return {"seconds": seconds, **self.dice.choices(kinds, [6, 3, 1, 2])[0]}

    async def _unwant(self, job: str, delay: float) -> None:
        await asyncio.sleep(delay)
        jobs = Jobs(self.site.database)
        call = jobs.delete if self.unwanted[job] == "delete" else jobs.cancel
        with suppress(JobAlreadyEnded):
            await patiently(lambda: call(self.site.user, job))

    # --- schedulers

    async def staff(self) -> None:
        """Replaces the schedulers that died."""
        self.former += [one for one in self.schedulers if one.status is not None]
        self.schedulers = [one for one in self.schedulers if one.status is None]
        while len(self.schedulers) < SCHEDULERS:
            life = Life(
                root=str(self.site.settings.storage.root),
                scheduler=SETTINGS,
                epochs=str(self.folder / "epochs"),
                for_ever=True,
            )
            self.schedulers.append(await self.nursery.bear(life))

    async def leader(self) -> Mortal:
        """The scheduler that leads; any, when none does at the moment."""
        holder = (await Leader(self.site.database).read()).holder or ""
        named = [one for one in self.schedulers if f":{one.pid}:" in holder]
        return (named or self.schedulers)[0]

    # --- kills

    async def kill(self) -> None:
        """Kills at a moment and a place of chance."""
        await asyncio.sleep(self.dice.uniform(0.1, 1.8))
        whom = self.dice.choices(["scheduler", "worker", "both"], [5, 3, 2])[0]
        if whom != "worker":
            await self._kill_leader()
        if whom != "scheduler":
            self._kill_worker()

    async def _kill_leader(self) -> None:
        leader = await self.leader()
        leader.signal(signal.SIGKILL)
        await leader.died(10.0)
        self.kills.append("scheduler")

    def _kill_worker(self) -> None:
        living = workers_of(self.site.settings.storage.root)
        if living:
            with suppress(psutil.NoSuchProcess):
                self.dice.choice(living).kill()
                self.kills.append("worker")

    async def freeze(self) -> None:
        """Stops the leader until another one leads, and a little longer; then it wakes up."""
        leader = Leader(self.site.database)
        frozen, epoch = await self.leader(), (await leader.read()).epoch
        frozen.signal(signal.SIGSTOP)
        # Stopped inside a transaction it keeps the database locked: then nobody can take over.
        for _ in range(FROZEN_LOOKS):
            await asyncio.sleep(0.1)
            if (await leader.read()).epoch > epoch:
                break
        self.overtaken += (await leader.read()).epoch > epoch
        await asyncio.sleep(self.dice.uniform(0.0, 1.0))
        frozen.signal(signal.SIGCONT)

    # --- the end

    async def end(self) -> None:
        """Waits until all work has ended, then ends the schedulers."""
        await asyncio.gather(*self.tasks)
        deadline = time.monotonic() + END_SECONDS
        while not await nothing_left(self.site.database):
            assert time.monotonic() < deadline, await self._undone()
            await self.staff()
            await asyncio.sleep(0.1)
        for one in self.schedulers:
            one.signal(signal.SIGKILL)
            await one.died(10.0)

    async def _undone(self) -> list[object]:
        """What keeps this site from its end."""
        snapshot = await Schedule(self.site.database).snapshot()
        doomed = await Videos(self.site.database).doomed()
        leader = await Leader(self.site.database).read()
        return [leader, *doomed, *snapshot.jobs]

    async def wrong(self) -> list[str]:
        """What is not as it must be."""
        kept = [job for job in self.jobs if self.unwanted.get(job) != "delete"]
        rows = [await self.site.job(job) for job in kept]
        found = await faults(self.site, rows, self.folder / "journal")
        for one in rows:
            found += self._wrong_state(one.job.id, one.job.state, one.job.error_message)
        for job in set(self.jobs) - set(kept):
            with suppress(JobNotFound):
                await self.site.job(job)
                found.append(f"job {job} was deleted and is there")
            found += [key for key in await self.site.blobs.list("jobs") if job in key]
        epochs = [int(line) for line in (self.folder / "epochs").read_text().splitlines()]
        if epochs != sorted(epochs):
            found.append("a former leader wrote after its successor")
        broken = [one for one in (*self.former, *self.schedulers) if one.status != KILLED]
        return found + [f"a scheduler ended with {one.status}" for one in broken]

    def _wrong_state(self, job: str, state: JobState, error: str | None) -> list[str]:
        allowed = {JobState.COMPLETED}
        if job in self.unwanted:
            allowed.add(JobState.CANCELLED)
        right = state in allowed and (error is None or state is JobState.CANCELLED)
        return [] if right else [f"job {job} is {state}: {error}"]


async def patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """A frozen scheduler may keep the database locked for a while: the api would answer 503."""
    for _ in range(20):
        with suppress(Unavailable):
            return await call()
    return await call()
