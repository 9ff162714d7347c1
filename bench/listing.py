"""Lists of jobs among 100,000, beside the same among 100."""

import asyncio
import time
from collections.abc import Mapping

import httpx

from bench import Figure
from bench.rows import add_jobs, owner
from bench.services import databases, place, service
from videoannotator.store.engine import Database

MANY, FEW = 100_000, 100
PIPELINE = "scene_detection"
TRIES = 7
PER_PAGE = 50
LISTS: Mapping[str, Mapping[str, str | int]] = {
    "first page": {},
    "last page": {"page": MANY // PER_PAGE},
    "by state": {"status_filter": "failed"},
    "by pipeline": {"pipeline": PIPELINE},
    "since a day": {"created_after": "2026-01-02T00:00:00Z"},
    "search": {"search": "recording 77"},
    "search in vain": {"search": "nobody called it so"},
}


async def fill(url: str, count: int) -> None:
    """Adds so many jobs of the first user."""
    database = Database.open(url)
    try:
        await add_jobs(database, await owner(database), count, pipeline=PIPELINE)
    finally:
        await database.close()


def milliseconds(client: httpx.Client, which: Mapping[str, str | int]) -> float:
    """The time of one list."""
    started = time.perf_counter()
    client.get("/api/v1/jobs", params={"per_page": PER_PAGE, **which}).raise_for_status()
    return (time.perf_counter() - started) * 1e3


def times(kind: str, count: int) -> dict[str, tuple[float, ...]]:
    """Milliseconds of every list, on a database with so many jobs."""
    with place(kind) as here, service("api", here) as api:
        asyncio.run(fill(here.database_url, count))
        headers = {"Authorization": f"Bearer {api.told['admin_key']}"}
        with httpx.Client(base_url=api.address, headers=headers, timeout=60) as client:
            return {
                name: tuple(milliseconds(client, which) for _ in range(TRIES))
                for name, which in LISTS.items()
            }


def measure() -> list[Figure]:
    """Milliseconds of a list of 50, one client."""
    figures = []
    for kind in databases():
        many, few = times(kind, MANY), times(kind, FEW)
        figures += [
            Figure(
                what=f"{name}, {MANY:,} jobs, {kind}",
                runs=many[name],
                unit="ms",
                more_is_better=False,
                beside=f"{FEW} jobs",
                others=few[name],
            )
            for name in LISTS
        ]
    return figures
