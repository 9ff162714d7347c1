"""Messages for the loop, and the bell that wakes it."""

import asyncio

import pytest

from videoannotator.domain.jobs import Progress
from videoannotator.scheduler.inbox import Answered, Inbox, Moved

LONG_SECONDS = 60.0  # never passes in a test; the limit of the test would


async def rung(inbox: Inbox) -> bool:
    """Whether the bell rings now."""
    try:
        async with asyncio.timeout(0.01):
            await inbox.wait(LONG_SECONDS)
    except TimeoutError:
        return False
    return True


def test_messages_are_taken_once_and_in_their_order() -> None:
    inbox = Inbox()
    messages = [Answered(worker_id=str(place)) for place in range(3)]
    for message in messages:
        inbox.put(message)

    assert inbox.take() == messages
    assert inbox.take() == []


async def test_a_message_wakes_the_loop_unless_it_can_wait() -> None:
    inbox = Inbox()

    inbox.put(Moved(worker_id="w", progress=Progress()), ring=False)
    quiet = await rung(inbox)
    inbox.put(Answered(worker_id="w"))

    assert not quiet
    assert await rung(inbox)
    assert len(inbox.take()) == 2


async def test_a_ring_before_the_wait_is_not_lost_and_rings_once() -> None:
    inbox = Inbox()
    inbox.ring()
    inbox.ring()

    assert await rung(inbox)
    assert not await rung(inbox)


async def test_who_waits_is_woken_at_once() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.wait(LONG_SECONDS))
    await asyncio.sleep(0)

    inbox.ring()

    async with asyncio.timeout(10):
        await waiting


async def test_without_a_ring_the_wait_ends_after_its_time() -> None:
    async with asyncio.timeout(10):
        await Inbox().wait(0.001)


async def test_a_cancel_that_comes_with_the_ring_is_not_dropped() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.wait(LONG_SECONDS))
    await asyncio.sleep(0)

    inbox.ring()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
