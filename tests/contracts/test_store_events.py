"""Events: in order, whole, for those who may see them."""

import asyncio
from dataclasses import replace
from typing import Any

from tests.fakes.stored import Stored, a_video, principal
from videoannotator.domain.events import Event, EventKind
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import RunState
from videoannotator.store.engine import Database
from videoannotator.store.events import Events
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import Changes
from videoannotator.store.videos import Videos


async def test_there_are_none_at_first(database: Database) -> None:
    events = Events(database)

    assert await events.after(0) == []
    assert await events.last_id() == 0


async def test_an_event_carries_the_state_in_full(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit("scene_detection", "voice_activity"))

    event = (await Events(stored.database).after(0))[-1]

    assert (event.kind, event.job_id, event.owner_id, event.run_id) == (
        EventKind.UPDATE,
        rows.job.id,
        stored.owner.user_id,
        rows.runs[0].id,
    )
    assert event.data["status"] == "running"
    assert [(run["pipeline"], run["status"]) for run in event.data["runs"]] == [
        ("scene_detection", "running"),
        ("voice_activity", "pending"),
    ]


async def test_a_failure_is_told_with_its_hint(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())
    failure = Failure(code=Code.MEDIA_ERROR, message="No frame at all.")
    failed = replace(rows.runs[0], state=RunState.FAILED, failure=failure)
    await stored.write(rows, Changes(runs=(failed,)))

    error = (await Events(stored.database).after(0))[-1].data["runs"][0]["error"]

    assert error == {
        "code": "MEDIA_ERROR",
        "message": "No frame at all.",
        "hint": failure.advice,
    }


async def test_log_lines_come_in_order_before_the_state_they_led_to(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())
    last_id = await Events(stored.database).last_id()
    run_id = rows.runs[0].id

    async with stored.schedule.transaction(stored.epoch) as transaction:
        await transaction.log(rows.job.id, run_id, "info", "one")
        await transaction.write(rows, Changes(logs=((run_id, "warning", "two\x00"),)))
        await transaction.log("ghost", run_id, "info", "of a job that is not there")

    events = await Events(stored.database).after(last_id)
    assert [(event.kind, event.data["level"], event.data["message"]) for event in events] == [
        (EventKind.LOG, "info", "one"),
        (EventKind.LOG, "warning", "two\ufffd"),
    ]
    assert {event.run_id for event in events} == {run_id}


async def test_a_reader_goes_on_where_it_stopped(stored: Stored) -> None:
    for _ in range(5):
        await stored.submit()
    events = Events(stored.database)
    everything = await events.after(0)

    first = await events.after(0, limit=2)
    rest = await events.after(first[-1].id)

    assert first + rest == everything
    assert await events.last_id() == everything[-1].id
    assert await events.after(await events.last_id()) == []


async def test_everybody_gets_their_own(stored: Stored) -> None:
    bob = await principal(stored.database, "bob", group="lab")
    video = await Videos(stored.database).add(a_video(bob.user_id))
    mine = await stored.submit()
    theirs = await stored.submit(owner_id=bob.user_id, video_id=video.id)
    shared = await stored.submit(group_id=bob.group_ids[0])
    events = Events(stored.database)

    async def jobs(**who: Any) -> list[str]:
        return [event.job_id for event in await events.after(0, **who)]

    assert await jobs() == [mine.job.id, theirs.job.id, shared.job.id]
    assert await jobs(owner_id=stored.owner.user_id) == [mine.job.id, shared.job.id]
    assert await jobs(owner_id=bob.user_id) == [theirs.job.id]
    assert await jobs(owner_id=bob.user_id, group_ids=bob.group_ids) == [
        theirs.job.id,
        shared.job.id,
    ]
    assert await jobs(owner_id=bob.user_id, job_id=mine.job.id) == []
    assert await jobs(job_id=mine.job.id) == [mine.job.id]


async def test_a_reader_that_has_seen_an_event_has_seen_all_below(
    stored: Stored, other: Database
) -> None:
    """Many write at once while one reads: what it gets later has a higher id."""
    writers = [Jobs(place).submit(stored.new_job("a", "b")) for place in (stored.database, other)]
    writers += [Jobs(place).submit(stored.new_job()) for place in (stored.database, other) * 9]
    seen: list[Event] = []

    async def follow() -> None:
        while len(seen) < len(writers):
            last_id = seen[-1].id if seen else 0
            seen.extend(await Events(other).after(last_id, limit=3))

    async with asyncio.timeout(30):
        await asyncio.gather(follow(), *writers)

    assert seen == await Events(stored.database).after(0)
