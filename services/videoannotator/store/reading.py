"""Reads whole jobs in a fixed number of queries, however many they are."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from videoannotator.store import tables as t
from videoannotator.store.records import attempt_of, job_of, run_of, video_of, worker_of
from videoannotator.store.rows import JobRows
from videoannotator.store.types import database_now

Record = TypeVar("Record")
Which = Select[Any] | Sequence[str]  # ids of jobs


async def clock(connection: AsyncConnection) -> datetime:
    """The database's clock."""
    return (await connection.execute(select(database_now()))).scalar_one()


async def records(
    connection: AsyncConnection, query: Select[Any], of: Callable[[RowMapping], Record]
) -> list[Record]:
    """What `query` finds, as records."""
    return [of(row) for row in (await connection.execute(query)).mappings()]


async def read_jobs(connection: AsyncConnection, which: Which) -> dict[str, JobRows]:
    """The jobs whose ids are in `which`, by id, oldest first. Four queries."""
    query = select(t.jobs, t.videos).join_from(t.jobs, t.videos).where(t.jobs.c.id.in_(which))
    ordered = query.order_by(t.jobs.c.created_at, t.jobs.c.id)
    jobs = await records(connection, ordered, lambda row: (job_of(row), video_of(row)))
    runs, attempts, workers = await _parts(connection, which)
    return {
        job.id: JobRows(
            job=job,
            video=video,
            runs=tuple(runs[job.id]),
            attempts=tuple(attempts[job.id]),
            workers=tuple(workers[job.id]),
        )
        for job, video in jobs
    }


async def read_job(connection: AsyncConnection, job_id: str) -> JobRows | None:
    """One job, None when there is none."""
    return (await read_jobs(connection, [job_id])).get(job_id)


async def _parts(connection: AsyncConnection, which: Which) -> list[defaultdict[str, list[Any]]]:
    runs = select(t.runs).order_by(t.runs.c.position)
    attempts = (
        select(t.attempts, t.runs.c.job_id)
        .join_from(t.attempts, t.runs)
        .order_by(t.runs.c.position, t.attempts.c.number)
    )
    workers = select(t.workers).order_by(t.workers.c.created_at, t.workers.c.id)
    return [
        await _by_job(connection, runs.where(t.runs.c.job_id.in_(which)), run_of),
        await _by_job(connection, attempts.where(t.runs.c.job_id.in_(which)), attempt_of),
        await _by_job(connection, workers.where(t.workers.c.job_id.in_(which)), worker_of),
    ]


async def _by_job(
    connection: AsyncConnection, query: Select[Any], of: Callable[[RowMapping], Any]
) -> defaultdict[str, list[Any]]:
    grouped: defaultdict[str, list[Any]] = defaultdict(list)
    for row in (await connection.execute(query)).mappings():
        grouped[row["job_id"]].append(of(row))
    return grouped
