"""Who may call, and when a worker is an orphan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain.errors import NotLeader
from videoannotator.inference.contact import Contact


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(epochs=st.lists(st.integers(0, 5)))
def test_a_call_is_admitted_unless_a_higher_epoch_was_seen(epochs: list[int]) -> None:
    contact, highest = Contact(10.0, clock=Clock()), 0

    for epoch in epochs:
        if epoch < highest:
            with pytest.raises(NotLeader):
                contact.admit(epoch)
        else:
            contact.admit(epoch)
            highest = epoch


def test_the_grace_is_counted_from_the_last_call_that_was_admitted() -> None:
    clock = Clock()
    contact = Contact(10.0, clock=clock)

    clock.now += 4
    contact.admit(2)
    clock.now += 3
    with pytest.raises(NotLeader):
        contact.admit(1)

    assert contact.left_seconds == 7.0


def test_a_worker_that_was_never_called_has_the_whole_grace_from_its_start() -> None:
    clock = Clock()
    contact = Contact(10.0, clock=clock)

    clock.now += 10

    assert not contact.called
    assert contact.left_seconds <= 0


def test_only_an_admitted_call_is_passed_on() -> None:
    heard: list[int] = []
    contact = Contact(10.0, on_admit=lambda: heard.append(1))

    contact.admit(2)
    with pytest.raises(NotLeader):
        contact.admit(1)

    assert heard == [1]
