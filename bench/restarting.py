"""A new scheduler among 1,000 waiting and 40 running jobs."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select

from bench import Figure
from bench.services import Place, databases, place, start, stop
from bench.submitting import sample
from tests.fakes.site import PLUGINS
from videoannotator.blobs import keys
from videoannotator.blobs.files import FileBlobs
from videoannotator.domain.access import Role
from videoannotator.domain.jobs import RunState, WorkerState
from videoannotator.domain.videos import Video
from videoannotator.store import tables as t
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import NewJob, NewRun
from videoannotator.store.videos import Videos

WAITING, RUNNING = 1_000, 40
PIPELINE = "journal"  # works for as long as it is told
WORK = {"seconds": 3_600.0}
LOOK_SECONDS = 0.1
LONGEST_SECONDS = 600.0
TRIES = 3
SCHEDULER = [sys.executable, "-m", "videoannotator.scheduler"]


async def asked(here: Place, database: Database) -> NewJob:
    """What a user asks for who has stored one video: a job of one run."""
    user = await Access(database).create_user("owner", Role.RESEARCHER)
    name = uuid4().hex
    key = keys.video_source(user.id, name)

    async def source() -> Any:
        yield sample().read_bytes()

    stored = await FileBlobs(here.root).put(key, source())
    video = Video(
        id=name,
        owner_id=user.id,
        display_name="clip.mp4",
        key=key,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        created_at=datetime.now(UTC),
    )
    await Videos(database).add(video)
    return NewJob(
        owner_id=user.id, video_id=name, runs=(NewRun(pipeline=PIPELINE, parameters=WORK),)
    )


async def submit_all(here: Place, database: Database) -> None:
    """A job for each that shall run or wait."""
    new = await asked(here, database)
    for _ in range(WAITING + RUNNING):
        await Jobs(database).submit(new)


async def positions(database: Database) -> dict[str, float]:
    """How far each run is that runs, in seconds of media."""
    query = select(t.runs.c.id, t.runs.c.progress).where(t.runs.c.state == RunState.RUNNING)
    async with database.reading() as connection:
        found = await connection.execute(query)
        return {run_id: progress["position_seconds"] for run_id, progress in found}


async def workers(database: Database, *states: WorkerState) -> int:
    """How many workers are in these states."""
    query = select(func.count()).select_from(t.workers).where(t.workers.c.state.in_(states))
    async with database.reading() as connection:
        return int((await connection.execute(query)).scalar_one())


async def seconds_until(done: Callable[[], Any]) -> float:
    """Looks until it is done."""
    started = time.perf_counter()
    while time.perf_counter() - started < LONGEST_SECONDS:
        if await done():
            return time.perf_counter() - started
        await asyncio.sleep(LOOK_SECONDS)
    raise SystemExit(f"It did not happen within {LONGEST_SECONDS:.0f} s.")


async def restart_seconds(here: Place, database: Database) -> float:
    """From the start of a new process until it hears of every running run again."""
    before = await positions(database)

    async def all_heard_of() -> bool:
        now = await positions(database)
        return all(now.get(run_id, 0.0) > position for run_id, position in before.items())

    started = time.perf_counter()
    scheduler = start(SCHEDULER, variables(here))
    try:
        await seconds_until(all_heard_of)
        return time.perf_counter() - started
    finally:
        await asyncio.to_thread(stop, scheduler)


def variables(here: Place) -> dict[str, str]:
    """A site where so many may run, with the pipeline that works as it is told."""
    own = here.variables(SCHEDULER__MAX_WORKERS=str(RUNNING), SCHEDULER__GPUS="0")
    return {**own, "PYTHONPATH": str(PLUGINS)}


async def restarts(here: Place) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds of each restart with all jobs, and of a start beside nothing at all."""
    database = Database.open(here.database_url)
    try:
        idle = tuple([await restart_seconds(here, database) for _ in range(TRIES)])
        await submit_all(here, database)
        try:
            await start_all(here, database)
            return tuple([await restart_seconds(here, database) for _ in range(TRIES)]), idle
        finally:  # also when somebody ends the measurement: workers outlive their scheduler
            await end_workers(here, database)
    finally:
        await database.close()


async def start_all(here: Place, database: Database) -> None:
    """A first scheduler, until all that may run are at work."""
    first = start(SCHEDULER, variables(here))
    try:
        await seconds_until(lambda: _all_at_work(database))
    finally:
        await asyncio.to_thread(stop, first)


async def _all_at_work(database: Database) -> bool:
    found = await positions(database)
    return len(found) == RUNNING and all(position > 0 for position in found.values())


async def end_workers(here: Place, database: Database) -> None:
    """Deletes every job and lets a scheduler end the workers."""
    async with database.writing() as connection:
        now = datetime.now(UTC)
        await connection.execute(t.jobs.update().values(delete_requested_at=now))
    last = start(SCHEDULER, variables(here))
    living = [state for state in WorkerState if state is not WorkerState.GONE]
    try:
        await seconds_until(lambda: _none(database, living))
    finally:
        await asyncio.to_thread(stop, last)


async def _none(database: Database, living: Iterable[WorkerState]) -> bool:
    return await workers(database, *living) == 0


def measure() -> list[Figure]:
    """Seconds until every running run is heard of again, beside a start with no jobs."""
    figures = []
    for kind in databases():
        with place(kind) as here:
            took, idle = asyncio.run(restarts(here))
        figures.append(
            Figure(
                what=f"restart, {WAITING:,} waiting, {RUNNING} running, {kind}",
                runs=took,
                unit="s",
                target=10.0,
                more_is_better=False,
                beside="a start without jobs",
                others=idle,
            )
        )
    return figures
