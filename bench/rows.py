"""Many jobs at once, written straight into a database, for measurements of what comes after."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Table, insert, select

from videoannotator.domain.jobs import Job, JobState, Run, RunState
from videoannotator.domain.videos import Video
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.records import job_values, run_values, video_values

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 1_000
SHARED_VIDEO = 100  # jobs of one video
#: What every so many jobs are; the others have succeeded.
FAILED_EVERY = 10
ENDED = {True: (JobState.FAILED, RunState.FAILED), False: (JobState.COMPLETED, RunState.SUCCEEDED)}


async def owner(database: Database) -> str:
    """The id of the first user."""
    async with database.reading() as connection:
        found = await connection.execute(select(t.users.c.id).order_by(t.users.c.created_at))
        return str(found.scalars().first())


async def add_jobs(database: Database, owner_id: str, count: int, *, pipeline: str) -> list[str]:
    """Adds jobs that have ended, of videos that are not there; their ids, oldest first."""
    ids: list[str] = []
    numbers = iter(range(count))
    while batch := list(islice(numbers, BATCH)):
        jobs = [job(owner_id, number) for number in batch]
        runs = [run(each, number, pipeline) for each, number in zip(jobs, batch, strict=True)]
        async with database.writing() as connection:
            for table, values in _values(owner_id, batch, jobs, runs):
                if values:
                    await connection.execute(insert(table), values)
        ids += [each.id for each in jobs]
    return ids


def _values(
    owner_id: str, batch: Sequence[int], jobs: Sequence[Job], runs: Sequence[Run]
) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    videos = [video(owner_id, number) for number in batch if number % SHARED_VIDEO == 0]
    yield t.videos, [video_values(each) for each in videos]
    yield t.jobs, [job_values(each) for each in jobs]
    yield t.runs, [run_values(each) for each in runs]


def video(owner_id: str, number: int) -> Video:
    """A video that some jobs share."""
    name = f"{number // SHARED_VIDEO:032x}"
    return Video(
        id=name,
        owner_id=owner_id,
        display_name=f"session {number // SHARED_VIDEO} camera.mp4",
        key=f"videos/{owner_id}/{name}/source",
        size_bytes=1_000_000,
        sha256=name.rjust(64, "0"),
        created_at=STARTED,
    )


def job(owner_id: str, number: int) -> Job:
    """A job that has ended."""
    at = STARTED + timedelta(seconds=number)
    return Job(
        id=f"{number:08x}-0000-4000-8000-000000000000",
        owner_id=owner_id,
        video_id=f"{number // SHARED_VIDEO:032x}",
        video_name=f"recording {number}.mp4",
        state=ENDED[number % FAILED_EVERY == 0][0],
        created_at=at,
        updated_at=at,
        completed_at=at,
    )


def run(of: Job, number: int, pipeline: str) -> Run:
    """Its one run."""
    return Run(
        id=f"{number:08x}-0000-4000-9000-000000000000",
        job_id=of.id,
        position=0,
        pipeline=pipeline,
        state=ENDED[number % FAILED_EVERY == 0][1],
        created_at=of.created_at,
        finished_at=of.created_at,
    )
