"""A task that is cancelled while it writes must not keep the lock from the next writer."""

import asyncio
import random

from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader

TRIES = 120


async def test_a_writer_that_is_cancelled_at_any_moment_leaves_no_lock(
    database: Database, database_url: str
) -> None:
    chance = random.Random(7)

    for _ in range(TRIES):
        mortal = Database.open(database_url)
        writer = asyncio.create_task(Leader(mortal).request_drain(True))
        await asyncio.sleep(chance.random() * 0.012)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        async with asyncio.timeout(4):
            await Leader(database).request_drain(False)
        await mortal.close()

    assert (await Leader(database).read()).drain_requested_at is None
