"""The rules of the protocol that only the shell can keep: what it records, and what it sends.

See `test_rules` for those that are decided.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.bench import LEASE_SECONDS, Bench, a_bench, calls_end
from tests.fakes.launcher import FakeLauncher
from tests.fakes.rows import NOW, follow
from tests.fakes.stored import Stored
from videoannotator.domain.errors import NotLeader
from videoannotator.domain.jobs import RunState, Worker
from videoannotator.scheduler.actions import Call, Create, Terminate
from videoannotator.scheduler.inbox import CreateEnded, TerminateEnded
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.observed import Observed
from videoannotator.scheduler.places import LocalPlaces
from videoannotator.scheduler.shell import SEND_WITHIN_SECONDS
from videoannotator.store.rows import JobRows

# --- wait-75


async def test_wait_75_counts_from_the_record_not_from_the_begin_of_a_long_tick(
    bench: Bench,
) -> None:
    rows, worker = await bench.launched()
    began = (await bench.parts.schedule.snapshot()).now
    recorded = began
    while recorded == began:
        recorded = (await bench.parts.schedule.snapshot()).now

    await bench.shell.carry_out(Create(job_id=rows.job.id, worker_id=worker.id), rows, began)

    sent = (await bench.rows(rows.job.id)).workers[0].create_sent_at
    assert sent is not None
    assert sent >= recorded


class SlowPlaces(LocalPlaces):
    """A storage in which time passes while a folder is made."""

    bench: Bench
    seconds = SEND_WITHIN_SECONDS + 1
    renewing = True  #: the lease is renewed meanwhile

    async def prepare(self, rows: JobRows, worker: Worker) -> None:
        await super().prepare(rows, worker)
        self.bench.clock.seconds += self.seconds
        if self.renewing:
            self.bench.lease.renewed(self.bench.clock())


def slow_bench(stored: Stored, folder: Path) -> Bench:
    """A bench whose folders are slowly made."""
    places = SlowPlaces(folder)
    bench = a_bench(stored, folder)
    bench.parts = replace(bench.parts, places=places)
    places.bench = bench
    return bench


async def test_wait_75_a_create_that_could_not_leave_within_15_seconds_is_dropped(
    stored: Stored, tmp_path: Path
) -> None:
    bench = slow_bench(stored, tmp_path)
    await bench.begin()
    rows, worker = await bench.launched()

    begun = await bench.create(rows, worker)
    ended = await bench.heard()
    await bench.close()

    assert begun
    assert bench.clock() == 1000 + SEND_WITHIN_SECONDS + 1
    assert ended == CreateEnded(worker_id=worker.id, again_after_seconds=0.0)
    assert bench.launcher.created == []


# --- create-recorded


async def test_create_recorded_a_cancel_between_the_reread_and_the_create_stops_the_create(
    bench: Bench,
) -> None:
    rows, worker = await bench.launched()
    await bench.stored.jobs.cancel(bench.stored.owner, rows.job.id)

    begun = await bench.create(rows, worker)

    assert not begun
    assert (await bench.rows(rows.job.id)).workers[0].create_sent_at is None


class Reading(FakeLauncher):
    """A launcher that notes what the worker's row says at the moment of the create."""

    def __init__(self, read: Callable[[], object]) -> None:
        super().__init__()
        self.read = read
        self.rows: list[Worker] = []

    async def create(self, worker: Worker) -> None:
        self.rows.append(await self.read())  # type: ignore[misc]
        await super().create(worker)


async def test_create_recorded_the_row_says_so_before_it_is_sent(
    stored: Stored, tmp_path: Path
) -> None:
    async def read() -> Worker:
        return (await bench.rows(rows.job.id)).workers[0]

    launcher = Reading(read)
    bench = a_bench(stored, tmp_path / "storage", launcher)
    await bench.begin()
    rows, worker = await bench.launched()

    await bench.create(rows, worker)
    await bench.heard()
    await bench.close()

    (seen,) = launcher.rows
    assert seen.create_sent_at is not None
    assert seen.create_sent_at >= worker.created_at


async def test_create_recorded_a_cancel_after_it_waits_until_no_create_can_land(
    bench: Bench,
) -> None:
    rows, worker = await bench.launched()
    await bench.create(rows, worker)
    await bench.heard()
    await bench.stored.jobs.cancel(bench.stored.owner, rows.job.id)
    rows = await bench.rows(rows.job.id)
    unseen = Observed(
        leader_since=bench.view.leader_since, sights={worker.id: Observation(sight=Sight.UNSEEN)}
    )
    sent = rows.workers[0].create_sent_at
    assert sent is not None

    rows, _ = follow(rows, unseen, sent)

    assert rows.runs[0].state is RunState.CANCELLING
    assert rows.workers[0].charged


# --- lease-before-send


async def test_lease_before_send_a_leader_that_lost_the_database_creates_nothing(
    bench: Bench,
) -> None:
    rows, worker = await bench.launched()
    bench.clock.seconds += LEASE_SECONDS

    with pytest.raises(NotLeader):
        await bench.create(rows, worker)

    assert bench.launcher.created == []


async def test_lease_before_send_it_is_looked_at_again_right_before_the_create(
    bench: Bench,
) -> None:
    rows, worker = await bench.launched()
    begun = await bench.create(rows, worker)
    bench.clock.seconds += LEASE_SECONDS

    await bench.heard()

    assert begun
    assert bench.launcher.created == []


async def test_lease_before_send_it_is_looked_at_again_after_the_folder_is_made(
    stored: Stored, tmp_path: Path
) -> None:
    bench = slow_bench(stored, tmp_path)
    bench.parts.places.seconds = LEASE_SECONDS - 5
    bench.parts.places.renewing = False
    await bench.begin()
    rows, worker = await bench.launched()
    bench.clock.seconds += 6

    begun = await bench.create(rows, worker)
    await bench.heard()
    await bench.close()

    assert begun
    assert bench.clock() == 1000 + 6 + LEASE_SECONDS - 5
    assert bench.launcher.created == []


async def test_lease_before_send_no_worker_is_ended(bench: Bench) -> None:
    rows, worker = await bench.launched()
    bench.clock.seconds += LEASE_SECONDS

    await bench.shell.carry_out(Terminate(job_id=rows.job.id, worker_id=worker.id), rows, NOW)
    await bench.heard(TerminateEnded)

    assert bench.launcher.terminated == []


async def test_lease_before_send_no_worker_is_called(bench: Bench) -> None:
    rows, worker = await bench.launched()
    bench.clock.seconds += LEASE_SECONDS
    action = Call(job_id=rows.job.id, worker_id=worker.id, address="unix:/w", identity="p1")

    await bench.shell.carry_out(action, rows, NOW)
    await calls_end()

    assert bench.workers["w"].calls == []
