"""Few connections: who finds none stands in line, and nobody fails."""

import asyncio
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.fakes import databases
from tests.fakes.pgbouncer import pgbouncer
from tests.fakes.postgres import PostgresServer
from tests.fakes.served import Customer, ServedSite, served_site
from tests.fakes.site import succeeded
from tests.fakes.verdict import faults
from videoannotator.store.engine import Database
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import JobFilter, NewJob, NewRun

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]

AT_ONCE = 100
FEW = 16  # connections of a server; three of them are kept for its administrator
PROCESSES = 3
SUBMITS_EACH = 8


async def ask_at_once(place: ServedSite, job_id: str, requests: int) -> list[httpx.Response]:
    """The answers to many requests at once, half of them for one job and half for all."""
    paths = (f"/api/v1/jobs/{job_id}", "/api/v1/jobs") * (requests // 2)
    return await asyncio.gather(*(place.client.get(path) for path in paths))


async def test_a_hundred_requests_at_once_are_all_answered(clip: Path, tmp_path: Path) -> None:
    url = await asyncio.to_thread(databases.empty_url)
    content = await asyncio.to_thread(clip.read_bytes)
    async with served_site(tmp_path / "storage", url) as place:
        job_id = await Customer(place.client).submit(content, tmp_path / "journal", 0.1)
        answers = await ask_at_once(place, job_id, AT_ONCE)
        ended = await place.site.ended(job_id)

    assert [answer.status_code for answer in answers] == [200] * AT_ONCE
    assert succeeded(ended)


async def test_processes_that_want_more_connections_than_there_are_stand_in_line(
    clip: Path, tmp_path: Path
) -> None:
    databases.need_postgresql()
    content = await asyncio.to_thread(clip.read_bytes)
    with PostgresServer(max_connections=str(FEW)) as server:
        url = server.create("crowded")
        async with served_site(tmp_path / "storage", url) as place:
            job_id = await Customer(place.client).submit(content, tmp_path / "journal", 0.5)
            rows = await place.site.job(job_id)
            new = NewJob(
                owner_id=rows.job.owner_id,
                video_id=rows.video.id,
                runs=(NewRun(pipeline="of_no_catalogue"),),
            )
            others = [Database.open(url) for _ in range(PROCESSES)]
            submits = (Jobs(one).submit(new) for one in others * SUBMITS_EACH)
            answers, *made = await asyncio.gather(ask_at_once(place, job_id, 2 * FEW), *submits)
            ended = await place.site.ended(job_id)
            _, total = await Jobs(place.site.database).list(place.site.user, JobFilter())
            for one in others:
                await one.close()
        refused = "remaining connection slots" in server.log.read_text()

    assert [answer.status_code for answer in answers] == [200] * 2 * FEW
    assert len({rows.job.id for rows, _ in made}) == len(made) == total - 1
    assert succeeded(ended)
    assert refused, "nobody had to stand in line"


async def test_a_site_works_through_a_pgbouncer_that_restarts(clip: Path, tmp_path: Path) -> None:
    lines = tmp_path / "journal"
    content = await asyncio.to_thread(clip.read_bytes)
    cluster = await asyncio.to_thread(databases.shared)
    name = f"site_{uuid4().hex}"
    cluster.create(name)
    with pgbouncer(cluster) as bouncer:
        async with served_site(tmp_path / "storage", bouncer.url(name)) as place:
            customer = Customer(place.client)
            jobs = [await customer.submit(content, lines, 2.0) for _ in range(2)]
            await place.site.running(jobs[0])
            bouncer.restart()
            jobs.append(await customer.submit(content, lines, 0.1))
            states = [await customer.until_ended(job_id) for job_id in jobs]
            ended = [await place.site.ended(job_id) for job_id in jobs]
            wrong = await faults(place.site, ended, lines)
            alive = place.scheduler.alive

    assert states == ["completed"] * 3
    assert all(succeeded(rows) for rows in ended)
    assert wrong == []
    assert alive
