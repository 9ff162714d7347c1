"""Which picture is shown when: rules of sampling on made-up times."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.media.choice import Window
from videoannotator.media.recording import Damages
from videoannotator.media.sampling import Stamped, grid, samples, shown

USUAL = Fraction(1, 25)
steps = st.lists(st.fractions(Fraction(1, 1000), 2, max_denominator=1000), max_size=30)


def stamped(*starts: float | Fraction) -> list[Stamped[str]]:
    return [Stamped(f"p{i}", Fraction(s), Fraction(0)) for i, s in enumerate(starts)]


@pytest.mark.parametrize(
    ("rate", "start", "end", "numbers"),
    [
        (5, 0, 1, [0, 1, 2, 3, 4]),
        (5, Fraction(1, 5), Fraction(2, 5), [1]),
        (5, Fraction(201, 1000), Fraction(399, 1000), []),
        (5, Fraction(-1, 10), Fraction(1, 10), [0]),
        (5, -1, 0, [-5, -4, -3, -2, -1]),
        (Fraction(1, 5), 0, 11, [0, 1, 2]),
    ],
)
def test_samples_lie_on_the_grid_within_the_half_open_interval(
    rate: Fraction, start: Fraction, end: Fraction, numbers: list[int]
) -> None:
    assert list(samples(Fraction(start), Fraction(end), Fraction(rate))) == numbers


def test_a_rate_written_in_decimals_is_taken_as_written() -> None:
    assert grid(29.97) == Fraction(2997, 100)
    assert grid(0.2) == Fraction(1, 5)


@settings(max_examples=50)
@given(steps=steps, start=st.fractions(-5, 5, max_denominator=1000), per_second=st.floats(0.1, 60))
def test_every_sample_falls_on_exactly_the_last_picture_that_began(
    steps: list[Fraction], start: Fraction, per_second: float
) -> None:
    rate = grid(per_second)
    starts = [start]
    for step in steps:
        starts.append(starts[-1] + step)

    given_samples = [
        (k, picture.start)
        for picture in shown(stamped(*starts), Damages(), USUAL)
        for k in samples(picture.start, picture.end, rate)
    ]

    expected = samples(start, starts[-1] + USUAL, rate)
    assert [k for k, _ in given_samples] == list(expected)
    assert all(s == max(x for x in starts if x <= k / rate) for k, s in given_samples)


def test_the_last_picture_stays_for_its_own_duration() -> None:
    pictures = [Stamped("a", Fraction(0), Fraction(3))]

    assert [p.end for p in shown(pictures, Damages(), USUAL)] == [3]


def test_a_last_picture_without_duration_stays_the_usual_one() -> None:
    assert [p.end for p in shown(stamped(0, 1), Damages(), USUAL)] == [1, 1 + USUAL]


def test_a_picture_that_goes_back_in_time_is_left_out_and_noted() -> None:
    damages = Damages()

    kept = [p.picture for p in shown(stamped(0, 1, Fraction(1, 2), 1, 2), damages, USUAL)]

    assert kept == ["p0", "p1", "p4"]
    assert [d.second for d in damages] == [0.5]


def test_a_time_stamp_hours_ahead_is_left_out_and_noted() -> None:
    damages = Damages()

    kept = [p.picture for p in shown(stamped(0, 10**9, 1), damages, USUAL)]

    assert kept == ["p0", "p2"]
    assert len(damages) == 1


def test_a_last_picture_of_implausible_duration_stays_the_usual_one() -> None:
    damages = Damages()

    (only,) = shown([Stamped("a", Fraction(0), Fraction(36_000))], damages, USUAL)

    assert only.end == USUAL
    assert len(damages) == 1


@settings(max_examples=50)
@given(
    start=st.none() | st.fractions(0, 3, max_denominator=10),
    end=st.none() | st.fractions(0, 3, max_denominator=10),
)
def test_a_window_wants_the_samples_from_start_up_to_end(
    start: Fraction | None, end: Fraction | None
) -> None:
    window = Window(rate=Fraction(5), start=start, end=end)

    numbers = window.numbers(Fraction(1), Fraction(2))

    assert list(numbers) == [
        k
        for k in range(5, 10)
        if (start is None or Fraction(k, 5) >= start) and (end is None or Fraction(k, 5) < end)
    ]


def test_a_run_of_the_same_damage_is_one_entry() -> None:
    damages = Damages()

    for second in (1, 1.5, 2.2, 9):
        damages.note(second, "torn")
    damages.note(9.1, "other")

    assert damages == [(1, "torn"), (9, "torn"), (9.1, "other")]


def test_damage_is_listed_up_to_a_limit() -> None:
    damages = Damages()

    for second in range(0, 10_000, 2):
        damages.note(second, "torn")

    assert len(damages) == 1000
