"""2,000 watchers of server-sent events, each of whom is told something every second."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import update

from bench import Figure
from bench.rows import add_jobs, owner
from bench.services import Service, databases, place, service
from bench.watchers import Plan
from videoannotator.domain.events import EventKind
from videoannotator.domain.jobs import JobState, RunState
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.events import Events, NewEvent, append
from videoannotator.store.reading import clock

WATCHERS, JOBS = 2_000, 40
SECONDS = 30
SETTLE_SECONDS = 10.0
RESUME_EVERY, RESUME_AFTER = 20, 5
PIPELINE = "scene_detection"


async def begin(database: Database, jobs: Sequence[str]) -> None:
    """Lets the jobs go on: who watches a job that has ended is told so once."""
    async with database.writing() as connection:
        await connection.execute(update(t.jobs).values(state=JobState.RUNNING, completed_at=None))
        await connection.execute(update(t.runs).values(state=RunState.RUNNING, finished_at=None))


async def tell(database: Database, owner_id: str, jobs: Sequence[str]) -> None:
    """An event of every job each second."""
    for second in range(SECONDS):
        began = time.perf_counter()
        async with database.writing() as connection:
            events = [
                NewEvent(
                    kind=EventKind.UPDATE,
                    job_id=job,
                    owner_id=owner_id,
                    group_id=None,
                    data={"job_id": job, "status": "running", "progress": second / SECONDS},
                )
                for job in jobs
            ]
            await append(connection, events, await clock(connection))
        await asyncio.sleep(max(0.0, 1.0 - (time.perf_counter() - began)))


async def written(database: Database, jobs: Sequence[str]) -> dict[str, list[int]]:
    """The ids of the events of each job."""
    return {job: [each.id for each in await Events(database).after(0, job_id=job)] for job in jobs}


async def watched(url: str, api: Service) -> tuple[Mapping[str, list[int]], list[Any], float]:
    """What was written, what each watcher saw, and the memory of the api while all watched."""
    database = Database.open(url)
    try:
        owner_id = await owner(database)
        jobs = await add_jobs(database, owner_id, JOBS, pipeline=PIPELINE)
        await begin(database, jobs)
        plan = Plan(
            port=api.port,
            token=api.told["admin_key"],
            jobs=jobs,
            watchers=WATCHERS,
            resume_every=RESUME_EVERY,
            resume_after=RESUME_AFTER,
        )
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.watchers"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=1 << 30,
        )
        assert child.stdin  # noqa: S101 - it was asked for
        assert child.stdout  # noqa: S101 - so was this
        child.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
        await child.stdout.readline()
        await tell(database, owner_id, jobs)
        await asyncio.sleep(SETTLE_SECONDS)
        resident = api.resident_megabytes
        child.stdin.write(b"enough\n")
        seen = json.loads(await child.stdout.readline())
        await child.wait()
        return await written(database, jobs), seen, resident
    finally:
        await database.close()


def lost(events: Mapping[str, list[int]], seen: Sequence[Any]) -> int:
    """How many events a watcher did not see, saw twice, or saw out of order, all together."""
    return sum(
        len(set(events[each["job"]]) ^ set(each["ids"]))
        + (len(each["ids"]) - len(set(each["ids"])))
        + (each["ids"] != sorted(each["ids"]))
        for each in seen
    )


def figures_on(kind: str) -> list[Figure]:
    """On one kind of database."""
    with place(kind) as here, service("api", here) as api:
        idle = api.resident_megabytes
        events, seen, resident = asyncio.run(watched(here.database_url, api))
    delays = sorted(delay * 1e3 for each in seen for delay in each["delays"])
    told = f"{WATCHERS:,} watchers, 1 event/s each, {kind}"
    return [
        Figure(
            what=f"memory, {told}",
            runs=(resident,),
            unit="MB",
            target=150,
            more_is_better=False,
            beside="the same api idle",
            others=(idle,),
        ),
        Figure(
            what=f"events lost or doubled, of {len(delays):,}, {kind}",
            runs=(float(lost(events, seen)),),
            unit="",
            target=0,
            more_is_better=False,
        ),
        Figure(
            what=f"from written to received, p50, {kind}",
            runs=(statistics.median(delays),),
            unit="ms",
            more_is_better=False,
        ),
        Figure(
            what=f"from written to received, p99, {kind}",
            runs=(delays[int(0.99 * len(delays))],),
            unit="ms",
            more_is_better=False,
        ),
        Figure(
            what=f"watchers that hung up and resumed, {kind}",
            runs=(float(sum(each["resumed"] > 0 for each in seen)),),
            unit="",
        ),
    ]


def measure() -> list[Figure]:
    """Memory, losses and delays."""
    return [figure for kind in databases() for figure in figures_on(kind)]
