"""The database goes away under load and comes back: nothing is lost, and nobody is restarted."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import databases
from tests.fakes.failover import until
from tests.fakes.postgres import Mode, PostgresServer
from tests.fakes.served import Customer, Listener, served_site
from tests.fakes.site import Site, journal, quick_settings, succeeded
from tests.fakes.verdict import faults
from videoannotator.domain.jobs import AttemptOutcome
from videoannotator.settings import DatabaseSettings
from videoannotator.store.events import Events
from videoannotator.store.jobs import Jobs
from videoannotator.store.patience import PATIENCE_SECONDS
from videoannotator.store.rows import JobFilter

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(300)]

CUSTOMERS = 3
WORK_SECONDS = 1.5
BETWEEN_SECONDS = 1.5  # of load, from one restart to the next
#: How the server goes, and for how long. The last outage is longer than anybody waits for it.
OUTAGES: tuple[tuple[Mode, float], ...] = (
    ("fast", 0.0),
    ("immediate", 0.0),
    ("fast", 1.0),
    ("immediate", PATIENCE_SECONDS + 3.0),
)
#: Longer than the longest outage: the workers live through it.
ORPHANS = {"orphan_grace_seconds": 120.0, "max_workers": 3}


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that keeps what it said it had kept."""
    databases.need_postgresql()
    with PostgresServer(durable=True) as running:
        yield running


async def disturb(server: PostgresServer) -> None:
    """Takes the server away again and again."""
    for mode, seconds in OUTAGES:
        await asyncio.sleep(BETWEEN_SECONDS)
        await asyncio.to_thread(server.stop, mode)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(server.start)


async def test_a_database_that_restarts_under_load_loses_nothing(
    server: PostgresServer, clip: Path, tmp_path: Path
) -> None:
    lines, content = tmp_path / "journal", await asyncio.to_thread(clip.read_bytes)
    async with served_site(tmp_path / "storage", server.create("site"), **ORPHANS) as place:
        customers = [Customer(place.client) for _ in range(CUSTOMERS)]
        listener = Listener(place.client)
        listening = asyncio.create_task(listener.listen(0))
        disturbing = asyncio.create_task(disturb(server))

        async def order(customer: Customer) -> list[str]:
            ends = []
            while not disturbing.done():
                job_id = await customer.submit(content, lines, WORK_SECONDS)
                ends.append(await customer.until_ended(job_id))
            return ends

        ends = await asyncio.gather(*(order(customer) for customer in customers), disturbing)
        accepted = [job for customer in customers for job in customer.accepted.values()]
        jobs = [await place.site.ended(job_id) for job_id in accepted]
        told = [event.id for event in await Events(place.site.database).after(0, limit=10_000)]
        hearing = asyncio.create_task(listener.heard(told[-1]))
        await asyncio.wait({hearing, listening}, return_when=asyncio.FIRST_COMPLETED)
        alive = place.scheduler.alive
        assert not listening.done(), listening.exception()
        listening.cancel()
        left, total = await Jobs(place.site.database).list(place.site.user, JobFilter())
        wrong = await faults(place.site, jobs, lines)

    assert {end for answers in ends if answers for end in answers} == {"completed"}
    assert len(set(accepted)) == len(accepted) == total >= len(left)
    assert all(succeeded(job) for job in jobs)
    assert wrong == []
    assert alive
    assert listener.ids == told
    refusals = {code for customer in customers for code in customer.refusals}
    assert refusals == {"DATABASE_UNAVAILABLE"}


async def test_a_leader_that_lost_its_lease_in_an_outage_calls_its_worker_again(
    server: PostgresServer, clip: Path, tmp_path: Path
) -> None:
    lines, finish = tmp_path / "journal", tmp_path / "finish"
    settings = quick_settings(tmp_path / "storage", **ORPHANS)
    url = server.create("site")
    site = await Site.open(settings.model_copy(update={"database": DatabaseSettings(url=url)}))
    video = await site.add_video(clip)
    async with site.scheduling() as scheduler:
        asked = {"journal": str(lines), "until": str(finish)}
        job = await site.submit(video, ("journal", asked))
        await site.running(job)
        await asyncio.to_thread(server.stop, "immediate")
        await until(lambda: not scheduler.leading)
        await asyncio.to_thread(server.start)
        await until(lambda: scheduler.leading)
        finish.touch()
        rows = await site.ended(job)
    await site.close()

    assert succeeded(rows)
    assert [attempt.outcome for attempt in rows.attempts] == [AttemptOutcome.COMPLETED], "heard"
    assert [line["event"] for line in journal(lines)] == ["started", "ended"]
