"""Who has seen an event has seen all below it, however long the others take to commit theirs.

The race is run with the rule and without it. Without it SQLite is still right, because it has one
writer at a time; PostgreSQL is not.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.fakes.careless import append_unordered, waits
from tests.fakes.stored import NOON, Stored
from videoannotator.domain.events import Event, EventKind
from videoannotator.store.engine import Database
from videoannotator.store.events import Events, NewEvent, append

Append = Callable[[AsyncConnection, NewEvent], Awaitable[None]]

WRITERS = 12
EVENTS_EACH = 4


def an_event(stored: Stored, job_id: str = "j") -> NewEvent:
    """A line of a log."""
    return NewEvent(kind=EventKind.LOG, job_id=job_id, owner_id=stored.owner.user_id, group_id=None)


async def append_in_order(connection: AsyncConnection, event: NewEvent) -> None:
    """As every store does it."""
    await append(connection, [event], NOON)


@pytest.mark.parametrize(("write", "safe"), [(append_in_order, True), (append_unordered, False)])
async def test_an_event_is_not_seen_before_one_with_a_lower_id(
    stored: Stored, other: Database, database_url: str, write: Append, safe: bool
) -> None:
    events = Events(stored.database)

    async def write_the_second() -> None:
        async with other.writing() as connection:
            await write(connection, an_event(stored, "second"))

    async with stored.database.writing() as connection:
        await write(connection, an_event(stored, "first"))
        writing = asyncio.create_task(write_the_second())
        waited = await waits(writing, stored.database)
        seen = await events.after(0)
    await writing
    seen += await events.after(seen[-1].id if seen else 0)

    safe = safe or database_url.startswith("sqlite")
    assert waited is safe
    assert [event.job_id for event in seen] == (["first", "second"] if safe else ["second"])


async def test_a_reader_that_asks_again_and_again_misses_nothing(
    stored: Stored, other: Database
) -> None:
    """Writers take their time between the id and the commit; some never commit."""
    chance = random.Random(5)
    seen: list[Event] = []
    working = WRITERS

    async def write(number: int) -> None:
        nonlocal working
        place = (stored.database, other)[number % 2]
        for turn in range(EVENTS_EACH):
            try:
                async with place.writing() as connection:
                    await append_in_order(connection, an_event(stored, f"{number}.{turn}"))
                    await asyncio.sleep(chance.random() * 0.01)
                    if chance.random() < 0.2:
                        raise InterruptedError
            except InterruptedError:
                await asyncio.sleep(0)
        working -= 1

    async def follow() -> None:
        last_look = False
        while not last_look:
            last_look = not working
            new = await Events(other).after(seen[-1].id if seen else 0, limit=3)
            seen.extend(new)
            last_look = last_look and not new

    await asyncio.gather(follow(), *(write(number) for number in range(WRITERS)))

    assert seen == await Events(stored.database).after(0)
    assert len(seen) > WRITERS
