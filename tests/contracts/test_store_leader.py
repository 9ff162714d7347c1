"""The leader row: one leader at a time, and a stale one changes nothing."""

import asyncio
from dataclasses import replace

import pytest

from tests.fakes.stored import Stored
from videoannotator.domain.errors import NotLeader
from videoannotator.domain.jobs import Progress, RunState
from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader
from videoannotator.store.rows import Changes

SHORT_SECONDS = 0.2


async def acquired_at_last(leader: Leader, holder: str) -> int:
    """The epoch of the leadership that `holder` gets once the lease before it is over."""
    async with asyncio.timeout(20):
        while True:
            leadership = await leader.acquire(holder, "unix:/x", 60)
            if leadership is not None:
                return leadership.epoch
            await asyncio.sleep(SHORT_SECONDS / 4)


async def test_at_first_nobody_leads(database: Database) -> None:
    leadership = await Leader(database).read()

    assert (leadership.holder, leadership.epoch, leadership.expires_at) == (None, 0, None)


async def test_the_first_takes_the_leadership(database: Database) -> None:
    leader = Leader(database)

    taken = await leader.acquire("a", "unix:/a", 15)

    assert taken == await leader.read()
    assert taken is not None
    assert (taken.holder, taken.address, taken.epoch) == ("a", "unix:/a", 1)


@pytest.mark.parametrize("holder", ["a", "b"])
async def test_nobody_takes_it_while_the_lease_is_valid(database: Database, holder: str) -> None:
    leader = Leader(database)
    before = await leader.acquire("a", "unix:/a", 60)

    assert await leader.acquire(holder, "unix:/other", 60) is None
    assert await leader.read() == before


async def test_it_is_taken_once_the_lease_is_over(database: Database) -> None:
    leader = Leader(database)
    await leader.acquire("a", "unix:/a", SHORT_SECONDS)

    assert await acquired_at_last(leader, "b") == 2
    assert (await leader.read()).holder == "b"


async def test_of_many_who_ask_at_once_one_gets_it(database: Database, other: Database) -> None:
    asking = [
        Leader(where).acquire(f"holder {number}", "unix:/x", 60)
        for number, where in enumerate([database, other] * 4)
    ]

    answers = await asyncio.gather(*asking)

    assert sum(answer is not None for answer in answers) == 1
    assert (await Leader(database).read()).epoch == 1


async def test_renewing_prolongs_the_lease(database: Database) -> None:
    leader = Leader(database)
    taken = await leader.acquire("a", "unix:/a", 15)

    renewed = await leader.renew("a", 1, 600)

    after = await leader.read()
    assert renewed
    assert taken is not None
    assert taken.expires_at is not None
    assert after.expires_at is not None
    assert after.expires_at > taken.expires_at


@pytest.mark.parametrize(("holder", "epoch"), [("a", 0), ("a", 2), ("b", 1)])
async def test_nobody_renews_what_is_not_theirs(
    database: Database, holder: str, epoch: int
) -> None:
    leader = Leader(database)
    before = await leader.acquire("a", "unix:/a", 15)

    assert not await leader.renew(holder, epoch, 600)
    assert await leader.read() == before


async def test_given_up_it_is_free_at_once_and_the_epoch_grows(database: Database) -> None:
    leader = Leader(database)
    await leader.acquire("a", "unix:/a", 600)

    await leader.give_up("a", 1)

    assert (await leader.read()).holder is None
    assert not await leader.renew("a", 1, 600)
    taken = await leader.acquire("b", "unix:/b", 600)
    assert taken is not None
    assert taken.epoch == 2


async def test_a_stale_leader_gives_nothing_up(database: Database) -> None:
    leader = Leader(database)
    await leader.acquire("a", "unix:/a", 600)
    await leader.give_up("a", 1)
    taken = await leader.acquire("b", "unix:/b", 600)

    await leader.give_up("a", 1)

    assert await leader.read() == taken


async def test_a_drain_is_asked_for_and_taken_back(database: Database) -> None:
    leader = Leader(database)

    await leader.request_drain(True)
    asked = await leader.read()
    await leader.request_drain(False)

    assert asked.drain_requested_at is not None
    assert (await leader.read()).drain_requested_at is None


async def test_a_drain_outlives_a_takeover(database: Database) -> None:
    leader = Leader(database)
    await leader.request_drain(True)

    taken = await leader.acquire("b", "unix:/b", 15)

    assert taken is not None
    assert taken.drain_requested_at is not None


async def test_a_stale_leader_changes_nothing(stored: Stored, other: Database) -> None:
    rows = await stored.submit()
    await Leader(other).give_up("first", stored.epoch)
    await Leader(other).acquire("second", "unix:/second", 60)

    with pytest.raises(NotLeader):
        async with stored.schedule.transaction(stored.epoch) as transaction:
            await transaction.progress(rows.runs[0].id, Progress(stage="stale"))

    assert await stored.jobs.get(stored.owner, rows.job.id) == rows


async def test_one_who_gave_up_changes_nothing(stored: Stored) -> None:
    await Leader(stored.database).give_up("first", stored.epoch)

    with pytest.raises(NotLeader):
        async with stored.schedule.transaction(stored.epoch):
            pytest.fail("the transaction began")


async def test_a_takeover_waits_for_a_write_in_flight(stored: Stored, other: Database) -> None:
    rows = await stored.submit()
    run = replace(rows.runs[0], state=RunState.STARTING)
    order: list[str] = []

    async def take_over() -> None:
        await Leader(other).renew("first", stored.epoch, -1)
        await Leader(other).acquire("second", "unix:/second", 60)
        order.append("taken over")

    async with stored.schedule.transaction(stored.epoch) as transaction:
        taking = asyncio.create_task(take_over())
        await asyncio.sleep(SHORT_SECONDS)
        await transaction.write(rows, Changes(runs=(run,)))
        order.append("written")
    await taking

    assert order == ["written", "taken over"]
    assert (await stored.jobs.get(stored.owner, rows.job.id)).runs[0].state is RunState.STARTING
    assert (await Leader(other).read()).epoch == stored.epoch + 1
