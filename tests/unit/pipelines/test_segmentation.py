"""Segments from probabilities, against faster-whisper's own rules."""

from math import inf, isinf

import faster_whisper.vad
import numpy as np
import pytest
from faster_whisper.vad import VadOptions, get_speech_timestamps
from hypothesis import example, given
from hypothesis import strategies as st

from videoannotator.pipelines.voice_activity.segmentation import (
    WINDOW_SAMPLES,
    Rules,
    Segmenter,
    Speech,
)

# Near the thresholds, far from them, and in long stretches, as a model gives them.
PROBABILITY = st.sampled_from([0.0, 0.2, 0.34, 0.35, 0.4, 0.49, 0.5, 0.7, 0.99])
STRETCHES = st.lists(st.tuples(PROBABILITY, st.integers(1, 30)), min_size=1, max_size=25)


def segments(probabilities: list[float], rules: Rules, total_samples: int) -> list[Speech]:
    segmenter = Segmenter(rules)
    for probability in probabilities:
        segmenter.push(probability)
    return segmenter.finish(total_samples)


def rules(options: VadOptions) -> Rules:
    padding = options.speech_pad_ms * 16
    return Rules(
        threshold=options.threshold,
        end_threshold=options.neg_threshold,
        min_speech_samples=options.min_speech_duration_ms * 16,
        min_silence_samples=options.min_silence_duration_ms * 16,
        padding_samples=padding,
        max_speech_samples=options.max_speech_duration_s * 16_000 - WINDOW_SAMPLES - 2 * padding,
    )


@given(
    stretches=STRETCHES,
    silence_ms=st.sampled_from([0, 30, 100, 200, 500]),
    speech_ms=st.sampled_from([0, 32, 250]),
    padding_ms=st.sampled_from([0, 30, 90, 400]),
    longest=st.sampled_from([inf, 1.0, 2.5]),
    short_by=st.integers(1, WINDOW_SAMPLES - 1),
)
# Too long in the second of two pauses: the cut is there, and nothing has begun again behind it.
@example([(0.99, 40), (0.0, 5), (0.99, 27), (0.0, 12), (0.99, 9)], 500, 0, 0, 2.5, 1)
# Too long after a pause: the cut is at the pause, the next segment begins where speech did again.
@example([(0.99, 40), (0.0, 6), (0.99, 60), (0.0, 20)], 500, 0, 30, 2.5, 1)
def test_the_segments_are_those_of_faster_whisper(
    stretches: list[tuple[float, int]],
    silence_ms: int,
    speech_ms: int,
    padding_ms: int,
    longest: float,
    short_by: int,
) -> None:
    probabilities = [value for value, count in stretches for _ in range(count)]
    total = len(probabilities) * WINDOW_SAMPLES - short_by
    options = VadOptions(0.5, 0.35, speech_ms, longest, silence_ms, padding_ms)

    with pytest.MonkeyPatch.context() as patch:
        model = lambda audio: np.array(probabilities)  # noqa: E731
        patch.setattr(faster_whisper.vad, "get_vad_model", lambda: model)
        expected = get_speech_timestamps(np.zeros(total, np.float32), options)
    found = segments(probabilities, rules(options), total)

    assert [(each.start, each.end) for each in found] == [
        (each["start"], each["end"]) for each in expected
    ]
    assert all(0 <= each.score <= 1 for each in found)
    assert isinf(longest) or all(each.end > each.start for each in found)


def test_the_score_is_the_mean_probability_without_the_pause_behind() -> None:
    options = VadOptions(0.5, 0.35, 0, inf, 100, 0)

    found = segments([0.0] * 4 + [0.6, 1.0] * 5 + [0.1] * 20, rules(options), 34 * WINDOW_SAMPLES)

    assert found == [Speech(4 * WINDOW_SAMPLES, 14 * WINDOW_SAMPLES, pytest.approx(0.8))]


def test_no_probability_gives_no_segment() -> None:
    assert segments([], rules(VadOptions(0.5, 0.35)), 0) == []
