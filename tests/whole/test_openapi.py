"""Requests made up from the OpenAPI document find no 500, no undocumented answer, no leaked file.

`make test` makes a few hundred; `make test-openapi` thousands. The seed is printed; a run is
repeated with OPENAPI_SEED=... and OPENAPI_EXAMPLES=... in the environment.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, func, select

from tests.fakes.api_site import CATALOGUE, ApiSite, client_of, migrated, open_site
from tests.fakes.explorer import Exploration, Found, explore, listening
from videoannotator.rpc.queue import Queue, Slot, Waiting
from videoannotator.scheduler.composing import local_scheduler
from videoannotator.store.leader import Leader
from videoannotator.store.tables import artifacts, jobs, videos

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEED = int(os.environ.get("OPENAPI_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "1"))
EVERYTHING = EXAMPLES > 1
PHASES = "examples,coverage,fuzzing,stateful" if EVERYTHING else "examples,fuzzing,stateful"
NO_UPLOADS = ("--exclude-operation-id=submit_job",)
UPLOADS = ("--include-tag=jobs", "--include-tag=results")
PURGED_WITHIN_SECONDS = 60.0


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated(tmp_path_factory.mktemp("database"))


@pytest.fixture
async def explored(tmp_path: Path, empty_database: Path) -> AsyncIterator[ApiSite]:
    """A site with a scheduler that answers; what is left on it afterwards is judged."""
    async with open_site(tmp_path / "site", empty_database) as site:
        site.scheduler.answer = a_queue()
        yield site
        assert site.files("incoming") == []
        await purge(site)
        assert site.files("videos") == await known(site, videos.c.key)
        assert len(site.files("jobs")) == len(await known(site, artifacts.c.id))


def a_queue() -> Queue:
    """Somebody waits, somebody works."""
    ids = {"run_id": "1f", "job_id": "2f", "owner_id": "3f", "pipeline": "scene_detection"}
    since = datetime(2026, 1, 31, tzinfo=UTC)
    return Queue(
        waiting=(Waiting(**ids, position=1, reason="all slots are in use"),),
        slots=(Slot(**ids, worker_id="4f", state="up", since=since, gpus=0),),
        max_workers=2,
        max_gpu_workers=0,
        epoch=1,
        draining=False,
        ticked_at=since,
    )


async def known(site: ApiSite, column: Column[str]) -> list[str]:
    """Every value of a column, sorted."""
    async with site.database.reading() as connection:
        return sorted((await connection.scalars(select(column))).all())


async def purge(site: ApiSite) -> None:
    """Lets a real scheduler delete what was asked to be deleted; it starts nothing."""
    leader = Leader(site.database)
    await leader.request_drain(True)
    await leader.give_up("test", (await leader.read()).epoch)
    scheduler = local_scheduler(site.settings, site.database, site.blobs, CATALOGUE)
    await scheduler.start()
    try:
        async with asyncio.timeout(PURGED_WITHIN_SECONDS):
            while await doomed(site):  # noqa: ASYNC110 - what it waits for is in the database
                await asyncio.sleep(0.1)
    finally:
        await scheduler.stop(take_workers=True)


async def doomed(site: ApiSite) -> int:
    """How many jobs and videos still wait for their deletion."""
    async with site.database.reading() as connection:
        counts = [
            await connection.scalar(
                select(func.count()).where(table.c.delete_requested_at.is_not(None))
            )
            for table in (jobs, videos)
        ]
    return sum(count or 0 for count in counts)


async def some_jobs(site: ApiSite, key: str) -> None:
    """One that waits and two that are done, the newest one of them."""
    async with client_of(site.app, key) as client:
        for number in range(3):
            video = {"video": (f"clip{number}.mp4", b"video" * (number + 1))}
            form = {"selected_pipelines": "scene_detection"}
            answer = await client.post("/api/v1/jobs", files=video, data=form)
            if number:
                await site.finish(answer.json()["id"])


async def run(site: ApiSite, key: str | None, folder: Path, *options: str) -> Found:
    """Explores the site; raises AssertionError for whatever is found."""
    async with client_of(site.app, key) as client:
        key_id = (await client.get("/api/v1/me")).json().get("key_id", "")
    async with listening(site.app) as address:
        found = await explore(
            Exploration(
                address=address,
                key=key,
                seed=SEED,
                examples=EXAMPLES,
                phases=PHASES,
                folder=folder,
                options=options,
                key_id=key_id,
            )
        )
    print(f"OPENAPI_SEED={SEED} OPENAPI_EXAMPLES={EXAMPLES}: {found.cases} cases")
    assert found.exit_status == 0, f"OPENAPI_SEED={SEED}\n{found.failures}"
    return found


async def test_no_request_of_an_administrator_finds_a_fault(
    explored: ApiSite, tmp_path: Path
) -> None:
    key = explored.admin.headers["authorization"].split()[1]
    await some_jobs(explored, key)

    found = await run(explored, key, tmp_path, *NO_UPLOADS)

    assert found.cases >= 50
    assert (await explored.admin.get("/api/v1/me")).status_code == 200


@pytest.mark.skipif(not EVERYTHING, reason="make test-openapi runs it")
@pytest.mark.parametrize("researcher", [True, False], ids=["researcher", "stranger"])
async def test_no_request_of_others_finds_a_fault(
    explored: ApiSite, tmp_path: Path, researcher: bool
) -> None:
    key = await explored.user("rita")
    await some_jobs(explored, key)

    await run(explored, key if researcher else None, tmp_path, *NO_UPLOADS)


async def test_no_upload_and_what_follows_it_finds_a_fault(
    explored: ApiSite, tmp_path: Path
) -> None:
    key = await explored.user("rita")
    await some_jobs(explored, key)

    await run(explored, key, tmp_path, *UPLOADS)
