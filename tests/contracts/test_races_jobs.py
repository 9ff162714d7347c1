"""Two writers of one job at once: what one has decided is not lost under the other.

Each race is run with the rule and without it. Without it SQLite is still right, because it has one
writer at a time; PostgreSQL is not.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.fakes.careless import UnlockedJobs, unlocked, waits
from tests.fakes.stored import NOON, Stored, end_in
from videoannotator.domain.errors import (
    IllegalTransition,
    JobAlreadyEnded,
    JobNotFound,
    VideoAnnotatorError,
)
from videoannotator.domain.events import EventKind
from videoannotator.domain.jobs import Attempt, JobState, RunState, job_state
from videoannotator.store.engine import Database
from videoannotator.store.events import FINAL_KINDS, Events
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import Changes, JobRows
from videoannotator.store.schedule import Schedule, SchedulerTransaction

Transaction = Callable[[Database, int], AbstractAsyncContextManager[SchedulerTransaction]]

ROUNDS = 8


def held(database: Database, epoch: int) -> AbstractAsyncContextManager[SchedulerTransaction]:
    """A transaction as the leader makes it."""
    return Schedule(database).transaction(epoch)


async def seen(stored: Stored, rows: JobRows) -> JobRows:
    """The job as it is stored."""
    async with held(stored.database, stored.epoch) as transaction:
        found = await transaction.job(rows.job.id)
    assert found is not None
    return found


async def endings(stored: Stored, rows: JobRows) -> list[EventKind]:
    """The events that told the end of the job."""
    events = await Events(stored.database).after(0, job_id=rows.job.id)
    return [event.kind for event in events if event.kind in FINAL_KINDS.values()]


class PausingJobs(Jobs):
    """Stops inside a transaction that has written what is wanted."""

    def __init__(self, database: Database) -> None:
        """`written` is set when it stops; `go` lets it commit."""
        super().__init__(database)
        self.written, self.go = asyncio.Event(), asyncio.Event()

    async def _want(self, connection: AsyncConnection, *what: object) -> JobRows:
        rows = await super()._want(connection, *what)  # type: ignore[arg-type]
        self.written.set()
        await self.go.wait()
        return rows


@asynccontextmanager
async def paused_cancel(stored: Stored, rows: JobRows) -> AsyncIterator[None]:
    """A cancel that is written when the block begins, and commits when it ends."""
    pausing = PausingJobs(stored.database)
    cancelling = asyncio.create_task(pausing.cancel(stored.owner, rows.job.id))
    await pausing.written.wait()
    try:
        yield
    finally:
        pausing.go.set()
        await cancelling


@pytest.mark.parametrize(("jobs", "safe"), [(Jobs, True), (UnlockedJobs, False)])
async def test_a_cancel_decides_on_what_the_scheduler_writes_at_that_moment(
    stored: Stored, other: Database, database_url: str, jobs: type[Jobs], safe: bool
) -> None:
    rows = await stored.launch(await stored.submit())

    async with held(stored.database, stored.epoch) as transaction:
        await end_in(transaction, rows, 0, RunState.SUCCEEDED)
        cancelling = asyncio.create_task(jobs(other).cancel(stored.owner, rows.job.id))
        assert await waits(cancelling, stored.database)
    (answer,) = await asyncio.gather(cancelling, return_exceptions=True)

    after = await seen(stored, rows)
    assert after.runs[0].state is RunState.SUCCEEDED
    if safe or database_url.startswith("sqlite"):
        assert isinstance(answer, JobAlreadyEnded)
        assert (after.job.state, after.job.wants.stop) == (JobState.COMPLETED, False)
    else:
        assert after.job.state is JobState.CANCELLING  # for ever: the run has ended


@pytest.mark.parametrize(("transaction", "safe"), [(held, True), (unlocked, False)])
async def test_the_scheduler_decides_on_a_cancel_of_that_moment(
    stored: Stored, other: Database, database_url: str, transaction: Transaction, safe: bool
) -> None:
    rows = await stored.submit()

    async def start() -> JobRows:
        """Launches a run, unless somebody wants its end."""
        async with transaction(other, stored.epoch) as writing:
            found = await writing.job(rows.job.id)
            assert found is not None
            if found.job.wants.stop:
                return found
            started = replace(found.runs[0], state=RunState.STARTING, started_at=NOON)
            return await writing.write(found, Changes(runs=(started,)))

    async with paused_cancel(stored, rows):
        starting = asyncio.create_task(start())
        assert await waits(starting, stored.database)
    await starting

    after = await seen(stored, rows)
    assert after.job.wants.stop
    if safe or database_url.startswith("sqlite"):
        assert after.runs[0].state is RunState.PENDING
        assert after.job.state is JobState.CANCELLING
    else:
        assert after.runs[0].state is RunState.STARTING  # a worker of a job that is cancelled
        assert after.job.state is not job_state(after.runs, after.job.wants)


@pytest.mark.parametrize(("transaction", "safe"), [(held, True), (unlocked, False)])
async def test_two_runs_that_end_together_end_their_job_once(
    stored: Stored, other: Database, database_url: str, transaction: Transaction, safe: bool
) -> None:
    rows = await stored.launch(await stored.submit("scene_detection", "voice_activity"))
    rows = await stored.launch(rows, 1)

    async def end_the_second() -> None:
        async with transaction(other, stored.epoch) as writing:
            await end_in(writing, rows, 1, RunState.FAILED)

    async with transaction(stored.database, stored.epoch) as writing:
        await end_in(writing, rows, 0, RunState.SUCCEEDED)
        ending = asyncio.create_task(end_the_second())
        assert await waits(ending, stored.database)
    await ending

    after = await seen(stored, rows)
    assert [run.state for run in after.runs] == [RunState.SUCCEEDED, RunState.FAILED]
    if safe or database_url.startswith("sqlite"):
        assert after.job.state is JobState.COMPLETED
        assert after.job.error_message is not None
        assert await endings(stored, rows) == [EventKind.COMPLETE]
    else:
        assert after.job.state is JobState.RUNNING  # for ever: both have ended
        assert await endings(stored, rows) == []


async def test_a_job_of_many_runs_that_end_together_ends_once(
    stored: Stored, other: Database
) -> None:
    rows = await stored.submit(*(f"pipeline_{number}" for number in range(ROUNDS)))
    for number in range(ROUNDS):
        rows = await stored.launch(rows, number)

    async def end(number: int) -> None:
        place = (stored.database, other)[number % 2]
        async with held(place, stored.epoch) as transaction:
            await end_in(transaction, rows, number, RunState.SUCCEEDED)

    await asyncio.gather(*(end(number) for number in range(ROUNDS)))

    assert (await seen(stored, rows)).job.state is JobState.COMPLETED
    assert await endings(stored, rows) == [EventKind.COMPLETE]


async def test_whatever_meets_the_state_of_a_job_fits_its_runs_and_wants(
    stored: Stored, other: Database
) -> None:
    """Two cancels, a delete, and the end of two runs at once; each may come first."""
    for number in range(ROUNDS):
        rows = await stored.launch(await stored.submit("scene_detection", "voice_activity"))
        rows = await stored.launch(rows, 1)
        meeting = [
            stored.jobs.cancel(stored.owner, rows.job.id),
            stored.end(rows, 0, RunState.SUCCEEDED),
            Jobs(other).cancel(stored.owner, rows.job.id),
            stored.end(rows, 1, RunState.FAILED),
            Jobs(other).delete(stored.owner, rows.job.id),
        ]
        first = number % len(meeting)
        answers = await asyncio.gather(*meeting[first:], *meeting[:first], return_exceptions=True)

        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert {type(answer) for answer in refused} <= {JobAlreadyEnded, JobNotFound}
        after = await seen(stored, rows)
        assert after.job.state is JobState.COMPLETED
        assert after.job.state is job_state(after.runs, after.job.wants)
        assert after.job.wants.delete_requested_at is not None
        assert (await endings(stored, rows))[:1] == [EventKind.COMPLETE]


async def test_a_key_names_one_job_whatever_is_submitted_and_deleted_at_once(
    stored: Stored, other: Database
) -> None:
    new = stored.new_job(idempotency_key="k", request_sha256="a")
    made: list[str] = []

    async def submit(place: Database) -> None:
        for _ in range(ROUNDS):
            rows, created = await Jobs(place).submit(new)
            made.extend([rows.job.id] if created else [])

    async def delete_all(place: Database) -> None:
        for _ in range(ROUNDS):
            rows, _ = await Jobs(place).submit(new)
            with suppress(JobNotFound):  # the other one deleted it
                await Jobs(place).delete(stored.owner, rows.job.id)

    places = (stored.database, other)
    await asyncio.gather(*(act(place) for act in (submit, delete_all) for place in places))
    last, created = await stored.jobs.submit(new)

    assert len(set(made)) == len(made)
    for job_id in made:
        if job_id != last.job.id:
            with pytest.raises(JobNotFound):
                await stored.jobs.get(stored.owner, job_id)
    assert created or (await stored.jobs.get(stored.owner, last.job.id)) == last


@pytest.mark.parametrize("indexed", [True, False])
async def test_a_run_gets_one_open_attempt_when_two_open_one_at_once(
    stored: Stored, other: Database, indexed: bool
) -> None:
    rows = await stored.submit()
    if not indexed:
        async with stored.database.writing() as connection:
            await connection.execute(text("DROP INDEX uq_attempts_open"))

    async def open_attempt(place: Database, number: int) -> None:
        run_id = rows.runs[0].id
        attempt = Attempt(run_id=run_id, number=number, worker_id=f"w{number}", opened_at=NOON)
        async with unlocked(place, stored.epoch) as transaction:
            await transaction.write(rows, Changes(attempts=(attempt,)))
            await asyncio.sleep(0.05)

    ends = await asyncio.gather(
        open_attempt(stored.database, 1), open_attempt(other, 2), return_exceptions=True
    )

    refused = [end for end in ends if isinstance(end, VideoAnnotatorError)]
    assert [type(end) for end in refused] == [IllegalTransition] * indexed
    assert len((await seen(stored, rows)).attempts) == (1 if indexed else 2)
