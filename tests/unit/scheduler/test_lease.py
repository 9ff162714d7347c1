"""The leader's own judgement of its lease."""

import pytest

from tests.fakes.bench import Clock
from videoannotator.domain.errors import NotLeader
from videoannotator.scheduler.lease import Lease


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease(clock: Clock) -> Lease:
    """15 seconds, asked for just now."""
    return Lease(3, 15.0, clock(), clock)


@pytest.mark.parametrize(("seconds", "valid"), [(0, True), (14.9, True), (15, False), (99, False)])
def test_it_is_valid_for_15_seconds_from_when_it_was_asked_for(
    clock: Clock, lease: Lease, seconds: float, valid: bool
) -> None:
    clock.seconds += seconds

    assert lease.valid is valid


def test_a_renewal_counts_from_when_it_was_sent_not_from_when_it_was_answered(
    clock: Clock, lease: Lease
) -> None:
    sent_at = clock()
    clock.seconds += 10  # the answer took so long
    lease.renewed(sent_at)
    clock.seconds += 5

    assert not lease.valid


def test_a_renewal_prolongs_it_and_an_older_one_does_not_shorten_it(
    clock: Clock, lease: Lease
) -> None:
    first = clock()
    clock.seconds += 10
    lease.renewed(clock())
    lease.renewed(first)
    clock.seconds += 14

    lease.check()
    assert lease.valid


def test_once_it_was_found_over_no_renewal_brings_it_back(clock: Clock, lease: Lease) -> None:
    clock.seconds += 15
    with pytest.raises(NotLeader):
        lease.check()

    lease.renewed(clock())

    assert not lease.valid


def test_lost_to_another_it_stays_lost(clock: Clock, lease: Lease) -> None:
    lease.lose()
    lease.renewed(clock())

    assert not lease.valid
    with pytest.raises(NotLeader):
        lease.check()
