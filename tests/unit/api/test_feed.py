"""One reader for all who watch: what it costs does not grow with them, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from videoannotator.api import feed as feeding
from videoannotator.api.feed import MOST_NEWS, Feed
from videoannotator.api.operations.auditing import Use
from videoannotator.api.operations.watching import Message, WatchOperations
from videoannotator.domain.access import Principal, Role
from videoannotator.domain.events import Event, EventKind

ADMIN = Principal(user_id="admin", name="admin", role=Role.ADMIN)
ADA = Principal(user_id="ada", name="ada", role=Role.RESEARCHER, group_ids=("lab",))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Table:
    """Events in memory, as the store's; counts how often watchers read it."""

    def __init__(self) -> None:
        self.rows: list[Event] = []
        self.reads = 0

    def add(self, owner_id: str = "admin", group_id: str | None = None) -> None:
        """Appends an event of a job of its own."""
        number = len(self.rows) + 1
        event = Event(
            id=number,
            kind=EventKind.UPDATE,
            job_id=f"job{number}",
            owner_id=owner_id,
            group_id=group_id,
            created_at=NOW,
        )
        self.rows.append(event)

    async def after(
        self,
        last_id: int,
        *,
        owner_id: str | None = None,
        group_ids: tuple[str, ...] = (),
        job_id: str | None = None,
        limit: int = 500,
    ) -> list[Event]:
        """As Events.after."""
        if limit != feeding.BATCH:
            self.reads += 1
        await asyncio.sleep(0)
        own = [
            each
            for each in self.rows[last_id:]
            if owner_id in (None, each.owner_id) or each.group_id in group_ids
        ]
        return [each for each in own if job_id in (None, each.job_id)][:limit]

    async def last_id(self) -> int:
        """As Events.last_id."""
        return len(self.rows)


class NoJobs:
    """Nothing runs."""

    async def list(self, *_: Any) -> tuple[list[Any], int]:
        """As Jobs.list."""
        return [], 0


async def unheard(use: Use) -> None:
    """A hook that tells nobody."""


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
async def operations(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WatchOperations]:
    """Watching on the table, with a reader that is quick."""
    monkeypatch.setattr(feeding, "POLL_SECONDS", 0.005)
    jobs: Any = NoJobs()
    events: Any = table
    feed, streams = Feed(events, jobs), []

    class Operations(WatchOperations):
        """Ends in the end what a test began to watch."""

        async def watch(self, *which: Any) -> AsyncIterator[Message]:
            streams.append(await super().watch(*which))
            return streams[-1]

    yield Operations(jobs=jobs, events=events, feed=feed, hook=unheard)
    await asyncio.gather(*(stream.aclose() for stream in streams))
    await feed.close()


async def next_ids(stream: AsyncIterator[Message], count: int) -> list[int]:
    """The ids of the next events."""
    ids: list[int] = []
    async with asyncio.timeout(20):
        async for message in stream:
            if message.id is not None:
                ids.append(message.id)
            if len(ids) == count:
                break
    return ids


async def handed_out(table: Table, operations: WatchOperations) -> None:
    """The reader has seen all that there is."""
    async with asyncio.timeout(20):
        while operations.feed._last_id != len(table.rows):  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_reads_do_not_grow_with_the_watchers(
    table: Table, operations: WatchOperations
) -> None:
    streams = [await operations.watch(ADMIN, None) for _ in range(50)]
    table.add()
    await asyncio.gather(*(next_ids(stream, 1) for stream in streams))
    table.reads = 0

    for number in range(2, 5):
        table.add()
        assert [await next_ids(stream, 1) for stream in streams] == [[number]] * 50

    # Once by each watcher at most, when the reader begins, and not for each event.
    assert table.reads <= 50


async def test_a_watcher_that_falls_behind_is_told_everything_in_order(
    table: Table, operations: WatchOperations
) -> None:
    stream = await operations.watch(ADMIN, None)
    assert (await anext(stream)).data["type"] == "connected"
    told = asyncio.create_task(next_ids(stream, 1))
    table.add()
    await told

    for _ in range(10 * MOST_NEWS):
        table.add()
        if len(table.rows) % MOST_NEWS == 0:
            await handed_out(table, operations)
            (watcher,) = operations.feed._watchers
            assert len(watcher.news) <= MOST_NEWS

    assert await next_ids(stream, 10 * MOST_NEWS) == list(range(2, 10 * MOST_NEWS + 2))


async def test_events_that_come_while_a_watcher_catches_up_are_told_once(
    table: Table, operations: WatchOperations
) -> None:
    for _ in range(500):
        table.add()
    stream = await operations.watch(ADMIN, 0)

    async def add_more() -> None:
        for _ in range(500):
            table.add()
            await asyncio.sleep(0)

    adding = asyncio.create_task(add_more())

    assert await next_ids(stream, 1000) == list(range(1, 1001))
    await adding


async def test_a_watcher_is_told_what_is_its_own_or_its_groups(
    table: Table, operations: WatchOperations
) -> None:
    stream = await operations.watch(ADA, None)
    for number in (1, 2):  # the second finds it behind no more: the reader has looked at the first
        table.add(owner_id="ada")
        assert await next_ids(stream, 1) == [number]
        await handed_out(table, operations)
    table.reads = 0

    table.add(owner_id="bob")
    table.add(owner_id="bob", group_id="lab")
    table.add(owner_id="ada")

    assert await next_ids(stream, 2) == [4, 5]
    assert table.reads == 0
