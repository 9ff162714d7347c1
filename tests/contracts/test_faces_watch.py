"""Watching a job, over REST and over gRPC: order, resuming, progress, endings."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from tests.fakes.api_site import ApiSite
from tests.fakes.faces import Asked, Face, Refused, Told

ENDINGS = ("complete", "error", "cancelled")
SHORT = 0.2


@pytest.fixture(autouse=True)
async def short_heartbeats(site: ApiSite, face: Face) -> AsyncIterator[None]:
    """Heartbeats come soon, and no stream is open when the servers stop."""
    object.__setattr__(site.operations.watching, "heartbeat_seconds", SHORT)
    yield
    await site.operations.close()


async def job(face: Face) -> str:
    """The id of a new job."""
    return str((await face.submit(Asked()))["id"])


async def next_of(stream: AsyncGenerator[Told, None]) -> Told:
    """The next thing that is told, soon."""
    return await asyncio.wait_for(anext(stream), 20)


async def next_but_heartbeats(stream: AsyncGenerator[Told, None]) -> Told:
    """The next thing that says something."""
    while (told := await next_of(stream)).kind == "heartbeat":
        continue
    return told


async def all_of(stream: AsyncGenerator[Told, None]) -> list[Told]:
    """Everything up to the end of the stream, without heartbeats."""

    async def read() -> list[Told]:
        return [told async for told in stream if told.kind != "heartbeat"]

    return await asyncio.wait_for(read(), 20)


async def test_a_job_is_told_from_its_state_to_its_end(site: ApiSite, face: Face) -> None:
    job_id = await job(face)
    async with aclosing(face.watch(job_id)) as stream:
        first, state = await next_of(stream), await next_of(stream)
        await site.finish(job_id)
        rest = await all_of(stream)

    assert (first.kind, first.id) == ("heartbeat", None)
    assert (state.kind, state.data["status"]) == ("update", "pending")
    assert state.id is not None
    ids = [told.id for told in rest if told.id is not None]
    assert ids == sorted(set(ids))
    assert min(ids) > state.id
    assert {"update", "log"} <= {told.kind for told in rest}
    last = rest[-1]
    assert (last.kind, last.data["job_id"], last.data["status"]) == (
        "complete",
        job_id,
        "completed",
    )
    assert last.data["runs"][0]["summary"] == {"scenes": 12}
    (line,) = [told.data for told in rest if told.kind == "log"]
    assert (line["level"], line["message"]) == ("info", "scene_detection is done")


async def test_a_watcher_resumes_where_it_was_and_misses_nothing(site: ApiSite, face: Face) -> None:
    job_id = await job(face)
    await site.finish(job_id)
    every = await all_of(face.watch(job_id, after=0))

    for at, told in enumerate(every[:-1]):
        assert await all_of(face.watch(job_id, after=told.id)) == every[at + 1 :]


async def test_after_the_end_there_is_nothing_to_tell(site: ApiSite, face: Face) -> None:
    job_id = await job(face)
    await site.finish(job_id)
    last = (await all_of(face.watch(job_id)))[-1]

    assert [told async for told in face.watch(job_id, after=last.id)] == []


async def test_a_job_that_has_ended_is_told_once(site: ApiSite, face: Face) -> None:
    job_id = await job(face)
    await site.finish(job_id)

    told = await all_of(face.watch(job_id))

    assert [(each.kind, each.data["status"]) for each in told] == [("complete", "completed")]


async def test_an_id_from_the_future_begins_with_the_state(site: ApiSite, face: Face) -> None:
    job_id = await job(face)
    async with aclosing(face.watch(job_id, after=10**15)) as stream:
        assert (await next_but_heartbeats(stream)).data["status"] == "pending"


async def test_progress_is_told_without_an_id(site: ApiSite, face: Face) -> None:
    job_id = await job(face)
    await site.start(job_id)
    async with aclosing(face.watch(job_id)) as stream:
        await next_but_heartbeats(stream)
        await site.progress(job_id, 5.0)
        while (told := await next_of(stream)).data.get("progress") != 0.5:
            continue

    assert (told.kind, told.id) == ("update", None)
    assert told.data["runs"][0]["stage"] == "scenes"


async def test_a_silent_stream_has_a_heartbeat(face: Face) -> None:
    async with aclosing(face.watch(await job(face))) as stream:
        kinds = [(await next_of(stream)).kind for _ in range(4)]

    assert kinds == ["heartbeat", "update", "heartbeat", "heartbeat"]


async def test_a_cancelled_job_ends_its_stream(site: ApiSite, face: Face) -> None:
    job_id = await job(face)
    async with aclosing(face.watch(job_id)) as stream:
        await next_but_heartbeats(stream)
        await face.cancel(job_id)
        told = await next_but_heartbeats(stream)

    assert told.data["status"] in ("cancelling", "cancelled")
    assert told.data["deleted"] is False


async def test_a_job_of_nobody_is_not_watched(face: Face) -> None:
    with pytest.raises(Refused) as caught:
        await anext(face.watch("none"))

    assert caught.value.code == "JOB_NOT_FOUND"


async def test_a_watcher_that_goes_away_is_forgotten(site: ApiSite, face: Face) -> None:
    feed = site.operations.watching.feed
    job_id = await job(face)
    async with aclosing(face.watch(job_id)) as stream:
        await next_but_heartbeats(stream)
        assert len(feed._watchers) == 1

    async with asyncio.timeout(20):
        while feed._watchers:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
