"""A leader that fails while workers work, told second by second."""

import asyncio
import inspect
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select

from tests.fakes.separate import Program, SeparateSite, moment
from tests.fakes.site import Site, has_ended, journal
from videoannotator.domain.jobs import RunState
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader
from videoannotator.store.rows import JobRows

How = Literal["killed", "frozen", "frozen in a transaction", "stopped"]

JOBS = 2
SECONDS = 120.0


@dataclass
class Timeline:
    """What happened, in seconds since the leader failed."""

    began: float = 0.0
    entries: list[tuple[float, str]] = field(default_factory=list)

    def note(self, what: str, at: float | None = None) -> None:
        """Something happened now, or at a moment of this machine's clock."""
        self.entries.append(((at or time.time()) - self.began, what))

    def seconds(self, what: str) -> float:
        """When something happened first."""
        return min(seconds for seconds, told in self.entries if told == what)

    def __str__(self) -> str:
        """A line each, in order."""
        return "\n".join(f"{seconds:8.2f} s  {what}" for seconds, what in sorted(self.entries))


@dataclass
class Story:
    """A failure and what came of it."""

    how: How
    timeline: Timeline = field(default_factory=Timeline)
    epochs: tuple[int, int] = (0, 0)  #: before and after
    before: tuple[JobRows, ...] = ()  #: right before the failure
    after: tuple[JobRows, ...] = ()  #: when all work has ended
    attached: frozenset[str] = frozenset()  #: workers that the next leader went on with
    changed: tuple[str, ...] = ()  #: tables that the woken one has changed
    woken: bool = False  #: the woken one has said that it leads no more
    freed: bool = False  #: the row was empty after the standby was stopped, too
    status: int | None = None  #: exit status of the one that failed; None: it lives
    events: Mapping[str, list[str]] = field(default_factory=dict)  #: of the journal, by run
    writers: tuple[int, ...] = ()  #: epoch of each transaction, in their order, where it is told


class Stage:
    """A leader, a standby, and jobs that run."""

    def __init__(self, separate: SeparateSite, site: Site, folder: Path) -> None:
        """`site` is the same one, seen through its database."""
        self.separate = separate
        self.site = site
        self.journal = folder / "journal"
        self.order = folder / "freeze"
        self.release = folder / "release"  #: no work ends before this file is there
        self.epochs = folder / "epochs"
        self.row = Leader(site.database)

    async def play(self, how: How, clip: Path, work_seconds: float) -> Story:
        """Starts everything, lets the leader fail, and waits until all work has ended."""
        story = Story(how)
        leader, standby = await self._staffed(how)
        jobs = await self._submitted(clip, work_seconds)
        story.before = await self._rows(jobs)
        epoch = (await self.row.read()).epoch
        await self._strike(story, leader)
        mourning = asyncio.create_task(self._mourn(story, leader))
        story.epochs = (epoch, await self._watch(story.timeline, epoch))
        await until(lambda: len(standby.lines("worker.attached")) >= JOBS)
        self.release.touch()
        if how == "frozen":
            await self._wake(story, leader)
        story.after = tuple([await self.site.ended(job, SECONDS) for job in jobs])
        story.timeline.note("all work has ended")
        if how == "frozen in a transaction":
            await self._wake(story, leader)
        if "frozen" in how:
            await asyncio.to_thread(leader.end, signal.SIGKILL)  # it would lead next
        self._tell_of_workers(story, standby)
        story.events = events_by_run(journal(self.journal))
        await mourning
        await asyncio.to_thread(standby.end, signal.SIGTERM)
        story.freed = (await self.row.read()).holder is None
        return story

    async def _staffed(self, how: How) -> tuple[Program, Program]:
        """The leader leads before the other one is there."""
        leader, standby = (self._scheduler(how) for _ in range(2))
        holder = f":{leader.process.pid}:"
        standby.send(signal.SIGSTOP)
        await asyncio.to_thread(leader.ready)
        await until(lambda: self._leads(holder))
        standby.send(signal.SIGCONT)
        await asyncio.to_thread(standby.ready)
        return leader, standby

    def _scheduler(self, how: How) -> Program:
        if "frozen" in how:
            return self.separate.start("tests.fakes.freezing", str(self.order), str(self.epochs))
        return self.separate.scheduler()

    async def _leads(self, holder: str) -> bool:
        return holder in ((await self.row.read()).holder or "")

    async def _submitted(self, clip: Path, work_seconds: float) -> list[str]:
        video = await self.site.add_video(clip)
        told = {
            "journal": str(self.journal),
            "seconds": work_seconds,
            "until": str(self.release),
        }
        jobs = [await self.site.submit(video, ("journal", told)) for _ in range(JOBS)]
        for job in jobs:
            await self.site.until(job, lambda rows: rows.runs[0].state is RunState.RUNNING, SECONDS)
        await until(lambda: len(journal(self.journal)) == JOBS)
        return jobs

    async def _rows(self, jobs: Iterable[str]) -> tuple[JobRows, ...]:
        return tuple([await self.site.job(job) for job in jobs])

    async def _strike(self, story: Story, leader: Program) -> None:
        signals = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP, "stopped": signal.SIGTERM}
        if story.how in signals:
            leader.send(signals[story.how])
        else:
            self.order.touch()
            await until(lambda: leader.frozen)
        story.timeline.began = time.time()
        story.timeline.note(f"the leader is {story.how}")

    async def _mourn(self, story: Story, leader: Program) -> None:
        """Waits for the end of the one that failed, unless it only stands still."""
        if "frozen" in story.how:
            return
        await until(lambda: leader.process.poll() is not None)
        story.status = leader.process.returncode
        story.timeline.note("its process has ended")

    async def _watch(self, timeline: Timeline, epoch: int) -> int:
        """Looks at the row until another one leads; its epoch."""
        expires_at, given_up = None, False
        while (row := await self.row.read()).epoch == epoch:
            assert time.time() < timeline.began + SECONDS
            expires_at = row.expires_at or expires_at
            if row.holder is None and not given_up:
                given_up = True
                timeline.note("the row is given up")
            await asyncio.sleep(0.01)
        timeline.note("the standby leads")
        if expires_at is not None and not given_up and time.time() > expires_at.timestamp():
            timeline.note("the lease is over", expires_at.timestamp())
        return row.epoch

    async def _wake(self, story: Story, leader: Program) -> None:
        """Wakes the former leader; compares all rows, when nobody else works."""
        idle = story.after != ()
        before = await dump(self.site.database) if idle else {}
        leader.send(signal.SIGCONT)
        story.timeline.note("the former leader wakes up")
        await until(lambda: leader.lines("scheduler.led"))
        story.timeline.note("it leads no more", moment(leader.lines("scheduler.led")[0]))
        story.woken = True
        story.writers = tuple(int(line) for line in self.epochs.read_text().split())
        after = await dump(self.site.database) if idle else {}
        story.changed = tuple(name for name in before if before[name] != after[name])

    def _tell_of_workers(self, story: Story, standby: Program) -> None:
        for line in standby.lines("worker.attached"):
            story.timeline.note("a worker is attached again", moment(line))
            story.attached |= {line["worker_id"]}


async def until(reached: Callable[[], Any], seconds: float = SECONDS) -> None:
    """Polls until it is so; `reached` may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while not (await found if inspect.isawaitable(found := reached()) else found):
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.01)


async def dump(database: Database) -> dict[str, list[Any]]:
    """Every row, but for the end of the lease, which is renewed all the time."""
    found = {}
    async with database.reading() as connection:
        for table in t.metadata.sorted_tables:
            columns = [c for c in table.c if (table.name, c.name) != ("leader", "expires_at")]
            rows = await connection.execute(select(*columns).order_by(*table.primary_key))
            found[table.name] = [tuple(row) for row in rows]
    return found


def events_by_run(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What the journal tells of each run, in order."""
    told: dict[str, list[str]] = {}
    for line in lines:
        told.setdefault(line["run"], []).append(line["event"])
    return told


def ended_well(rows: Iterable[JobRows]) -> bool:
    """Every job has ended with its results, and every worker is gone."""
    return all(has_ended(row) and row.runs[0].state is RunState.SUCCEEDED for row in rows)
