"""What the shell and the loop do for a launcher that watches: late creates, two pods, leftovers."""

import asyncio
from dataclasses import replace

import pytest

from tests.fakes.bench import LEASE_SECONDS, Bench, calls_end
from videoannotator.domain.errors import Forbidden, Unavailable
from videoannotator.scheduler.actions import Call
from videoannotator.scheduler.inbox import CreateEnded
from videoannotator.scheduler.launchers.interface import Stray, Watch
from videoannotator.scheduler.loop import Loop, Pace
from videoannotator.scheduler.shell import SEND_WITHIN_SECONDS

STRAYS = (Stray(worker_id="x", running=True), Stray(worker_id="y"))


async def settled() -> None:
    """Lets every task that was begun go on until it waits for something real."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("takes", "sent"), [(SEND_WITHIN_SECONDS, False), (14.0, True)])
async def test_a_create_that_a_launcher_may_hold_back_begins_so_much_earlier(
    bench: Bench, takes: float, sent: bool
) -> None:
    bench.launcher.leaves_within_seconds = takes
    rows, worker = await bench.launched()

    await bench.create(rows, worker)
    await bench.heard()

    assert (bench.launcher.created == [worker.id]) is sent


@pytest.mark.parametrize("error", [Unavailable("Busy.", retry_after_seconds=3), Forbidden("No.")])
async def test_a_create_without_an_outcome_is_to_be_repeated(
    bench: Bench, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, worker = await bench.launched()

    async def fails(_: object) -> None:
        raise error

    monkeypatch.setattr(bench.launcher, "create", fails)
    await bench.create(rows, worker)

    ended = await bench.heard()

    assert isinstance(ended, CreateEnded)
    assert ended.failure is None
    assert ended.again_after_seconds == (3 if isinstance(error, Unavailable) else 0)


async def test_a_call_to_another_pod_ends_the_calls_to_the_one_before(bench: Bench) -> None:
    rows, worker = await bench.launched()
    now = (await bench.parts.schedule.snapshot()).now

    for identity in ("p1", "p2"):
        action = Call(
            job_id=rows.job.id,
            worker_id=worker.id,
            address=f"unix:/{identity}/{worker.id}",
            identity=identity,
        )
        await bench.shell.carry_out(action, rows, now)
    await calls_end()

    assert len(bench.shell._drives) == 1
    assert bench.view.contacts[worker.id].identity == "p2"


async def test_what_is_left_over_is_cleared_while_the_lease_holds(bench: Bench) -> None:
    bench.shell.clear(STRAYS)
    await settled()
    cleared = list(bench.launcher.cleared)
    bench.clock.seconds += LEASE_SECONDS

    bench.shell.clear(STRAYS)
    await settled()

    assert cleared == ["x", "y"]
    assert bench.launcher.cleared == cleared


async def test_a_leader_that_has_read_no_rows_yet_takes_nothing_for_left_over(
    bench: Bench,
) -> None:
    since = (await bench.parts.schedule.snapshot()).now
    loop = Loop(bench.parts, bench.lease, bench.inbox, since, Pace())
    bench.launcher.seeing = Watch(strays=STRAYS)

    await loop.tick()
    await settled()
    first = list(bench.launcher.cleared)
    await loop.tick()
    await settled()
    await loop.close()

    assert (first, bench.launcher.cleared) == ([], ["x", "y"])


async def test_a_launcher_that_does_not_see_keeps_the_queue_closed_and_says_why(
    bench: Bench,
) -> None:
    rows = await bench.stored.submit("p")
    since = (await bench.parts.schedule.snapshot()).now
    loop = Loop(bench.parts, bench.lease, bench.inbox, since, Pace())
    bench.launcher.seeing = replace(Watch(), trouble="the cluster does not answer")

    await loop.tick()
    told = (await bench.rows(rows.job.id)).runs[0].waiting_reason
    bench.launcher.seeing = Watch()
    await loop.tick()
    await loop.close()

    assert told == "nothing new is started: the cluster does not answer"
    assert len((await bench.rows(rows.job.id)).workers) == 1
