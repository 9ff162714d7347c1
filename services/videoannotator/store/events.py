"""Events: appended in the transaction that changes the state, read by those who watch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, or_, select, text
from sqlalchemy.engine import Dialect

from videoannotator.domain.events import Event, EventKind
from videoannotator.domain.jobs import Attempt, JobState, Run
from videoannotator.store import tables as t
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.engine import Database
from videoannotator.store.prepared import Asked, Values
from videoannotator.store.reading import records
from videoannotator.store.records import event_of
from videoannotator.store.rows import JobRows, reached
from videoannotator.store.together import together
from videoannotator.store.visibility import well_formed

EVENT_LOCK = 0x7661_0001  # "va"; the key of the advisory lock under which ids are assigned
LOCK = text(f"SELECT pg_advisory_xact_lock({EVENT_LOCK})")
INSERT = insert(t.events).inline()

FINAL_KINDS = {
    JobState.COMPLETED: EventKind.COMPLETE,
    JobState.FAILED: EventKind.ERROR,
    JobState.CANCELLED: EventKind.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that has no id yet."""

    kind: EventKind
    job_id: str
    owner_id: str
    group_id: str | None
    run_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


def state_data(rows: JobRows) -> dict[str, Any]:
    """The state of a job in full, as an event carries it."""
    job = rows.job
    return {
        "job_id": job.id,
        "status": job.state.value,
        "progress": rows.progress,
        "error_message": job.error_message,
        "deleted": job.wants.delete_requested_at is not None,
        "updated_at": _time(job.updated_at),
        "started_at": _time(job.started_at),
        "completed_at": _time(job.completed_at),
        "runs": [_run_data(run, rows.attempts) for run in rows.runs],
    }


def _run_data(run: Run, attempts: Sequence[Attempt]) -> dict[str, Any]:
    failure = run.failure
    return {
        "run_id": run.id,
        "pipeline": run.pipeline,
        "status": run.state.value,
        "attempt": max((each.number for each in attempts if each.run_id == run.id), default=0),
        "progress": reached(run),
        "stage": run.progress.stage,
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
        "summary": dict(run.summary),
        "error": failure
        and {"code": failure.code.value, "message": failure.message, "hint": failure.advice},
    }


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def state_events(old: JobRows | None, new: JobRows) -> list[NewEvent]:
    """The events of a change: one per changed run, one for the job's end or any other change."""
    before = {run.id: run.state for run in old.runs} if old else {}
    changed = [run.id for run in new.runs if old and before[run.id] is not run.state]
    events = [_event(EventKind.UPDATE, new, run_id) for run_id in changed]
    ended = new.job.state in FINAL_KINDS and not (old and old.job.state is new.job.state)
    if ended:
        return [*events, _event(FINAL_KINDS[new.job.state], new)]
    if old and (old.job.state, old.job.wants) == (new.job.state, new.job.wants):
        return events
    return events or [_event(EventKind.UPDATE, new)]


def _event(kind: EventKind, rows: JobRows, run_id: str | None = None) -> NewEvent:
    return NewEvent(
        kind=kind,
        job_id=rows.job.id,
        owner_id=rows.job.owner_id,
        group_id=rows.job.group_id,
        run_id=run_id,
        data=state_data(rows),
    )


def log_event(rows: JobRows, run_id: str, level: str, message: str) -> NewEvent:
    """A line of a run's log."""
    pipelines = {run.id: run.pipeline for run in rows.runs}
    data = {
        "job_id": rows.job.id,
        "run_id": run_id,
        "pipeline": pipelines.get(run_id),
        "level": level,
        # PostgreSQL takes no NUL, and what a worker says must not stop the scheduler.
        "message": message.replace("\x00", "\ufffd"),
    }
    return NewEvent(
        kind=EventKind.LOG,
        job_id=rows.job.id,
        owner_id=rows.job.owner_id,
        group_id=rows.job.group_id,
        run_id=run_id,
        data=data,
    )


async def append(connection: AsyncConnection, new: Sequence[NewEvent], now: datetime) -> None:
    """Writes events. The last act of a transaction: until it commits, nobody else gets an id.

    So a reader that has seen id n has seen all below. On SQLite the single writer gives the same.
    """
    if new:
        await together(connection, appending(connection.dialect, new, now))


def appending(dialect: Dialect, new: Sequence[NewEvent], now: datetime) -> list[Asked]:
    """What writes events. The last statements of a transaction, see `append`."""
    lock: list[Asked] = [(LOCK, {})] if dialect.name == "postgresql" else []
    return [*lock, *((INSERT, _values(each, now)) for each in new)]


def _values(event: NewEvent, now: datetime) -> Values:
    return {
        "kind": event.kind,
        "job_id": event.job_id,
        "owner_id": event.owner_id,
        "group_id": event.group_id,
        "run_id": event.run_id,
        "data": event.data,
        "created_at": now,
    }


class Events:
    """Reads events."""

    def __init__(self, database: Database) -> None:
        """Reads from `database`."""
        self._database = database

    async def after(
        self,
        last_id: int,
        *,
        owner_id: str | None = None,
        group_ids: Sequence[str] = (),
        job_id: str | None = None,
        limit: int = 500,
    ) -> list[Event]:
        """The events after `last_id`, oldest first.

        `owner_id` and `group_ids` say whose; `owner_id` None: everybody's.
        """
        if job_id is not None and not well_formed(job_id):
            return []
        where: list[ColumnElement[bool]] = [t.events.c.id > last_id]
        if owner_id is not None:
            where.append(
                or_(t.events.c.owner_id == owner_id, t.events.c.group_id.in_(tuple(group_ids)))
            )
        if job_id is not None:
            where.append(t.events.c.job_id == job_id)
        query = select(t.events).where(*where).order_by(t.events.c.id).limit(limit)
        async with self._database.reading() as connection:
            return await records(connection, query, event_of)

    async def last_id(self) -> int:
        """The id of the newest event, 0 when there is none."""
        async with self._database.reading() as connection:
            return await connection.scalar(select(func.max(t.events.c.id))) or 0
