"""Laying pieces of sound on a line: made-up frames with made-up times."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.domain.errors import MediaError
from videoannotator.media.recording import Damages
from videoannotator.media.sampling import Stamped
from videoannotator.media.timeline import Sound, Timeline

SECOND = 16_000


def sound(start: float, seconds: float, level: float, rate: int = SECOND) -> Sound:
    """A steady level from `start` on."""
    wave = np.full((1, round(seconds * rate)), level, np.float32)
    frame = av.AudioFrame.from_ndarray(wave, format="flt", layout="mono")
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    return Stamped(frame, Fraction(start), Fraction(seconds))


def laid(*sounds: Sound) -> tuple[float, np.ndarray, Damages]:
    damages = Damages()
    timeline = Timeline(damages)
    pieces = list(timeline.pieces(sounds))
    whole = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    return float(timeline.origin), whole, damages


def levels(samples: np.ndarray) -> list[tuple[float, float]]:
    """(level, seconds) of each stretch."""
    edges = [0, *(np.flatnonzero(np.diff(samples)) + 1), len(samples)]
    return [(round(float(samples[a]), 3), (b - a) / SECOND) for a, b in pairwise(edges)]


def test_sound_that_follows_sound_is_joined() -> None:
    _, samples, _ = laid(sound(0, 0.5, 0.25), sound(0.5, 0.5, 0.5))

    assert levels(samples) == [(0.25, 0.5), (0.5, 0.5)]


def test_a_gap_becomes_silence() -> None:
    _, samples, _ = laid(sound(0, 0.5, 0.25), sound(1.5, 0.5, 0.5))

    assert levels(samples) == [(0.25, 0.5), (0.0, 1.0), (0.5, 0.5)]


def test_a_late_beginning_becomes_silence() -> None:
    origin, samples, _ = laid(sound(1.25, 0.5, 0.5))

    assert origin == 0
    assert levels(samples) == [(0.0, 1.25), (0.5, 0.5)]


def test_a_beginning_before_zero_is_the_origin() -> None:
    origin, samples, _ = laid(sound(-0.25, 0.5, 0.5), sound(0.25, 0.5, 0.25))

    assert origin == -0.25
    assert levels(samples) == [(0.5, 0.5), (0.25, 0.5)]


def test_what_overlaps_is_cut_from_the_later_sound() -> None:
    _, samples, _ = laid(sound(0, 1, 0.25), sound(0.75, 0.5, 0.5))

    assert levels(samples) == [(0.25, 1.0), (0.5, 0.25)]


def test_rounded_time_stamps_are_no_gaps() -> None:
    _, samples, _ = laid(sound(0, 0.5, 0.25), sound(0.501, 0.5, 0.5), sound(0.999, 0.5, 0.25))

    assert levels(samples) == [(0.25, 0.5), (0.5, 0.5), (0.25, 0.5)]


def test_another_rate_in_the_middle_keeps_the_time() -> None:
    _, samples, _ = laid(sound(0, 1, 0.5), sound(1, 1, 0.5, rate=48_000), sound(2, 1, 0.5))

    assert len(samples) / SECOND == pytest.approx(3.0, abs=0.001)
    assert np.abs(samples - 0.5).mean() < 0.01


def test_a_time_stamp_hours_ahead_is_left_out_and_noted() -> None:
    _, samples, damages = laid(sound(0, 1, 0.5), sound(10**9, 1, 0.25), sound(1, 1, 0.5))

    assert levels(samples) == [(0.5, 2.0)]
    assert len(damages) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.1, 0.5, 1.25]),
            st.sampled_from([0.1, 0.25, 0.5]),
            st.sampled_from([8_000, 16_000, 44_100]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_the_line_always_ends_where_the_last_sound_does(
    plan: list[tuple[float, float, int]],
) -> None:
    sounds, end = [], 0.0
    for gap, seconds, rate in plan:
        sounds.append(sound(end + gap, seconds, 0.5, rate))
        end += gap + seconds

    _, samples, damages = laid(*sounds)

    assert len(samples) / SECOND == pytest.approx(end, abs=0.002)
    assert damages == []


def unmixable(start: float, seconds: float) -> Sound:
    """Sound of more channels than anybody has ears for: a damaged header says so."""
    frame = av.AudioFrame(format="flt", layout="255 channels", samples=round(seconds * SECOND))
    frame.sample_rate = SECOND
    return Stamped(frame, Fraction(start), Fraction(seconds))


def test_sound_that_cannot_be_mixed_is_silence_and_noted() -> None:
    _, samples, damages = laid(sound(0, 0.5, 0.25), unmixable(0.5, 1), sound(1.5, 0.5, 0.5))

    assert levels(samples) == [(0.25, 0.5), (0.0, 1.0), (0.5, 0.5)]
    assert [damage.second for damage in damages] == [0.5]


def test_sound_of_which_nothing_can_be_mixed_is_refused() -> None:
    with pytest.raises(MediaError, match="255 channels"):
        laid(unmixable(0, 0.5), unmixable(0.5, 0.5))
