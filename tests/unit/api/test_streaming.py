"""What a watcher costs the server, and that it costs nothing once it has gone."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import CoroutineType
from typing import Any

import httpx
import pytest

from tests.fakes.api_site import ApiSite
from tests.fakes.http_server import served
from videoannotator.api.feed import Feed
from videoannotator.domain.access import Principal, Role

WATCHERS = 10
#: The request and the look out for its end; each with the server's own frames.
MOST_TASKS = 2
MOST_FRAMES = 10


@pytest.fixture
async def client(site: ApiSite) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": site.admin.headers["authorization"]}
    async with (
        served(site.app) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client,
    ):
        yield client
        await site.operations.close()


async def watch(client: httpx.AsyncClient, stack: AsyncExitStack) -> None:
    """Watches until the stack ends; returns when the first event came."""
    stream = client.stream("GET", "/api/v1/events/stream", timeout=10)
    response = await stack.enter_async_context(stream)
    assert "connected" in await anext(response.aiter_lines())


def feed_of(site: ApiSite) -> Feed:
    feed: Feed = site.app.state.operations.watching.feed
    return feed


def coroutines() -> int:
    return sum(isinstance(each, CoroutineType) for each in gc.get_objects())


async def settled(feed: Feed) -> None:
    """All watchers wait for something new."""
    async with asyncio.timeout(10):
        while any(each.behind or each.woken.is_set() for each in feed._watchers):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_watcher_keeps_few_tasks_and_frames(
    site: ApiSite, client: httpx.AsyncClient
) -> None:
    async with AsyncExitStack() as stack:
        await watch(client, stack)  # whatever the first of all starts
        await settled(feed_of(site))
        tasks, frames = len(asyncio.all_tasks()), coroutines()

        for _ in range(WATCHERS):
            await watch(client, stack)
        await settled(feed_of(site))

        assert len(asyncio.all_tasks()) - tasks <= MOST_TASKS * WATCHERS
        assert coroutines() - frames <= MOST_FRAMES * WATCHERS


async def test_a_watcher_that_hangs_up_is_forgotten(
    site: ApiSite, client: httpx.AsyncClient
) -> None:
    async with AsyncExitStack() as stack:
        await watch(client, stack)
        assert len(feed_of(site)._watchers) == 1

    async with asyncio.timeout(10):
        while feed_of(site)._watchers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_event_is_written_once_for_all_who_are_told_it(site: ApiSite) -> None:
    watching: Any = site.app.state.operations.watching
    job = await site.admin.post(
        "/api/v1/jobs",
        files={"video": ("a.mp4", b"x")},
        data={"selected_pipelines": "scene_detection"},
    )
    admin = Principal(user_id="", name="admin", role=Role.ADMIN)
    streams = [await watching.watch_job(admin, job.json()["id"], 0) for _ in range(2)]

    told = []
    for stream in streams:
        assert (await anext(stream)).data["type"] == "connected"
        told.append(await anext(stream))
        await stream.aclose()

    assert told[0].id is not None
    assert told[0] is told[1]
