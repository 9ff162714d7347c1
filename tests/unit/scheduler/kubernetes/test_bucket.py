"""How fast requests may leave."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain.errors import Unavailable
from videoannotator.scheduler.launchers.kubernetes.bucket import Bucket, taken, wait_of
from videoannotator.scheduler.launchers.kubernetes.pacing import Pacer


def left_at(moments: list[float], bucket: Bucket) -> list[float]:
    """When requests leave that come at these moments."""
    left = []
    for moment in moments:
        left.append(moment + wait_of(bucket, moment))
        bucket = taken(bucket, moment)
    return left


def test_a_burst_leaves_at_once_and_the_rest_at_the_rate() -> None:
    left = left_at([0.0] * 50, Bucket(at=0.0))

    assert left[:30] == [0.0] * 30
    assert left[30:] == pytest.approx([each / 20 for each in range(1, 21)])


def test_a_quiet_time_fills_the_bucket_to_its_burst_and_no_further() -> None:
    left = left_at([0.0] * 30 + [1000.0] * 31, Bucket(at=0.0))

    assert left[30:60] == [1000.0] * 30
    assert left[60] == pytest.approx(1000.05)


def test_a_clock_that_goes_back_fills_nothing() -> None:
    bucket = Bucket(at=100.0, tokens=0.0)

    assert wait_of(bucket, 50.0) == pytest.approx(0.05)
    assert taken(bucket, 50.0).at == 100.0


@given(st.lists(st.floats(0, 5), max_size=120))
def test_no_stretch_of_time_has_more_than_burst_and_rate(gaps: list[float]) -> None:
    moments = [sum(gaps[: place + 1]) for place in range(len(gaps))]

    left = left_at(moments, Bucket(at=0.0))

    assert left == sorted(left)
    for first in range(len(left)):
        for last in range(first, len(left)):
            assert last - first + 1 <= 31 + (left[last] - left[first]) * 20.0 + 1e-6


class Waits:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        """At 0."""
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        """Moves the clock."""
        self.now += seconds
        await asyncio.sleep(0)


async def test_a_request_whose_turn_is_too_far_off_is_not_sent() -> None:
    waits = Waits()
    pacer = Pacer(Bucket(at=0.0, tokens=-100.0), clock=lambda: waits.now, sleep=waits.sleep)

    with pytest.raises(Unavailable, match="not sent") as told:
        await pacer.turn(4.0)

    assert told.value.retry_after_seconds == pytest.approx(5.05)
    assert waits.now == 0.0


async def test_a_request_waits_for_its_turn() -> None:
    waits = Waits()
    pacer = Pacer(Bucket(at=0.0, tokens=-1.0), clock=lambda: waits.now, sleep=waits.sleep)

    await pacer.turn(4.0)

    assert waits.now == pytest.approx(0.1)


async def test_so_many_creates_at_a_time_and_one_more_is_not_sent() -> None:
    pacer = Pacer(creates_at_a_time=1)

    async with pacer.create(1.0):
        with pytest.raises(Unavailable, match="not sent"):
            async with pacer.create(0.01):
                pytest.fail("two at a time")
    async with pacer.create(1.0):
        pass
