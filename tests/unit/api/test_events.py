"""Events as they happen: names, ids, resuming, heartbeats, endings."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.fakes.api_site import ApiSite
from tests.fakes.http_server import served
from videoannotator.api.operations.watching import Message
from videoannotator.api.routes.events import lines_of
from videoannotator.domain.events import EventKind

SHORT = 0.2


class Stream:
    """What a server sends, event by event."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> dict[str, Any]:
        """The next event: event, id, data."""
        found: dict[str, Any] = {"event": None, "id": None}
        async with asyncio.timeout(10):
            while line := await anext(self._lines):
                name, _, value = line.partition(": ")
                found[name] = json.loads(value) if name == "data" else value
        return found

    async def until(self, event: str) -> list[dict[str, Any]]:
        """All events up to the first one of this name."""
        found = [await self.next()]
        while found[-1]["event"] != event:
            found.append(await self.next())
        return found

    async def ended(self) -> bool:
        """The server closed the stream, perhaps after more lines."""
        async with asyncio.timeout(10):
            async for _ in self._lines:
                continue
        return True


@pytest.fixture
async def port(site: ApiSite) -> AsyncIterator[int]:
    object.__setattr__(site.app.state.operations.watching, "heartbeat_seconds", SHORT)
    async with served(site.app) as port:
        yield port
        await site.operations.close()


@asynccontextmanager
async def watching(
    site: ApiSite, port: int, path: str, *, key: str = "", **headers: str
) -> AsyncIterator[Stream]:
    headers["Authorization"] = key or site.admin.headers["authorization"]
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client,
        client.stream("GET", f"/api/v1{path}", timeout=10) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)


async def submit(site: ApiSite, client: httpx.AsyncClient | None = None) -> str:
    answer = await (client or site.admin).post(
        "/api/v1/jobs",
        files={"video": ("a.mp4", b"x")},
        data={"selected_pipelines": "scene_detection"},
    )
    return str(answer.json()["id"])


async def test_after_the_end_there_is_nothing_to_ask_for(site: ApiSite, port: int) -> None:
    job_id = await submit(site)
    await site.finish(job_id)
    async with watching(site, port, f"/jobs/{job_id}/events") as stream:
        last = (await stream.until("job.complete"))[-1]["id"]

    answer = await site.admin.get(f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": last})

    assert answer.status_code == 204  # an EventSource stops then


async def test_progress_is_told_without_an_id(site: ApiSite, port: int) -> None:
    job_id = await submit(site)
    await site.start(job_id)
    async with watching(site, port, f"/jobs/{job_id}/events") as stream:
        await stream.until("job.update")
        await site.progress(job_id, 5.0)
        told = await stream.next()
        while told["data"].get("progress") != 0.5:
            told = await stream.next()

    assert (told["event"], told["id"]) == ("job.update", None)


async def test_a_silent_stream_has_a_heartbeat(site: ApiSite, port: int) -> None:
    async with watching(site, port, "/events/stream") as stream:
        found = [await stream.next() for _ in range(3)]

    assert [each["data"]["type"] for each in found] == ["connected", "heartbeat", "heartbeat"]


async def test_everybody_is_told_of_their_own_jobs_alone(site: ApiSite, port: int) -> None:
    ada = await site.client("ada")
    key = ada.headers["authorization"]
    async with (
        watching(site, port, "/events/stream") as admin,
        watching(site, port, "/events/stream", key=key) as own,
    ):
        await admin.next()
        await own.next()
        theirs = await submit(site)
        mine = await submit(site, ada)
        seen_by_admin = [(await admin.until("job.update"))[-1]["data"]["job_id"] for _ in range(2)]
        seen_by_ada = (await own.until("job.update"))[-1]["data"]["job_id"]

    assert seen_by_admin == [theirs, mine]
    assert seen_by_ada == mine


async def test_the_stream_of_all_can_be_narrowed_to_one(site: ApiSite, port: int) -> None:
    await submit(site)
    job_id = await submit(site)
    async with watching(site, port, f"/events/stream?job_id={job_id}") as stream:
        state = (await stream.until("job.update"))[-1]

    assert state["data"]["job_id"] == job_id


async def test_streams_end_when_the_server_stops(site: ApiSite, port: int) -> None:
    async with watching(site, port, "/events/stream") as stream:
        await stream.next()

        await site.operations.close()

        assert await stream.ended()


async def test_a_stranger_watches_nothing(site: ApiSite) -> None:
    key = {"Authorization": ""}

    for path in ("/api/v1/events/stream", "/api/v1/events/stream?token=va_x"):
        assert (await site.admin.get(path, headers=key)).status_code == 401


@pytest.mark.parametrize("given", ["x", "-1", "99999999999999999999999", "²"])
async def test_a_strange_last_id_counts_as_none(site: ApiSite, port: int, given: str) -> None:
    job_id = await submit(site)
    headers: Any = {"Last-Event-ID": given.encode()}
    async with watching(site, port, f"/jobs/{job_id}/events", **headers) as stream:
        assert (await stream.until("job.update"))[-1]["data"]["status"] == "pending"


def test_a_message_is_one_line_of_data_whatever_is_in_it() -> None:
    told = lines_of(Message(kind=EventKind.LOG, id=7, data={"message": "a\nb\r\ndata: c"}))

    assert told.startswith(b"event: job.log\nid: 7\ndata: ")
    assert told.count(b"\n") == 4
    assert told.endswith(b"\n\n")
