"""Who leads: it is taken, kept, lost and given up on a real database."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from tests.fakes.bench import parts_of
from tests.fakes.launcher import FakeLauncher, FakeMachine
from tests.fakes.stored import Stored
from tests.fakes.worker_client import FakeWorker
from videoannotator.domain.errors import DatabaseUnavailable
from videoannotator.domain.jobs import RunState, WorkerState
from videoannotator.domain.leadership import Leadership
from videoannotator.rpc.tokens import sha256_hex
from videoannotator.scheduler import service
from videoannotator.scheduler.loop import Pace
from videoannotator.scheduler.service import Scheduler, Terms
from videoannotator.store.leader import Leader
from videoannotator.store.rows import Snapshot
from videoannotator.store.schedule import Schedule
from videoannotator.telemetry.lines import Told


class Flickering(Schedule):
    """A database that does not answer the first so many looks."""

    failures = 0

    async def snapshot(self) -> Snapshot:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable
        return await super().snapshot()


class Away(Leader):
    """A database that does not answer who would lead, until it is back."""

    back = False
    refused = 0

    async def acquire(self, holder: str, address: str, lease_seconds: float) -> Leadership | None:
        if self.back:
            return await super().acquire(holder, address, lease_seconds)
        self.refused += 1
        raise DatabaseUnavailable


class Site:
    """A database and a storage that several schedulers share."""

    def __init__(self, stored: Stored, folder: Path, sockets: Path) -> None:
        self.stored = stored
        self.leader = Leader(stored.database)
        self.machine = FakeMachine()
        self.schedule = Flickering(stored.database)
        self.workers: dict[str, FakeWorker] = {}
        self.folder = folder
        self.sockets = sockets

    def scheduler(self, name: str, *, lease_seconds: float = 5.0) -> Scheduler:
        parts = parts_of(self.stored, self.folder, FakeLauncher(self.machine), self.workers)
        parts = replace(parts, schedule=self.schedule)
        terms = Terms(
            holder=name,
            listen=f"unix:{self.sockets / name}.sock",
            internal_token_sha256=sha256_hex("token"),
            lease_seconds=lease_seconds,
            renew_seconds=0.05,
            stop_grace_seconds=1.0,
            pace=Pace(tick_seconds=0.02, quick_seconds=0.01),
        )
        return Scheduler(parts, self.leader, terms)

    @asynccontextmanager
    async def running(self, name: str, **terms: float) -> AsyncIterator[Scheduler]:
        """A scheduler inside the block; its workers run on."""
        scheduler = self.scheduler(name, **terms)
        await scheduler.start()
        try:
            yield scheduler
        finally:
            await scheduler.stop(take_workers=False)


@pytest.fixture
async def site(stored: Stored, tmp_path: Path) -> AsyncIterator[Site]:
    """Nobody leads yet."""
    await Leader(stored.database).give_up("first", stored.epoch)
    with tempfile.TemporaryDirectory(prefix="va") as sockets:  # a socket's path must be short
        yield Site(stored, tmp_path / "storage", Path(sockets))


async def until(true: Callable[[], bool]) -> None:
    """Waits until it is so; the test fails when that never comes."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is waited for rings no bell
            await asyncio.sleep(0.01)


async def until_running(site: Site, job_id: str) -> None:
    """Polls until the first run of the job runs."""
    async with asyncio.timeout(30):
        while True:
            rows = await site.stored.jobs.get(site.stored.owner, job_id)
            if rows.runs[0].state is RunState.RUNNING:
                return
            await asyncio.sleep(0.01)


def attached(site: Site) -> int:
    """How often a leader attached to a worker."""
    return sum(worker.calls.count("Annotate") for worker in site.workers.values())


def told_leaders() -> float | None:
    """What the metrics of this process tell."""
    return REGISTRY.get_sample_value("videoannotator_leader")


async def holder(site: Site) -> str | None:
    return (await site.leader.read()).holder


async def test_one_leads_and_the_other_stands_by_until_the_row_is_given_up(site: Site) -> None:
    async with site.running("b") as standby:
        async with site.running("a") as first:
            await until(lambda: first.leading or standby.leading)
            leading, other = (first, standby) if first.leading else (standby, first)

            assert not other.leading
            assert other.alive
            assert leading.alive
        await until(lambda: standby.leading)

        assert await holder(site) == "b"


async def test_a_stop_gives_the_row_up_and_leaves_the_workers_at_work(site: Site) -> None:
    await site.stored.submit("p")
    async with site.running("a"):
        await until(lambda: bool(site.machine.living()))

    leadership = await site.leader.read()

    assert (leadership.holder, leadership.address) == (None, None)
    assert len(site.machine.living()) == 1


async def test_a_stop_that_takes_the_workers_along_leaves_their_runs_to_wait(site: Site) -> None:
    rows = await site.stored.submit("p")
    scheduler = site.scheduler("a")
    await scheduler.start()
    await until(lambda: bool(site.machine.living()))

    await scheduler.stop(take_workers=True)

    rows = await site.stored.jobs.get(site.stored.owner, rows.job.id)
    assert site.machine.living() == set()
    assert [worker.state for worker in rows.workers] == [WorkerState.GONE]
    assert rows.runs[0].state is RunState.PENDING
    assert rows.runs[0].infrastructure_failures == 0


async def test_the_next_leader_finds_the_worker_and_starts_no_second_one(site: Site) -> None:
    rows = await site.stored.submit("p")
    async with site.running("a"):
        await until(lambda: bool(site.machine.living()))
    async with site.running("b") as second:
        await until(lambda: second.leading)
        await until_running(site, rows.job.id)

    assert len(site.machine.starts) == 1


async def test_who_is_told_that_another_leads_steps_down_and_leaves_the_row_alone(
    site: Site,
) -> None:
    async with site.running("a") as scheduler:
        await until(lambda: scheduler.leading)
        await site.leader.give_up("a", (await site.leader.read()).epoch)
        taken = await site.leader.acquire("b", "unix:/b", 60)

        await until(lambda: not scheduler.leading)

        assert taken is not None
        assert scheduler.alive
    assert await holder(site) == "b"


async def test_a_database_that_is_away_for_a_moment_ends_nothing(site: Site) -> None:
    site.schedule.failures = 2
    async with site.running("a") as scheduler:
        await until(lambda: scheduler.leading or not scheduler.alive)
        await site.stored.submit("p")
        await until(lambda: bool(site.machine.living()) or not scheduler.alive)

        assert scheduler.alive
        assert len(site.machine.living()) == 1


async def test_who_leads_again_after_an_outage_attaches_again_to_its_workers(site: Site) -> None:
    await site.stored.submit("p")
    async with site.running("a") as scheduler:
        await until(lambda: attached(site) == 1)

        site.schedule.failures = 1_000_000  # what the worker tells from now on is not looked at
        await site.leader.give_up("a", (await site.leader.read()).epoch)
        meanwhile = await site.leader.acquire("b", "unix:/b", 60)
        assert meanwhile is not None
        await until(lambda: not scheduler.leading)
        site.schedule.failures = 0
        await site.leader.give_up("b", meanwhile.epoch)

        await until(lambda: attached(site) == 2)


async def test_a_leader_whose_loop_hangs_ticks_no_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.running("a") as scheduler:
        await until(lambda: scheduler.leading)
        going = scheduler.ticks
        monkeypatch.setattr(service, "STUCK_SECONDS", -1.0)
        hanging = scheduler.ticks
    standing = scheduler.ticks

    assert (going, hanging, standing) == (True, False, True)


async def test_metrics_tell_of_a_leader_only_while_it_leads(site: Site) -> None:
    async with site.running("a"):
        await until(lambda: told_leaders() == 1)

    assert told_leaders() == 0


async def test_an_outage_is_told_once_and_so_is_its_end(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service, "STANDBY_SECONDS", 0.01)
    caplog.set_level(logging.INFO, logger=service.__name__)
    away = Away(site.stored.database)
    site.leader = away
    async with site.running("a") as scheduler:
        await until(lambda: away.refused > 2)
        away.back = True
        await until(lambda: scheduler.leading)

    events = [each.msg["event"] for each in caplog.records if isinstance(each.msg, Told)]
    told = [event for event in events if "database" in event]
    assert told == ["scheduler.database_unavailable", "scheduler.database_available"]
