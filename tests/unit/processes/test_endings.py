"""How a process ends: by signals, in the order in which they come, or because a part broke."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from videoannotator.cli.exits import ExitCode
from videoannotator.processes import endings
from videoannotator.processes.endings import (
    BROKEN,
    INTERRUPTED,
    INTERRUPTED_ALONE,
    LEFT_ALONE,
    TERMINATED,
    End,
    Ending,
)


@pytest.fixture
async def end(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[End]:
    monkeypatch.setattr(endings, "CHECK_SECONDS", 0.02)
    yield End()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize(
    ("number", "interrupted", "how"),
    [
        (signal.SIGINT, INTERRUPTED, INTERRUPTED),
        (signal.SIGINT, INTERRUPTED_ALONE, INTERRUPTED_ALONE),
        (signal.SIGTERM, INTERRUPTED, TERMINATED),
        (signal.SIGTERM, INTERRUPTED_ALONE, TERMINATED),
    ],
)
async def test_a_signal_ends_it_in_its_own_way(
    end: End, number: signal.Signals, interrupted: Ending, how: Ending
) -> None:
    end.listen_for_signals(interrupted)
    os.kill(os.getpid(), number)

    assert await end.wait({}) is how
    assert end.how is how


async def test_the_first_who_asks_says_how(end: End) -> None:
    end.want(TERMINATED)
    end.want(INTERRUPTED)

    assert await end.wait({"part": lambda: False}) is TERMINATED


async def test_a_part_that_broke_ends_it(end: End) -> None:
    parts = {"one": lambda: True, "other": lambda: False}

    assert await end.wait(parts) is BROKEN


async def test_it_goes_on_while_every_part_works(end: End) -> None:
    waiting = asyncio.create_task(end.wait({"part": lambda: True}))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    end.want(LEFT_ALONE)

    assert not done
    assert await waiting is LEFT_ALONE


async def test_what_nobody_asked_for_leaves_the_workers() -> None:
    assert End().how is BROKEN


@pytest.mark.parametrize(
    ("how", "code", "takes"),
    [
        (INTERRUPTED, ExitCode.INTERRUPTED, True),
        (INTERRUPTED_ALONE, ExitCode.INTERRUPTED, False),
        (TERMINATED, ExitCode.OK, False),
        (LEFT_ALONE, ExitCode.OK, True),
        (BROKEN, ExitCode.FAILED, False),
    ],
)
def test_exit_statuses_are_those_of_the_command(how: Ending, code: ExitCode, takes: bool) -> None:
    assert (how.status, how.take_workers) == (code.value, takes)
