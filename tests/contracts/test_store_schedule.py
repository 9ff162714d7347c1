"""What the scheduler writes: whole, legal, once, and told in order."""

import asyncio
from dataclasses import replace

import pytest

from tests.fakes.stored import NOON, Stored, a_worker, counted_statements, end_in
from videoannotator.domain.errors import IllegalTransition, JobNotFound
from videoannotator.domain.events import EventKind
from videoannotator.domain.jobs import (
    Artifact,
    Attempt,
    JobState,
    Progress,
    RunState,
    WorkerState,
)
from videoannotator.domain.videos import Probe
from videoannotator.store.events import Events
from videoannotator.store.rows import Changes, JobRows
from videoannotator.store.schedule import Schedule
from videoannotator.store.videos import Videos
from videoannotator.store.workers import Workers


async def seen(stored: Stored, rows: JobRows) -> JobRows:
    """The job as its owner sees it now."""
    return await stored.jobs.get(stored.owner, rows.job.id)


def an_artifact(rows: JobRows) -> Artifact:
    """A result file of the first run."""
    return Artifact(
        id="artifact",
        job_id=rows.job.id,
        run_id=rows.runs[0].id,
        pipeline=rows.runs[0].pipeline,
        attempt=1,
        name="scenes.json",
        public_name="{stem}_scene_detection.json",
        media_type="application/json",
        size_bytes=12,
        sha256="0" * 64,
    )


async def test_what_is_written_is_read_again(stored: Stored) -> None:
    rows = await stored.submit("scene_detection", "voice_activity")
    worker = a_worker(rows, body={"arguments": ["x"]}, gpus=(0, 3))
    attempt = Attempt(run_id=rows.runs[0].id, number=1, worker_id=worker.id, opened_at=NOON)
    run = replace(rows.runs[0], state=RunState.STARTING, started_at=NOON)
    probe = Probe(container="mp4", duration_seconds=1.5)
    changes = Changes(
        runs=(run,), attempts=(attempt,), workers=(worker,), artifacts=(), probe=probe
    )

    async with stored.schedule.transaction(stored.epoch) as transaction:
        written = await transaction.write(rows, changes)

    fresh = await seen(stored, rows)
    assert fresh == written
    assert (fresh.runs, fresh.attempts) == ((run, rows.runs[1]), (attempt,))
    assert fresh.workers == (worker,)
    assert fresh.video.probe == probe
    assert (fresh.job.state, fresh.job.started_at) == (JobState.RUNNING, NOON)


async def test_artifacts_are_listed(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())

    await stored.write(rows, Changes(artifacts=(an_artifact(rows),)))

    assert await stored.jobs.artifacts(stored.owner, rows.job.id) == [an_artifact(rows)]


async def test_a_run_has_one_open_attempt_at_most(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())
    again = replace(rows.attempts[0], number=2, worker_id="another")

    with pytest.raises(IllegalTransition):
        await stored.write(rows, Changes(attempts=(again,)))

    assert (await seen(stored, rows)).attempts == rows.attempts


async def test_a_second_attempt_opens_when_the_first_is_over(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())
    over = replace(rows.attempts[0], over_at=NOON)
    second = replace(rows.attempts[0], number=2, worker_id="another")

    await stored.write(rows, Changes(attempts=(second, over)))

    assert (await seen(stored, rows)).attempts == (over, second)


async def test_an_attempt_that_is_over_stays_over(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())
    rows = await stored.end(rows, 0, RunState.SUCCEEDED)

    opened = replace(rows.attempts[0], over_at=None)
    with pytest.raises(IllegalTransition):
        await stored.write(rows, Changes(attempts=(opened,)))


async def test_an_illegal_transition_writes_nothing_of_its_transaction(stored: Stored) -> None:
    good, bad = await stored.submit(), await stored.submit()
    start = replace(good.runs[0], state=RunState.STARTING)
    leap = replace(bad.runs[0], state=RunState.RUNNING)
    last_id = await Events(stored.database).last_id()

    async def write_both() -> None:
        async with stored.schedule.transaction(stored.epoch) as transaction:
            await transaction.write(good, Changes(runs=(start,)))
            await transaction.write(bad, Changes(runs=(leap,)))

    with pytest.raises(IllegalTransition):
        await write_both()

    assert await seen(stored, good) == good
    assert await seen(stored, bad) == bad
    assert await Events(stored.database).last_id() == last_id


async def test_a_transition_is_checked_against_the_row_not_against_what_is_given(
    stored: Stored,
) -> None:
    stale = await stored.submit()
    rows = await stored.launch(stale)
    await stored.end(rows, 0, RunState.SUCCEEDED)

    again = replace(stale.runs[0], state=RunState.STARTING)
    with pytest.raises(IllegalTransition):
        await stored.write(stale, Changes(runs=(again,)))


async def test_a_worker_that_is_gone_stays_gone(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())
    rows = await stored.end(rows, 0, RunState.SUCCEEDED)

    back = replace(rows.workers[0], state=WorkerState.UP)
    with pytest.raises(IllegalTransition):
        await stored.write(rows, Changes(workers=(back,)))


async def test_a_run_of_another_job_is_refused(stored: Stored) -> None:
    one, two = await stored.submit(), await stored.submit()

    with pytest.raises(IllegalTransition):
        await stored.write(one, Changes(runs=two.runs))


async def test_a_job_that_is_not_there_is_not_written(stored: Stored) -> None:
    rows = await stored.submit()
    ghost = replace(rows, job=replace(rows.job, id="ghost"))

    async with stored.schedule.transaction(stored.epoch) as transaction:
        assert await transaction.job("ghost") is None
        with pytest.raises(JobNotFound):
            await transaction.write(ghost, Changes())


async def test_the_state_follows_when_two_runs_end_at_the_same_time(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit("scene_detection", "voice_activity"))
    rows = await stored.launch(rows, 1)

    await asyncio.gather(
        stored.end(rows, 0, RunState.SUCCEEDED), stored.end(rows, 1, RunState.FAILED)
    )

    job = (await seen(stored, rows)).job
    assert job.state is JobState.COMPLETED
    assert job.completed_at is not None
    assert job.error_message == "Completed with errors. Failed pipelines: voice_activity"


async def test_the_second_write_of_a_transaction_sees_the_first(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit("scene_detection", "voice_activity"))
    rows = await stored.launch(rows, 1)

    async with stored.schedule.transaction(stored.epoch) as transaction:
        await end_in(transaction, rows, 0, RunState.SUCCEEDED)
        await end_in(transaction, rows, 1, RunState.SUCCEEDED)

    assert (await seen(stored, rows)).job.state is JobState.COMPLETED


@pytest.mark.parametrize(
    ("state", "kind", "job_state"),
    [
        (RunState.SUCCEEDED, EventKind.COMPLETE, JobState.COMPLETED),
        (RunState.FAILED, EventKind.ERROR, JobState.FAILED),
        (RunState.CANCELLED, EventKind.CANCELLED, JobState.CANCELLED),
    ],
)
async def test_the_end_of_a_job_is_told_once(
    stored: Stored, state: RunState, kind: EventKind, job_state: JobState
) -> None:
    rows = await stored.launch(await stored.submit())
    rows = await stored.end(rows, 0, state)
    await stored.write(rows, Changes())

    events = await Events(stored.database).after(0, job_id=rows.job.id)

    assert [event.kind for event in events] == [EventKind.UPDATE] * 4 + [kind]
    assert events[-1].data["status"] == job_state
    assert events[-1].data["runs"][0]["status"] == state
    assert events[-1].data["runs"][0]["attempt"] == 1


async def test_progress_and_waiting_are_stored_without_an_event(stored: Stored) -> None:
    rows = await stored.submit()
    last_id = await Events(stored.database).last_id()
    progress = Progress(stage="reading", position_seconds=1, duration_seconds=4, rate=2)

    async with stored.schedule.transaction(stored.epoch) as transaction:
        await transaction.progress(rows.runs[0].id, progress)
        await transaction.waiting(rows.runs[0].id, "waits for a slot", 3)

    run = (await seen(stored, rows)).runs[0]
    assert (run.progress, run.waiting_reason, run.queue_position) == (
        progress,
        "waits for a slot",
        3,
    )
    assert await Events(stored.database).last_id() == last_id


async def test_late_progress_does_not_touch_a_run_that_ended(stored: Stored) -> None:
    rows = await stored.end(await stored.launch(await stored.submit()), 0, RunState.SUCCEEDED)

    async with stored.schedule.transaction(stored.epoch) as transaction:
        await transaction.progress(rows.runs[0].id, Progress(stage="late"))
        await transaction.waiting(rows.runs[0].id, "late", 1)

    assert await seen(stored, rows) == rows


async def test_what_the_api_wrote_meanwhile_is_kept(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())
    await Workers(stored.database).request_abandon(rows.workers[0].id)

    async with stored.schedule.transaction(stored.epoch) as transaction:
        stopping = replace(rows.workers[0], state=WorkerState.STOPPING)
        await transaction.write(rows, Changes(workers=(stopping,)))

    assert (await seen(stored, rows)).workers[0].abandon_requested_at is not None


async def test_the_snapshot_holds_what_needs_a_look(stored: Stored) -> None:
    waiting = await stored.submit()
    ended = await stored.end(await stored.launch(await stored.submit()), 0, RunState.SUCCEEDED)
    deleted = await stored.end(await stored.launch(await stored.submit()), 0, RunState.FAILED)
    await stored.jobs.delete(stored.owner, deleted.job.id)
    held = await stored.launch(await stored.submit())
    async with stored.schedule.transaction(stored.epoch) as transaction:
        over = (replace(held.runs[0], state=RunState.FAILED),)
        await transaction.write(held, Changes(runs=over))

    snapshot = await stored.schedule.snapshot()

    found = {rows.job.id for rows in snapshot.jobs}
    assert found == {waiting.job.id, deleted.job.id, held.job.id}
    assert ended.job.id not in found
    assert snapshot.leadership.epoch == stored.epoch
    assert snapshot.now >= snapshot.jobs[0].job.created_at


async def test_a_snapshot_takes_as_many_queries_for_many_jobs_as_for_one(stored: Stored) -> None:
    await stored.submit("scene_detection", "voice_activity")
    with counted_statements() as for_one:
        await stored.schedule.snapshot()
    for _ in range(10):
        await stored.launch(await stored.submit("scene_detection", "voice_activity"))

    with counted_statements() as for_many:
        snapshot = await stored.schedule.snapshot()

    assert len(snapshot.jobs) == 11
    assert len(for_many) == len(for_one) <= 7


async def test_a_purge_takes_all_rows_of_a_job_and_returns_its_video(stored: Stored) -> None:
    rows = await stored.end(await stored.launch(await stored.submit()), 0, RunState.SUCCEEDED)
    await stored.jobs.delete(stored.owner, rows.job.id)

    video = await stored.purge(rows)

    assert video is not None
    assert video.id == stored.video.id
    assert (await stored.schedule.snapshot()).jobs == ()
    assert await Events(stored.database).after(0, job_id=rows.job.id) == []
    videos = Videos(stored.database)
    assert await videos.doomed() == [video]
    await videos.forget(video.id)
    assert await videos.doomed() == []


async def test_a_purge_leaves_a_video_that_another_job_uses(stored: Stored) -> None:
    rows, _ = await stored.submit(), await stored.submit()
    await stored.jobs.delete(stored.owner, rows.job.id)

    assert await stored.purge(rows) is None

    assert await Videos(stored.database).get(stored.owner, stored.video.id) == stored.video


async def test_nothing_is_purged_while_a_worker_may_live(stored: Stored) -> None:
    rows = await stored.launch(await stored.submit())
    await stored.jobs.delete(stored.owner, rows.job.id)

    with pytest.raises(IllegalTransition):
        await stored.purge(rows)


async def test_nothing_is_purged_that_nobody_deleted(stored: Stored) -> None:
    rows = await stored.submit()

    with pytest.raises(IllegalTransition):
        await stored.purge(rows)

    assert await seen(stored, rows) == rows


async def test_ids_of_purged_events_are_never_used_again(stored: Stored) -> None:
    rows = await stored.submit()
    await stored.jobs.delete(stored.owner, rows.job.id)
    newest = await Events(stored.database).last_id()
    await stored.purge(rows)

    await Videos(stored.database).add(replace(stored.video, id="next", sha256="next"))
    rows, _ = await stored.jobs.submit(stored.new_job(video_id="next"))

    (event,) = await Events(stored.database).after(0)
    assert event.id > newest
    assert event.job_id == rows.job.id


async def test_a_schedule_can_be_read_by_one_who_does_not_lead(stored: Stored) -> None:
    await stored.submit()

    assert len((await Schedule(stored.database).snapshot()).jobs) == 1
