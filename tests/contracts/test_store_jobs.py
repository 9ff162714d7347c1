"""Jobs as their owners see them: once, their own, in pages."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.stored import Stored, a_video, counted_statements, principal
from videoannotator.domain.access import Principal, Role
from videoannotator.domain.errors import (
    Forbidden,
    IdempotencyMismatch,
    JobAlreadyEnded,
    JobNotFound,
    LimitReached,
    VideoNotFound,
)
from videoannotator.domain.events import EventKind
from videoannotator.domain.jobs import JobKind, JobState, Resources, RunState
from videoannotator.store.engine import Database
from videoannotator.store.events import Events
from videoannotator.store.jobs import JobFilter, Jobs, NewRun
from videoannotator.store.rows import JobRows
from videoannotator.store.videos import Videos

ALL = JobFilter()


async def listed(stored: Stored, principal: Principal, **fields: Any) -> list[str]:
    """Ids of what `principal` sees in a list."""
    found, total = await stored.jobs.list(principal, JobFilter(**fields), 1, 100)
    assert total == len(found)
    return [rows.job.id for rows in found]


async def test_a_submitted_job_is_read_again_as_it_was_asked_for(stored: Stored) -> None:
    runs = (
        NewRun(pipeline="scene_detection", parameters={"threshold": 27.5, "labels": ["á"]}),
        NewRun(
            pipeline="voice_activity",
            ignored_parameters={"tresh": "threshold"},
            resources=Resources(gpus=1, cpus=2.5, memory_bytes=2**40),
        ),
    )
    new = stored.new_job(config={"scene_detection": {"threshold": 27.5}}, priority=3)

    rows, created = await stored.jobs.submit(replace(new, runs=runs))

    assert created
    assert await stored.jobs.get(stored.owner, rows.job.id) == rows
    assert rows.job.config == {"scene_detection": {"threshold": 27.5}}
    assert (rows.job.state, rows.job.priority) == (JobState.PENDING, 3)
    assert [(run.pipeline, run.parameters, run.resources) for run in rows.runs] == [
        (run.pipeline, run.parameters, run.resources) for run in runs
    ]
    assert rows.runs[1].ignored_parameters == {"tresh": "threshold"}


async def test_a_job_needs_a_video_that_is_not_hidden(stored: Stored) -> None:
    with pytest.raises(VideoNotFound):
        await stored.submit(video_id="none")

    await Videos(stored.database).drop_unused(stored.video.id)
    with pytest.raises(VideoNotFound):
        await stored.submit()


async def test_the_same_key_gives_the_same_job(stored: Stored) -> None:
    new = stored.new_job(idempotency_key="k", request_sha256="a")
    first, created = await stored.jobs.submit(new)

    again, created_again = await stored.jobs.submit(new)

    assert (created, created_again) == (True, False)
    assert again == first


async def test_the_same_key_with_another_request_is_refused(stored: Stored) -> None:
    new = stored.new_job(idempotency_key="k", request_sha256="a")
    await stored.jobs.submit(new)

    with pytest.raises(IdempotencyMismatch):
        await stored.jobs.submit(replace(new, request_sha256="b"))


async def test_keys_of_two_owners_do_not_meet(stored: Stored) -> None:
    bob = await principal(stored.database, "bob")
    video = await Videos(stored.database).add(a_video(bob.user_id))
    new = stored.new_job(idempotency_key="k", request_sha256="a")
    mine, _ = await stored.jobs.submit(new)

    theirs, created = await stored.jobs.submit(
        replace(new, owner_id=bob.user_id, video_id=video.id)
    )

    assert created
    assert theirs.job.id != mine.job.id


async def test_a_key_is_free_again_when_its_job_is_deleted(stored: Stored) -> None:
    new = stored.new_job(idempotency_key="k", request_sha256="a")
    first, _ = await stored.jobs.submit(new)
    await stored.jobs.delete(stored.owner, first.job.id)

    second, created = await stored.jobs.submit(new)

    assert created
    assert second.job.id != first.job.id


async def test_twenty_at_once_with_one_key_make_one_job(stored: Stored, other: Database) -> None:
    new = stored.new_job(idempotency_key="k", request_sha256="a")
    places = [Jobs(stored.database), Jobs(other)] * 10

    answers = await asyncio.gather(*(place.submit(new) for place in places))

    assert len({rows.job.id for rows, _ in answers}) == 1
    assert [created for _, created in answers].count(True) == 1
    assert len(await listed(stored, stored.owner)) == 1


async def test_the_limit_of_waiting_runs_holds_also_for_many_at_once(
    stored: Stored, other: Database
) -> None:
    new = stored.new_job("a", "b")
    places = [Jobs(stored.database), Jobs(other)] * 4

    answers = await asyncio.gather(
        *(place.submit(new, max_queued_runs=5) for place in places), return_exceptions=True
    )

    assert sum(isinstance(answer, LimitReached) for answer in answers) == 6
    assert len(await listed(stored, stored.owner)) == 2


async def test_runs_that_have_started_do_not_count_as_waiting(stored: Stored) -> None:
    await stored.launch(await stored.submit())

    await stored.jobs.submit(stored.new_job(), max_queued_runs=1)

    with pytest.raises(LimitReached):
        await stored.jobs.submit(stored.new_job(), max_queued_runs=1)


@pytest.mark.parametrize("job_id", ["", "none", "../../etc/passwd", "x" * 5000, "ü💥", "a\x00b"])
async def test_an_id_that_is_none_is_not_found(stored: Stored, job_id: str) -> None:
    with pytest.raises(JobNotFound):
        await stored.jobs.get(stored.owner, job_id)
    with pytest.raises(JobNotFound):
        await stored.jobs.cancel(stored.owner, job_id)
    with pytest.raises(JobNotFound):
        await stored.jobs.delete(stored.owner, job_id)
    with pytest.raises(JobNotFound):
        await stored.jobs.artifacts(stored.owner, job_id)


async def test_a_foreign_job_is_not_found(stored: Stored) -> None:
    rows = await stored.submit()
    bob = await principal(stored.database, "bob", group="others")

    assert await listed(stored, bob) == []
    for act in (stored.jobs.get, stored.jobs.cancel, stored.jobs.delete, stored.jobs.artifacts):
        with pytest.raises(JobNotFound):
            await act(bob, rows.job.id)
    assert await stored.jobs.get(stored.owner, rows.job.id) == rows


async def test_an_administrator_sees_and_changes_all(stored: Stored) -> None:
    rows = await stored.submit()
    admin = await principal(stored.database, "root", Role.ADMIN)

    assert await stored.jobs.get(admin, rows.job.id) == rows
    assert await listed(stored, admin) == [rows.job.id]
    assert (await stored.jobs.cancel(admin, rows.job.id)).job.state is JobState.CANCELLING


async def test_a_group_reads_its_jobs_and_changes_none(stored: Stored) -> None:
    bob = await principal(stored.database, "bob", group="lab")
    rows = await stored.submit(group_id=bob.group_ids[0])

    assert await stored.jobs.get(bob, rows.job.id) == rows
    assert await listed(stored, bob) == [rows.job.id]
    assert await stored.jobs.artifacts(bob, rows.job.id) == []
    for act in (stored.jobs.cancel, stored.jobs.delete):
        with pytest.raises(Forbidden):
            await act(bob, rows.job.id)


async def test_internal_jobs_are_not_listed(stored: Stored) -> None:
    rows = await stored.submit(kind=JobKind.INTERNAL)

    assert await listed(stored, stored.owner) == []
    assert await stored.jobs.get(stored.owner, rows.job.id) == rows
    assert sum((await stored.jobs.counts()).values()) == 0


async def test_pages_hold_every_job_once_and_tell_the_total(stored: Stored) -> None:
    submitted = [(await stored.submit()).job.id for _ in range(7)]

    pages = [await stored.jobs.list(stored.owner, ALL, page, 3) for page in (1, 2, 3, 4)]

    assert [len(page) for page, _ in pages] == [3, 3, 1, 0]
    assert {total for _, total in pages} == {7}
    assert sorted(rows.job.id for page, _ in pages for rows in page) == sorted(submitted)
    times = [rows.job.created_at for page, _ in pages for rows in page]
    assert times == sorted(times, reverse=True)


async def test_oldest_first_is_newest_first_turned_round(stored: Stored) -> None:
    for _ in range(5):
        await stored.submit()

    newest = await listed(stored, stored.owner)

    assert await listed(stored, stored.owner, oldest_first=True) == newest[::-1]


async def test_a_list_takes_as_many_queries_for_many_jobs_as_for_one(stored: Stored) -> None:
    await stored.submit()
    with counted_statements() as for_one:
        await stored.jobs.list(stored.owner, ALL, 1, 100)
    for _ in range(10):
        await stored.launch(await stored.submit("a", "b"))

    with counted_statements() as for_many:
        found, _ = await stored.jobs.list(stored.owner, ALL, 1, 100)

    assert len(found) == 11
    assert len(for_many) == len(for_one) <= 7


async def some_jobs(stored: Stored) -> dict[str, JobRows]:
    """Three jobs that differ in all that can be asked for."""
    name = "Übung 100%_b.MOV"
    other = await Videos(stored.database).add(a_video(stored.owner.user_id, display_name=name))
    done = await stored.end(
        await stored.launch(await stored.submit("voice_activity")), 0, RunState.SUCCEEDED
    )
    return {
        "done": done,
        "both": await stored.submit("voice_activity", "scene_detection"),
        "named": await stored.submit(video_id=other.id),
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"done", "both", "named"}),
        ({"status": JobState.COMPLETED}, {"done"}),
        ({"status": JobState.PENDING}, {"both", "named"}),
        ({"status": JobState.FAILED}, set()),
        ({"pipeline": "voice_activity"}, {"done", "both"}),
        ({"pipeline": "scene_detection"}, {"both", "named"}),
        ({"pipeline": "none"}, set()),
        ({"search": "CLIP"}, {"done", "both"}),
        ({"search": "100%_b.mov"}, {"named"}),
        ({"search": "%"}, {"named"}),
        ({"search": "_"}, {"named"}),
        ({"search": "'; DROP TABLE jobs"}, set()),
        ({"search": "CL\x00IP"}, set()),
        ({"owner_id": "somebody else"}, set()),
    ],
)
async def test_a_list_is_narrowed(
    stored: Stored, fields: dict[str, Any], expected: set[str]
) -> None:
    jobs = await some_jobs(stored)

    found = await listed(stored, stored.owner, **fields)

    assert set(found) == {jobs[name].job.id for name in expected}


async def test_a_list_is_narrowed_by_id_and_by_time(stored: Stored) -> None:
    rows = await stored.submit()
    created_at = rows.job.created_at
    later = created_at + timedelta(milliseconds=1)
    ids = [rows.job.id]

    assert await listed(stored, stored.owner, search=rows.job.id[:8]) == ids
    assert await listed(stored, stored.owner, created_after=created_at) == ids
    assert await listed(stored, stored.owner, created_after=later) == []
    assert await listed(stored, stored.owner, created_before=later) == ids
    assert await listed(stored, stored.owner, created_before=created_at) == []


async def test_cancel_is_told_once_and_may_be_repeated(stored: Stored) -> None:
    rows = await stored.submit()

    first = await stored.jobs.cancel(stored.owner, rows.job.id)
    again = await stored.jobs.cancel(stored.owner, rows.job.id)

    assert first.job.state is JobState.CANCELLING
    assert first.job.wants.cancel_requested_at is not None
    assert again == first
    events = await Events(stored.database).after(0)
    assert [event.data["status"] for event in events] == ["pending", "cancelling"]


async def test_a_cancelled_job_stays_cancelled(stored: Stored) -> None:
    rows = await stored.jobs.cancel(stored.owner, (await stored.submit()).job.id)
    rows = await stored.end(rows, 0, RunState.CANCELLED)

    again = await stored.jobs.cancel(stored.owner, rows.job.id)

    assert again == rows
    assert again.job.state is JobState.CANCELLED
    assert again.job.cancelled_at is not None


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED])
async def test_a_job_that_has_ended_is_not_cancelled(stored: Stored, state: RunState) -> None:
    rows = await stored.end(await stored.launch(await stored.submit()), 0, state)

    with pytest.raises(JobAlreadyEnded):
        await stored.jobs.cancel(stored.owner, rows.job.id)

    assert await stored.jobs.get(stored.owner, rows.job.id) == rows


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_a_cancel_that_races_the_end_loses_nothing(
    stored: Stored, other: Database, cancel_first: bool
) -> None:
    rows = await stored.launch(await stored.submit())
    cancel = Jobs(other).cancel(stored.owner, rows.job.id)
    end = stored.end(rows, 0, RunState.SUCCEEDED)

    await asyncio.gather(
        *((cancel, end) if cancel_first else (end, cancel)), return_exceptions=True
    )

    job = (await stored.jobs.get(stored.owner, rows.job.id)).job
    assert job.state is JobState.COMPLETED
    kinds = [event.kind for event in await Events(stored.database).after(0)]
    assert kinds.count(EventKind.COMPLETE) == 1
    assert kinds[-1] is EventKind.COMPLETE


async def test_a_deleted_job_is_hidden_at_once(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())
    admin = await principal(stored.database, "root", Role.ADMIN)

    await stored.jobs.delete(stored.owner, rows.job.id)

    for who in (stored.owner, admin):
        assert await listed(stored, who) == []
        for act in (stored.jobs.get, stored.jobs.cancel, stored.jobs.delete, stored.jobs.artifacts):
            with pytest.raises(JobNotFound):
                await act(who, rows.job.id)
    assert sum((await stored.jobs.counts()).values()) == 0


async def test_a_deleted_job_is_asked_to_stop(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())

    deleted = await stored.jobs.delete(stored.owner, rows.job.id)

    assert deleted.job.state is JobState.CANCELLING
    (seen,) = (await stored.schedule.snapshot()).jobs
    assert seen == deleted
    assert seen.job.wants.stop
    last = (await Events(stored.database).after(0))[-1]
    assert (last.data["status"], last.data["deleted"]) == ("cancelling", True)


async def test_jobs_are_counted_by_state(stored: Stored) -> None:
    await stored.submit()
    await stored.launch(await stored.submit())

    counts = await stored.jobs.counts()

    assert set(counts) == set(JobState)
    assert {state for state, count in counts.items() if count} == {
        JobState.PENDING,
        JobState.RUNNING,
    }
