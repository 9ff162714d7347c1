"""Asking the scheduler that leads, also while leaders change."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.fakes.api_site import ApiSite
from videoannotator.api import wake
from videoannotator.api.wake import LeaderClient
from videoannotator.domain.errors import NotLeader, Unavailable
from videoannotator.rpc.status import abort
from videoannotator.store.leader import Leader
from videoannotator.v1 import scheduler_pb2
from videoannotator.v1.scheduler_pb2_grpc import (
    SchedulerServiceServicer,
    add_SchedulerServiceServicer_to_server,
)


class Scheduler(SchedulerServiceServicer):
    """Says that it does not lead yet, so many times; then how many it has been asked."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def GetQueue(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.set()
        if self.refusals:
            self.refusals -= 1
            await abort(context, NotLeader())
        await self.may_answer.wait()
        return scheduler_pb2.GetQueueResponse(max_workers=3)


@asynccontextmanager
async def served(scheduler: Scheduler, address: str) -> AsyncIterator[None]:
    server = grpc.aio.server()
    add_SchedulerServiceServicer_to_server(scheduler, server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(address)
    await server.start()
    yield
    await server.stop(None)


@pytest.fixture
def address(tmp_path: Path) -> Callable[[str], str]:
    return lambda name: f"unix:{tmp_path}/{name}"


@pytest.fixture
async def client(site: ApiSite) -> AsyncIterator[LeaderClient]:
    made = LeaderClient(Leader(site.database), "internal")
    yield made
    await made.close()


async def lead(site: ApiSite, name: str, address: str) -> None:
    """Another one leads, be the former lease over or not."""
    leader = Leader(site.database)
    before = await leader.read()
    await leader.give_up(before.holder or "", before.epoch)
    assert await leader.acquire(name, address, 60)


async def test_a_leader_that_has_not_looked_yet_is_asked_again(
    site: ApiSite, client: LeaderClient, address: Callable[[str], str]
) -> None:
    scheduler = Scheduler(refusals=2)
    async with served(scheduler, address("a")):
        await lead(site, "a", address("a"))

        queue = await client.queue()

    assert queue.max_workers == 3
    assert scheduler.refusals == 0


async def test_the_next_leader_is_asked_when_the_one_in_the_row_is_gone(
    site: ApiSite,
    client: LeaderClient,
    address: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wake, "QUEUE_SECONDS", 30.0)
    await lead(site, "gone", address("gone"))
    asking = asyncio.create_task(client.queue())
    async with served(Scheduler(), address("next")):
        await asyncio.wait([asking], timeout=0.3)
        still_asking = not asking.done()
        await lead(site, "next", address("next"))

        queue = await asking

    assert still_asking
    assert queue.max_workers == 3


async def test_a_takeover_does_not_cut_off_an_answer_that_is_awaited(
    site: ApiSite, client: LeaderClient, address: Callable[[str], str]
) -> None:
    former = Scheduler()
    former.may_answer.clear()
    async with served(former, address("a")), served(Scheduler(), address("b")):
        await lead(site, "a", address("a"))
        awaited = asyncio.create_task(client.queue())
        await former.asked.wait()
        await lead(site, "b", address("b"))
        now = await client.queue()
        former.may_answer.set()

        answers = (now.max_workers, (await awaited).max_workers)

    assert answers == (3, 3)


async def test_without_any_leader_it_is_told_after_a_while(
    client: LeaderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "QUEUE_SECONDS", 0.3)

    with pytest.raises(Unavailable, match="No scheduler leads"):
        await client.queue()
