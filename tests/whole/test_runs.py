"""Runs from the row to the file, through real worker processes and a real Unix socket."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.fakes.site import Site, has_ended, journal, succeeded, workers_of
from videoannotator.blobs import keys
from videoannotator.domain.errors import JobNotFound
from videoannotator.domain.failures import Code
from videoannotator.domain.jobs import AttemptOutcome, JobState, RunState, WorkerState
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import JobFilter
from videoannotator.store.workers import Workers

pytestmark = pytest.mark.slow


async def test_a_row_becomes_files(site: Site, clip: Path, tmp_path: Path) -> None:
    video = await site.add_video(clip)
    async with site.scheduling():
        job = await site.submit(video, ("voice_activity", {}), ("scene_detection", {}))
        rows = await site.ended(job)

    assert succeeded(rows)
    assert rows.video.probe is not None
    assert rows.video.probe.duration_seconds == pytest.approx(2.0, abs=0.11)
    artifacts = await Jobs(site.database).artifacts(site.user, job)
    assert {one.pipeline for one in artifacts} == {"voice_activity", "scene_detection"}
    for one in artifacts:
        folder = keys.attempt_folder(site.user.user_id, job, one.pipeline, one.attempt)
        assert await site.blobs.sha256(f"{folder}/{one.name}") == one.sha256


async def test_cancel_ends_the_process_and_its_children(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    video = await site.add_video(clip)
    lines = tmp_path / "journal"
    async with site.scheduling():
        asked = {"journal": str(lines), "seconds": 60, "child_seconds": 60}
        job = await site.submit(video, ("journal", asked))
        await site.running(job)
        await until(lambda: len(workers_of(tmp_path)) >= 2)  # the worker and its child
        before = workers_of(tmp_path)
        first = await site.cancel(job)
        rows = await site.ended(job)

    assert first.job.state is JobState.CANCELLING
    assert rows.job.state is JobState.CANCELLED
    assert rows.job.cancelled_at is not None
    assert not any(one.is_running() and one.status() != "zombie" for one in before)


async def test_a_worker_that_ignores_sigterm_is_killed_after_its_grace(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    video = await site.add_video(clip)
    lines = tmp_path / "journal"
    async with site.scheduling():
        asked = {"journal": str(lines), "ignore_sigterm": True, "hang_seconds": 60}
        job = await site.submit(video, ("journal", asked))
        await site.running(job)
        await until_written(lines)
        worker = psutil.Process(journal(lines)[0]["pid"])
        await site.cancel(job)
        rows = await site.until(job, lambda rows: rows.runs[0].state is RunState.CANCELLED)

    assert not worker.is_running()
    gone, asked_at = rows.workers[0].gone_at, rows.job.wants.cancel_requested_at
    assert gone is not None
    assert asked_at is not None
    assert (gone - asked_at).total_seconds() >= site.settings.scheduler.stop_grace_seconds


async def test_a_waiting_run_starts_when_a_cancelled_one_is_gone(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    site = site.adjusted(max_workers=1)
    video = await site.add_video(clip)
    async with site.scheduling():
        first = await site.submit(video, ("journal", {"seconds": 60}))
        await site.running(first)
        second = await site.submit(video, ("journal", {}))
        waits = await site.until(second, lambda rows: rows.runs[0].waiting_reason != "")
        await site.cancel(first)
        rows = await site.ended(second)
        cancelled = await site.ended(first)

    assert waits.runs[0].waiting_reason == "waiting for a slot: 1 of 1 in use"
    assert waits.runs[0].queue_position == 1
    assert succeeded(rows)
    gone = cancelled.workers[0].gone_at
    assert gone is not None
    assert rows.workers[0].created_at >= gone


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"fault": "bug"}, Code.PIPELINE_ERROR),
        ({"fault": "media"}, Code.MEDIA_ERROR),
        ({"fault": "request"}, Code.REQUEST_ERROR),
        ({"fault": "gpu_memory"}, Code.GPU_OOM),
    ],
)
async def test_a_failure_says_what_happened_and_is_not_repeated(
    site: Site, clip: Path, tmp_path: Path, parameters: dict[str, str], code: Code
) -> None:
    video = await site.add_video(clip)
    async with site.scheduling():
        job = await site.submit(video, ("journal", parameters), ("voice_activity", {}))
        rows = await site.ended(job)

    failed, other = rows.runs
    assert failed.state is RunState.FAILED
    assert failed.failure is not None
    assert failed.failure.code is code
    assert failed.failure.advice
    assert failed.failure.log_tail
    assert other.state is RunState.SUCCEEDED
    assert rows.job.state is JobState.COMPLETED
    assert rows.job.error_message == "Completed with errors. Failed pipelines: journal"
    assert [a.number for a in rows.attempts if a.run_id == failed.id] == [1], rows.attempts


async def test_a_worker_that_dies_is_tried_again(site: Site, clip: Path, tmp_path: Path) -> None:
    video = await site.add_video(clip)
    lines = tmp_path / "journal"
    async with site.scheduling():
        asked = {"journal": str(lines), "die_signal": 9, "fault_attempts": 1}
        rows = await site.ended(await site.submit(video, ("journal", asked)))

    assert succeeded(rows)
    assert [a.outcome for a in rows.attempts] == [AttemptOutcome.LOST, AttemptOutcome.COMPLETED]
    assert rows.runs[0].infrastructure_failures == 1
    assert [line["event"] for line in journal(lines)] == ["started", "started", "ended"]


async def test_an_unreadable_video_fails_and_says_why(site: Site, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("this is no video")
    video = await site.add_video(broken)
    async with site.scheduling():
        rows = await site.ended(await site.submit(video, ("scene_detection", {})))

    assert rows.job.state is JobState.FAILED
    assert rows.runs[0].failure is not None
    assert rows.runs[0].failure.code is Code.MEDIA_ERROR
    assert str(tmp_path) not in rows.runs[0].failure.message


async def test_deleting_a_running_job_leaves_no_process_no_row_and_no_byte(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    video = await site.add_video(clip)
    async with site.scheduling():
        job = await site.submit(video, ("journal", {"seconds": 60}))
        await site.running(job)
        await Jobs(site.database).delete(site.user, job)
        with pytest.raises(JobNotFound):
            await site.job(job)
        deadline = asyncio.get_running_loop().time() + 30
        while await site.blobs.list("videos") or await site.blobs.list("jobs"):
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.05)

    assert workers_of(tmp_path) == []
    assert await Jobs(site.database).list(site.user, JobFilter()) == ([], 0)


async def test_the_next_scheduler_goes_on_with_the_worker_that_is_there(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    video = await site.add_video(clip)
    lines = tmp_path / "journal"
    finish = tmp_path / "finish"
    async with site.scheduling(take_workers=False):
        asked = {"journal": str(lines), "until": str(finish)}
        job = await site.submit(video, ("journal", asked))
        await site.running(job)
        await until_written(lines)
    finish.touch()
    async with site.scheduling():
        rows = await site.ended(job)

    assert succeeded(rows)
    assert [line["event"] for line in journal(lines)] == ["started", "ended"]
    assert len(rows.attempts) == 1


async def test_a_result_that_was_finished_while_nobody_looked_is_found(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    video = await site.add_video(clip)
    lines, finish = tmp_path / "journal", tmp_path / "finish"
    async with site.scheduling(take_workers=False):
        asked = {"journal": str(lines), "until": str(finish)}
        job = await site.submit(video, ("journal", asked))
        await site.running(job)
        await until_written(lines)
    finish.touch()
    await until_no_process(tmp_path)
    async with site.scheduling():
        rows = await site.ended(job)

    assert succeeded(rows)
    assert len(rows.attempts) == 1
    assert rows.attempts[0].outcome is AttemptOutcome.LOST, "nobody heard its last word"


async def test_a_worker_that_nobody_calls_ends_and_its_run_is_tried_again(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    video = await site.add_video(clip)
    lines, finish = tmp_path / "journal", tmp_path / "finish"
    async with site.scheduling(take_workers=False):
        asked = {"journal": str(lines), "until": str(finish)}
        job = await site.submit(video, ("journal", asked))
        await site.running(job)
        await until_written(lines)
    await until_no_process(tmp_path)
    finish.touch()
    async with site.scheduling():
        rows = await site.ended(job)

    assert succeeded(rows)
    assert len(rows.attempts) == 2
    assert [line["outcome"] for line in journal(lines)] == ["", "stopped", "", "completed"]


async def test_ending_the_program_ends_its_workers_and_their_runs_wait(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    video = await site.add_video(clip)
    async with site.scheduling(take_workers=True):
        job = await site.submit(video, ("journal", {"seconds": 60}))
        await site.running(job)
    rows = await site.job(job)

    assert workers_of(tmp_path) == []
    assert rows.runs[0].state is RunState.PENDING
    assert rows.runs[0].infrastructure_failures == 0, "nobody pays for it"


async def test_a_standby_takes_over_and_only_one_leads(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    video = await site.add_video(clip)
    lines = tmp_path / "journal"
    async with site.scheduling() as standby:
        pass
    first, second = site.scheduler(), site.scheduler()
    await first.start()
    await until(lambda: first.leading)
    await second.start()
    job = await site.submit(video, ("journal", {"journal": str(lines), "seconds": 3}))
    await site.running(job)
    led = (first.leading, second.leading)
    await first.stop(take_workers=False)
    rows = await site.ended(job)
    await second.stop(take_workers=True)

    assert led == (True, False)
    assert not standby.leading
    assert succeeded(rows)
    assert [line["event"] for line in journal(lines)] == ["started", "ended"]


async def test_abandoning_a_frozen_worker_frees_its_slot_and_ends_the_cancel(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    site = site.adjusted(stop_grace_seconds=30)
    video = await site.add_video(clip)
    lines = tmp_path / "journal"
    async with site.scheduling():
        job = await site.submit(video, ("journal", {"journal": str(lines), "seconds": 60}))
        rows = await site.running(job)
        await until_written(lines)
        worker = psutil.Process(journal(lines)[0]["pid"])
        worker.suspend()
        await site.cancel(job)
        await site.until(job, lambda rows: rows.workers[0].state is WorkerState.STOPPING)
        await Workers(site.database).request_abandon(rows.workers[0].id)
        rows = await site.until(job, lambda rows: rows.job.state is JobState.CANCELLED)
        alive = worker.is_running()
        worker.kill()
        ended = await site.until(job, has_ended)

    assert alive
    assert rows.attempts[0].open, "an abandoned attempt is not over"
    assert not ended.attempts[0].open


async def until(reached: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not reached():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def until_written(lines: Path) -> None:
    await until(lambda: len(journal(lines)) > 0)


async def until_no_process(root: Path) -> None:
    await until(lambda: not workers_of(root))
