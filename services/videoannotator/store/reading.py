"""Reads whole jobs in a fixed number of queries, however many they are."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, RowMapping, Select, bindparam, select

from videoannotator.store import tables as t
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.records import attempt_of, job_of, run_of, video_of, worker_of
from videoannotator.store.rows import JobRows
from videoannotator.store.types import database_now

Record = TypeVar("Record")
Which = Select[Any] | Sequence[str]  # ids of jobs


CLOCK = select(database_now())


async def clock(connection: AsyncConnection) -> datetime:
    """The database's clock."""
    return (await connection.execute(CLOCK)).scalar_one()


async def records(
    connection: AsyncConnection, query: Select[Any], of: Callable[[RowMapping], Record]
) -> list[Record]:
    """What `query` finds, as records."""
    return [of(row) for row in (await connection.execute(query)).mappings()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """What whole jobs are read with."""

    jobs: Select[Any]
    runs: Select[Any]
    attempts: Select[Any]
    workers: Select[Any]


def queries(which: Callable[[Any], ColumnElement[bool]]) -> Queries:
    """For the jobs whose id fulfils `which`."""
    return Queries(
        jobs=select(t.jobs, t.videos)
        .join_from(t.jobs, t.videos)
        .where(which(t.jobs.c.id))
        .order_by(t.jobs.c.created_at, t.jobs.c.id),
        runs=select(t.runs).where(which(t.runs.c.job_id)).order_by(t.runs.c.position),
        attempts=select(t.attempts, t.runs.c.job_id)
        .join_from(t.attempts, t.runs)
        .where(which(t.runs.c.job_id))
        .order_by(t.runs.c.position, t.attempts.c.number),
        workers=select(t.workers)
        .where(which(t.workers.c.job_id))
        .order_by(t.workers.c.created_at, t.workers.c.id),
    )


#: Made once: making a query takes longer than SQLite takes to answer it.
ONE_JOB = queries(lambda column: column == bindparam("job_id"))


async def read_jobs(connection: AsyncConnection, which: Which) -> dict[str, JobRows]:
    """The jobs whose ids are in `which`, by id, oldest first. Four queries."""
    return await _read(connection, queries(lambda column: column.in_(which)), {})


async def read_job(
    connection: AsyncConnection, job_id: str, of_one: Queries = ONE_JOB
) -> JobRows | None:
    """One job, None when `of_one` does not find it. Four queries."""
    return (await _read(connection, of_one, {"job_id": job_id})).get(job_id)


async def _read(
    connection: AsyncConnection, of: Queries, values: Mapping[str, Any]
) -> dict[str, JobRows]:
    found: list[Sequence[Mapping[Any, Any]]] = []
    for query in (of.jobs, of.runs, of.attempts, of.workers):
        found.append((await connection.execute(query, values)).mappings().all())
        if not found[0]:
            return {}
    return assembled(found)


def assembled(found: Sequence[Sequence[Mapping[Any, Any]]]) -> dict[str, JobRows]:
    """Whole jobs by id out of the rows of jobs, runs, attempts and workers."""
    jobs, *parts = found
    runs = _by_job(parts[0], t.runs.c.job_id, run_of)
    attempts = _by_job(parts[1], t.runs.c.job_id, attempt_of)
    workers = _by_job(parts[2], t.workers.c.job_id, worker_of)
    read = ((job_of(row), video_of(row)) for row in jobs)
    return {
        job.id: JobRows(
            job=job,
            video=video,
            runs=tuple(runs[job.id]),
            attempts=tuple(attempts[job.id]),
            workers=tuple(workers[job.id]),
        )
        for job, video in read
    }


def _by_job(
    rows: Sequence[Mapping[Any, Any]],
    job_id: Column[Any],
    of: Callable[[Any], Any],
) -> defaultdict[str, list[Any]]:
    grouped: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row[job_id]].append(of(row))
    return grouped
