"""What streams are told, whenever they come."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from videoannotator.domain.errors import Stopped
from videoannotator.domain.jobs import Progress
from videoannotator.domain.videos import Probe
from videoannotator.inference.messages import KEPT_LINES, Messages
from videoannotator.rpc.work import Accepted, Completed, LogLine, WorkEvent

ACCEPTED = Accepted(device="cpu")
END = Completed(manifest_sha256="00")


def at(position: float) -> Progress:
    """A report of progress."""
    return Progress(stage="working", position_seconds=position)


def line(number: int, *, told_before: bool = False) -> LogLine:
    """A log line."""
    return LogLine(level="info", message=f"line {number}", told_before=told_before)


async def everything(stream: AsyncIterator[WorkEvent]) -> list[WorkEvent]:
    """All that a stream says, to its end."""
    return [event async for event in stream]


async def test_a_stream_that_comes_after_the_end_hears_the_whole_story() -> None:
    messages = Messages()
    messages.accept(ACCEPTED)
    messages.log(line(1))
    messages.report(at(1))
    messages.report(at(2))
    messages.finish(END)

    assert await everything(messages.follow()) == [ACCEPTED, line(1), at(2), END]
    assert await everything(messages.follow()) == [
        ACCEPTED,
        line(1, told_before=True),
        at(2),
        END,
    ]


async def test_accepted_comes_first_even_when_nothing_was_accepted() -> None:
    messages = Messages()
    messages.finish(END)

    assert await everything(messages.follow()) == [Accepted(), END]


async def test_a_video_that_was_fetched_first_is_told_once_it_is_known() -> None:
    known = Accepted(probe=Probe(container="mp4", duration_seconds=9), device="cpu")
    messages = Messages()
    messages.accept(ACCEPTED)
    early = asyncio.create_task(everything(messages.follow()))
    await asyncio.sleep(0)
    messages.report(at(0))
    await asyncio.sleep(0)

    messages.accept(known)
    messages.accept(ACCEPTED)
    messages.finish(END)

    assert await early == [ACCEPTED, at(0), known, END]
    assert await everything(messages.follow()) == [known, at(0), END]


async def test_a_stream_hears_what_comes_while_it_listens() -> None:
    messages = Messages()
    stream = asyncio.create_task(everything(messages.follow()))
    await asyncio.sleep(0)

    messages.accept(ACCEPTED)
    await asyncio.sleep(0)
    messages.log(line(1))
    await asyncio.sleep(0)
    messages.finish(END)

    assert await stream == [ACCEPTED, line(1), END]


async def test_the_first_progress_is_told_at_once_and_the_next_not_within_a_second() -> None:
    messages = Messages()
    messages.accept(ACCEPTED)
    stream = messages.follow()

    messages.report(at(1))
    first = [await anext(stream), await anext(stream)]
    messages.report(at(2))
    messages.report(at(3))
    waiting = asyncio.create_task(anext(stream))
    early, _ = await asyncio.wait([waiting], timeout=0.1)

    assert first == [ACCEPTED, at(1)]
    assert not early
    assert await waiting == at(3)


async def test_a_stream_that_hangs_takes_no_line_from_the_next() -> None:
    messages = Messages()
    messages.accept(ACCEPTED)
    old, new = messages.follow(), messages.follow()
    await anext(old)
    assert await anext(new) == ACCEPTED

    messages.log(line(1))

    assert await anext(old) == line(1)
    assert await anext(new) == line(1)


async def test_only_the_last_lines_are_kept() -> None:
    messages = Messages()
    for number in range(KEPT_LINES + 50):
        messages.log(line(number))
    messages.finish(END)

    lines = [event for event in await everything(messages.follow()) if isinstance(event, LogLine)]

    assert lines == [line(number) for number in range(50, KEPT_LINES + 50)]


async def test_streams_of_stopped_work_end_with_an_error() -> None:
    messages = Messages()
    messages.accept(ACCEPTED)
    waiting = asyncio.create_task(everything(messages.follow()))
    await asyncio.sleep(0)

    messages.stop()

    with pytest.raises(Stopped):
        await waiting


async def test_a_stop_after_the_end_changes_no_story() -> None:
    messages = Messages()
    messages.accept(ACCEPTED)
    stream = messages.follow()
    await anext(stream)
    messages.finish(END)

    messages.stop()

    assert await everything(stream) == [END]
