"""A stream of events outlives a database that is away for a while."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.fakes.api_site import ApiSite
from tests.fakes.http_server import served
from videoannotator.api.operations import watching
from videoannotator.domain.errors import DatabaseUnavailable
from videoannotator.domain.events import Event
from videoannotator.store.engine import Database
from videoannotator.store.events import Events


class Absent(Events):
    """Answers once, and then no more until the database is back."""

    def __init__(self, database: Database) -> None:
        """Reads from `database` once it is back."""
        super().__init__(database)
        self.back = False
        self.asked = 0

    def _ask(self) -> None:
        self.asked += 1
        if self.asked > 1 and not self.back:
            raise DatabaseUnavailable

    async def after(self, last_id: int, **which: Any) -> list[Event]:
        """The events after `last_id`."""
        self._ask()
        return await super().after(last_id, **which)

    async def last_id(self) -> int:
        """The id of the newest event."""
        self._ask()
        return await super().last_id()


@pytest.fixture
def absent(site: ApiSite, monkeypatch: pytest.MonkeyPatch) -> Absent:
    """What the watchers and their feed read from."""
    monkeypatch.setattr(watching, "AGAIN_SECONDS", 0.05)
    events = Absent(site.database)
    object.__setattr__(site.operations.watching, "events", events)
    site.operations.watching.feed._events = events
    return events


@pytest.fixture
async def lines(site: ApiSite, absent: Absent) -> AsyncIterator[AsyncIterator[str]]:
    """A stream of all events."""
    async with (
        served(site.app) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        client.stream(
            "GET", "/api/v1/events/stream", headers=site.admin.headers, timeout=20
        ) as response,
    ):
        assert response.status_code == 200
        yield response.aiter_lines()
        await site.operations.close()


async def until(lines: AsyncIterator[str], word: str) -> dict[str, Any]:
    """The data of the first message with this word in it."""
    async for line in lines:
        if line.startswith("data: ") and word in line:
            return dict(json.loads(line.removeprefix("data: ")))
    raise AssertionError(f"It ended before {word}.")


async def test_it_goes_on_when_the_database_is_back(
    site: ApiSite, absent: Absent, lines: AsyncIterator[str]
) -> None:
    for _ in range(3):
        await until(lines, "heartbeat")
    submitted = await site.admin.post("/api/v1/jobs", files={"video": ("clip.mp4", b"video")})
    absent.back = True

    told = await until(lines, "job_id")

    assert told["job_id"] == submitted.json()["id"]


async def test_it_ends_in_good_order_while_the_database_is_away(
    site: ApiSite, lines: AsyncIterator[str]
) -> None:
    await until(lines, "heartbeat")

    await site.operations.close()

    with pytest.raises(AssertionError, match="It ended"):
        await until(lines, "job_id")
