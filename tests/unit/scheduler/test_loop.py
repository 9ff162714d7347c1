"""One leadership on a real database: what its ticks read, do and write."""

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.fakes.bench import Bench
from tests.fakes.rows import BROKE, NOW
from videoannotator.blobs import keys
from videoannotator.domain.errors import NotLeader, VideoAnnotatorError
from videoannotator.domain.failures import Code
from videoannotator.domain.jobs import Progress, RunState, WorkerState
from videoannotator.domain.pipelines import ManifestFile
from videoannotator.domain.videos import Probe
from videoannotator.formats.manifest import Manifest, encode
from videoannotator.rpc.work import Accepted, Completed, LogLine
from videoannotator.scheduler.inbox import Moved, Said
from videoannotator.scheduler.loop import Loop, Pace
from videoannotator.store.events import Events
from videoannotator.store.leader import Leader
from videoannotator.store.rows import JobRows

MOST_TICKS = 400
NO_EVENTS = "ALTER TABLE events RENAME TO no_events"
EVENTS_AGAIN = "ALTER TABLE no_events RENAME TO events"


@pytest.fixture
async def loop(bench: Bench) -> AsyncIterator[Loop]:
    """A loop that ticks when it is told to."""
    since = (await bench.parts.schedule.snapshot()).now
    made = Loop(bench.parts, bench.lease, bench.inbox, since, Pace())
    yield made
    await made.close()


async def until(bench: Bench, loop: Loop, job_id: str, true: Callable[[JobRows], bool]) -> JobRows:
    """Ticks until the job is so, or the test fails."""
    for _ in range(MOST_TICKS):
        rows = await bench.stored.jobs.get(bench.stored.owner, job_id)
        if true(rows):
            return rows
        await loop.tick()
        await bench.inbox.wait(0.005)
    raise AssertionError(f"not reached: {rows}")


def running(rows: JobRows) -> bool:
    return rows.runs[0].state is RunState.RUNNING


def over(rows: JobRows) -> bool:
    ended = rows.runs[0].finished_at is not None
    return ended and all(worker.state is WorkerState.GONE for worker in rows.workers)


def leave_result(bench: Bench, rows: JobRows) -> Path:
    """Writes what the worker of the first attempt would."""
    run, content = rows.runs[0], b"{}"
    folder = bench.parts.blobs.path(
        keys.attempt_folder(rows.job.owner_id, rows.job.id, run.pipeline, 1)
    )
    file = ManifestFile(
        name="f.json",
        public_name="f.json",
        media_type="application/json",
        role="result",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    manifest = Manifest(
        product_version="1",
        pipeline=run.pipeline,
        pipeline_version="1",
        run_id=run.id,
        attempt=1,
        video_sha256="0" * 64,
        files=(file,),
        summary={"scenes": 1},
        created_at=NOW,
    )
    (folder / "f.json").write_bytes(content)
    (folder / "manifest.json").write_bytes(encode(manifest))
    return folder


async def at_work(bench: Bench, loop: Loop) -> JobRows:
    """A job whose worker listens to Annotate."""
    job = await bench.stored.submit("p")
    rows = await until(bench, loop, job.job.id, running)
    worker_id = rows.workers[0].id
    await until(bench, loop, job.job.id, lambda _: bool(bench.workers[worker_id].streams))
    return rows


async def test_a_run_goes_from_the_row_to_the_result_and_its_slot_is_free(
    bench: Bench, loop: Loop
) -> None:
    rows = await at_work(bench, loop)
    leave_result(bench, rows)
    bench.workers[rows.workers[0].id].tell(Completed(manifest_sha256="0"))

    rows = await until(bench, loop, rows.job.id, over)

    assert rows.runs[0].state is RunState.SUCCEEDED
    assert rows.runs[0].summary == {"scenes": 1}
    assert len(rows.attempts) == 1
    artifacts = await bench.stored.jobs.artifacts(bench.stored.owner, rows.job.id)
    assert [artifact.name for artifact in artifacts] == ["f.json"]
    assert bench.launcher.machine.living() == set()


async def test_a_failed_run_keeps_why_and_the_last_lines(bench: Bench, loop: Loop) -> None:
    rows = await at_work(bench, loop)
    bench.workers[rows.workers[0].id].tell(BROKE)

    rows = await until(bench, loop, rows.job.id, over)

    failure = rows.runs[0].failure
    assert rows.runs[0].state is RunState.FAILED
    assert failure is not None
    assert failure.code is Code.PIPELINE_ERROR


async def test_progress_probe_and_lines_are_written_and_only_the_last_place(
    bench: Bench, loop: Loop
) -> None:
    rows = await at_work(bench, loop)
    worker = bench.workers[rows.workers[0].id]
    probe = Probe(container="mp4", duration_seconds=9)
    worker.tell(Accepted(probe=probe))
    for position in (1.0, 2.0):
        worker.tell(Progress(stage="work", position_seconds=position, duration_seconds=9))
    worker.tell(LogLine(level="warning", message="Two seconds are damaged."))

    rows = await until(
        bench, loop, rows.job.id, lambda rows: rows.runs[0].progress.position_seconds == 2
    )

    events = await Events(bench.stored.database).after(
        0, owner_id=None, group_ids=(), job_id=rows.job.id, limit=100
    )
    assert rows.video.probe == probe
    assert any("Two seconds are damaged." in str(event) for event in events)


async def test_what_could_not_be_written_is_written_at_the_next_look(
    bench: Bench, loop: Loop
) -> None:
    rows = await at_work(bench, loop)
    worker = bench.workers[rows.workers[0].id]
    worker.tell(Accepted(probe=Probe(container="mp4", duration_seconds=9)))
    worker.tell(Progress(stage="work", position_seconds=2.0, duration_seconds=9))
    worker.tell(LogLine(level="warning", message="Two seconds are damaged."))
    while not any(isinstance(message, Said) for message in bench.inbox._messages):
        await bench.inbox.wait(0.005)
    async with bench.stored.database.writing() as connection:
        await connection.execute(text(NO_EVENTS))
    with pytest.raises(VideoAnnotatorError):
        await loop.tick()
    async with bench.stored.database.writing() as connection:
        await connection.execute(text(EVENTS_AGAIN))

    rows = await until(
        bench, loop, rows.job.id, lambda rows: rows.runs[0].progress.position_seconds == 2
    )

    events = await Events(bench.stored.database).after(
        0, owner_id=None, group_ids=(), job_id=rows.job.id, limit=100
    )
    assert any("Two seconds are damaged." in str(event) for event in events)


async def test_what_is_told_of_a_worker_that_no_row_names_is_dropped(
    bench: Bench, loop: Loop
) -> None:
    bench.inbox.put(Moved(worker_id="stranger", progress=Progress(stage="x")))

    assert not await loop.tick()


async def test_a_deleted_job_leaves_no_bytes_and_no_row(bench: Bench, loop: Loop) -> None:
    rows = await at_work(bench, loop)
    folder = leave_result(bench, rows)
    await bench.stored.jobs.delete(bench.stored.owner, rows.job.id)

    for _ in range(MOST_TICKS):
        await loop.tick()
        await bench.inbox.wait(0.005)
        if not loop.rows:
            break

    assert loop.rows == ()
    assert not folder.exists()
    assert bench.launcher.forgotten == [rows.workers[0].id]
    assert bench.workers[rows.workers[0].id].stopped_for is not None


async def test_trouble_with_one_job_does_not_stop_the_others(bench: Bench, loop: Loop) -> None:
    strange = await bench.stored.submit("no such pipeline")
    rows = await bench.stored.submit("p")

    await until(bench, loop, rows.job.id, running)

    left = await bench.stored.jobs.get(bench.stored.owner, strange.job.id)
    assert left.runs[0].state is RunState.PENDING


async def test_while_the_operator_drains_nothing_starts_and_the_reason_is_told(
    bench: Bench, loop: Loop
) -> None:
    await Leader(bench.stored.database).request_drain(True)
    rows = await bench.stored.submit("p")

    rows = await until(bench, loop, rows.job.id, lambda rows: bool(rows.runs[0].waiting_reason))

    assert loop.draining
    assert "draining" in rows.runs[0].waiting_reason
    assert rows.workers == ()


async def test_a_leader_that_was_replaced_writes_nothing(bench: Bench, loop: Loop) -> None:
    rows = await bench.stored.submit("p")
    leader = Leader(bench.stored.database)
    await leader.give_up("first", bench.stored.epoch)
    await leader.acquire("second", "unix:/second", 60)

    with pytest.raises(NotLeader):
        await loop.tick()

    assert (await bench.rows(rows.job.id)).workers == ()


async def test_idle_is_said_only_of_a_look_that_could_not_start_anything(
    bench: Bench, loop: Loop
) -> None:
    rows = await bench.stored.submit("p")
    await loop.tick()  # its look saw no worker, and it launched one
    launched = await bench.rows(rows.job.id)

    loop.ending = True
    at_once = loop.idle
    for _ in range(MOST_TICKS):
        await loop.tick()
        await bench.inbox.wait(0.005)
        if loop.idle:
            break

    assert len(launched.workers) == 1
    assert not at_once
    assert loop.idle
    after = await bench.rows(rows.job.id)
    assert after.runs[0].state is RunState.PENDING
    assert [worker.state for worker in after.workers] == [WorkerState.GONE]
