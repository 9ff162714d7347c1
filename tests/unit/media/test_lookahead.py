"""Looking ahead in the packets: what is needed, and which number a picture has."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.media.lookahead import FARTHEST_PACKETS, plan


@dataclass(frozen=True)
class Coded:
    """A packet, as far as the look ahead reads it."""

    pts: int | None
    size: int = 1
    is_discard: bool = False


def test_a_picture_is_needed_when_a_wanted_instant_falls_before_the_next_one() -> None:
    packets = [Coded(0), Coded(30), Coded(10), Coded(20), Coded(40), Coded(50)]

    needed = [p.packet.pts for p in plan(packets, lambda begin, end: begin <= 25 < end) if p.needed]

    assert needed == [0, 20, 50]  # the first and the last are needed always


@settings(max_examples=30)
@given(count=st.integers(1, 600), block=st.integers(1, 16), seed=st.randoms(use_true_random=False))
def test_numbers_count_in_presentation_order_whatever_the_decoding_order(
    count: int, block: int, seed: object
) -> None:
    stamps = list(range(count))
    shuffled: list[int] = []
    for first in range(0, count, block):
        part = stamps[first : first + block]
        seed.shuffle(part)  # type: ignore[attr-defined]
        shuffled += part

    planned = list(plan([Coded(s) for s in shuffled], lambda begin, end: end > begin + 1))

    assert [p.number for p in planned] == shuffled
    # No picture is followed later than by the next number, so only the ends are needed.
    assert {p.packet.pts for p in planned if p.needed} == {shuffled[0], count - 1}


def test_after_a_missing_time_stamp_every_picture_is_needed() -> None:
    packets = [Coded(k) for k in range(100)]
    packets[50] = Coded(None)

    planned = list(plan(packets, lambda begin, end: False))

    assert not any(p.needed for p in planned[1 : 50 - FARTHEST_PACKETS])
    assert all(p.needed and p.number is None for p in planned[50:])


def test_pictures_that_are_never_shown_are_not_counted() -> None:
    packets = [Coded(-2, is_discard=True), Coded(-1, is_discard=True), Coded(0), Coded(1)]

    assert [p.number for p in plan(packets, lambda begin, end: True)] == [None, None, 0, 1]


def test_the_empty_packet_at_the_end_is_passed_on() -> None:
    planned = list(plan([Coded(0), Coded(None, size=0)], lambda begin, end: True))

    assert [p.packet.size for p in planned] == [1, 0]
