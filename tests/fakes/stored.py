"""A database with something in it, and short ways to put more there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiosqlite
import psycopg
import pytest
from sqlalchemy import Engine, event

from videoannotator.domain.access import Principal, Role
from videoannotator.domain.jobs import (
    Attempt,
    AttemptOutcome,
    RunState,
    Worker,
    WorkerState,
)
from videoannotator.domain.videos import Video
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.jobs import Jobs, NewJob, NewRun
from videoannotator.store.leader import Leader
from videoannotator.store.rows import Changes, JobRows
from videoannotator.store.schedule import Schedule, SchedulerTransaction
from videoannotator.store.videos import Videos

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)


def a_video(owner_id: str, **fields: Any) -> Video:
    """A video of `owner_id`, like no other."""
    video_id = str(uuid4())
    values: dict[str, Any] = {
        "id": video_id,
        "owner_id": owner_id,
        "display_name": "clip.mp4",
        "key": f"videos/{owner_id}/{video_id}/source",
        "size_bytes": 1000,
        "sha256": uuid4().hex * 2,
        "created_at": NOON,
    }
    return Video(**{**values, **fields})


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """The statements that any engine executes meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def counted_steps() -> Iterator[list[str]]:
    """What the event loop waits for meanwhile: a visit of SQLite's thread, a message to PostgreSQL.

    Either may carry many statements.
    """
    seen: list[str] = []
    visit, send = aiosqlite.Connection._execute, psycopg.AsyncCursor.execute
    end: Any = psycopg.AsyncConnection._exec_command

    async def visited(self: Any, *what: Any, **how: Any) -> Any:
        seen.append("visit")
        return await visit(self, *what, **how)

    async def sent(self: Any, *what: Any, **how: Any) -> Any:
        seen.append("message")
        return await send(self, *what, **how)

    def ended(self: Any, *what: Any, **how: Any) -> Any:  # by the driver's COMMIT or ROLLBACK
        seen.append("message")
        return end(self, *what, **how)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(psycopg.AsyncConnection, "_exec_command", ended)
        patched.setattr(aiosqlite.Connection, "_execute", visited)
        patched.setattr(psycopg.AsyncCursor, "execute", sent)
        yield seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is in the database at the beginning: one researcher with one video, one leader."""

    database: Database
    owner: Principal
    video: Video
    epoch: int
    jobs: Jobs
    schedule: Schedule

    @classmethod
    async def begin(cls, database: Database) -> "Stored":
        """Puts it there."""
        owner = await principal(database, "ada")
        leadership = await Leader(database).acquire("first", "unix:/first", 60)
        assert leadership is not None
        return cls(
            database=database,
            owner=owner,
            # New, because old ones without a job are swept.
            video=await Videos(database).add(a_video(owner.user_id, created_at=datetime.now(UTC))),
            epoch=leadership.epoch,
            jobs=Jobs(database),
            schedule=Schedule(database),
        )

    @property
    def on_postgresql(self) -> bool:
        """Whether it is a database of PostgreSQL, else one of SQLite."""
        return self.database._writes.dialect.name == "postgresql"

    async def submit(self, *pipelines: str, **fields: Any) -> JobRows:
        """Submits a job of the researcher."""
        rows, _ = await self.jobs.submit(self.new_job(*pipelines, **fields))
        return rows

    def new_job(self, *pipelines: str, **fields: Any) -> NewJob:
        """A job of the researcher that nobody has submitted yet."""
        values: dict[str, Any] = {"owner_id": self.owner.user_id, "video_id": self.video.id}
        runs = tuple(NewRun(pipeline=name) for name in pipelines or ("scene_detection",))
        return NewJob(**{**values, "runs": runs, **fields})

    async def launch(self, rows: JobRows, position: int = 0) -> JobRows:
        """Opens an attempt of a run, with a worker that is up, at work."""
        run = rows.runs[position]
        number = 1 + sum(attempt.run_id == run.id for attempt in rows.attempts)
        worker = a_worker(rows, position, number)
        attempt = Attempt(run_id=run.id, number=number, worker_id=worker.id, opened_at=NOON)
        started = replace(run, state=RunState.STARTING, started_at=run.started_at or NOON)
        async with self.schedule.transaction(self.epoch) as transaction:
            changes = Changes(runs=(started,), attempts=(attempt,), workers=(worker,))
            rows = await transaction.write(rows, changes)
            at_work = Changes(
                runs=(replace(rows.runs[position], state=RunState.RUNNING),),
                workers=(replace(worker, state=WorkerState.UP, up_at=NOON),),
            )
            return await transaction.write(rows, at_work)

    async def write(self, rows: JobRows, changes: Changes) -> JobRows:
        """One write of the leader, in a transaction of its own."""
        async with self.schedule.transaction(self.epoch) as transaction:
            return await transaction.write(rows, changes)

    async def purge(self, rows: JobRows) -> Video | None:
        """A purge, in a transaction of its own."""
        async with self.schedule.transaction(self.epoch) as transaction:
            return await transaction.purge(rows.job.id)

    async def end(self, rows: JobRows, position: int, state: RunState) -> JobRows:
        """Ends a run with its attempts and workers."""
        async with self.schedule.transaction(self.epoch) as transaction:
            return await end_in(transaction, rows, position, state)


async def end_in(
    transaction: SchedulerTransaction, rows: JobRows, position: int, state: RunState
) -> JobRows:
    """Ends a run with its attempts and workers, inside `transaction`."""
    run = rows.runs[position]
    attempts = tuple(
        replace(each, over_at=NOON, outcome=AttemptOutcome.COMPLETED)
        for each in rows.attempts
        if each.run_id == run.id
    )
    workers = tuple(
        replace(each, state=WorkerState.GONE, gone_at=NOON)
        for each in rows.workers
        if each.run_id == run.id
    )
    ended = replace(run, state=state, finished_at=NOON)
    return await transaction.write(rows, Changes(runs=(ended,), attempts=attempts, workers=workers))


def a_worker(rows: JobRows, position: int = 0, attempt: int = 1, **fields: Any) -> Worker:
    """A worker of a run, like no other."""
    values: dict[str, Any] = {
        "id": uuid4().hex[:12],
        "run_id": rows.runs[position].id,
        "job_id": rows.job.id,
        "attempt": attempt,
        "launcher": "process",
        "token_sha256": "0" * 64,
        "created_at": NOON,
    }
    return Worker(**{**values, **fields})


def launch_of(rows: JobRows) -> Changes:
    """What a leader inserts when it launches a worker."""
    worker = a_worker(rows)
    attempt = Attempt(run_id=rows.runs[0].id, number=1, worker_id=worker.id, opened_at=NOON)
    started = replace(rows.runs[0], state=RunState.STARTING, started_at=NOON)
    return Changes(runs=(started,), attempts=(attempt,), workers=(worker,))


async def principal(
    database: Database, name: str, role: Role = Role.RESEARCHER, group: str | None = None
) -> Principal:
    """A new user, as the caller of a request."""
    access = Access(database)
    user = await access.create_user(name, role)
    if group is not None:
        await access.add_to_group(user.id, group)
    _, secret = await access.create_key(user.id, "test")
    return await access.principal(secret)
