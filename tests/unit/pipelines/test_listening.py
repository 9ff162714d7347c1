"""Sound in blocks, against the whole sound at once."""

from itertools import pairwise

import av
import numpy as np
import pytest
from faster_whisper.vad import VadOptions, get_speech_timestamps, get_vad_model
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator.domain.annotations import Segment
from videoannotator.domain.errors import PipelineUnavailable
from videoannotator.media.sample import SPEECH, SPEECH_SPANS
from videoannotator.pipelines.voice_activity import silero
from videoannotator.pipelines.voice_activity.listening import LONGEST_SILENCE_SECONDS, Listener
from videoannotator.pipelines.voice_activity.pipeline import rules
from videoannotator.pipelines.voice_activity.silero import SHA256, Silero, read_model
from videoannotator.pipelines.voice_activity.spec import VoiceActivityParameters

RATE = 16_000


@pytest.fixture(scope="module")
def model() -> Silero:
    return Silero(read_model())


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    with av.open(str(SPEECH)) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(parts).astype(np.float32) / 32768


def heard(
    model: Silero,
    samples: NDArray[np.float32],
    cuts: list[int],
    start: float = 0.0,
    **parameters: float,
) -> list[Segment]:
    listener = Listener(model, rules(VoiceActivityParameters(**parameters)))
    for begin, end in pairwise([0, *sorted(cuts), len(samples)]):
        listener.hear(start + begin / RATE, samples[begin:end])
    return listener.finish()


def test_probabilities_in_blocks_are_those_of_the_whole(
    model: Silero, speech: NDArray[np.float32]
) -> None:
    whole = speech[: len(speech) // 512 * 512]
    model.reset()

    found = [model.probabilities(part) for part in np.split(whole, [512 * 3, 512 * 4, 512 * 200])]

    # faster-whisper zeroes the last 64 samples of what it is given, so its last window differs.
    expected = get_vad_model()(whole.copy())
    np.testing.assert_allclose(np.concatenate(found)[:-1], expected[:-1], atol=1e-5)


@settings(max_examples=12)
@given(cuts=st.lists(st.integers(1, 151_000), max_size=12), length=st.integers(60_000, 151_385))
def test_segments_do_not_depend_on_how_the_sound_is_cut(
    model: Silero, speech: NDArray[np.float32], cuts: list[int], length: int
) -> None:
    sound = speech[:length]
    options = VadOptions(min_speech_duration_ms=250, min_silence_duration_ms=200, speech_pad_ms=30)

    found = heard(model, sound, [cut for cut in cuts if cut < length])

    expected = get_speech_timestamps(sound.copy(), options)
    assert [(each.start_seconds, each.end_seconds) for each in found] == [
        (each["start"] / RATE, each["end"] / RATE) for each in expected
    ]


def test_known_sentences_are_found_where_they_are(
    model: Silero, speech: NDArray[np.float32]
) -> None:
    found = heard(model, speech, [])

    assert len(found) == len(SPEECH_SPANS)
    for segment, (start, end) in zip(found, SPEECH_SPANS, strict=True):
        assert segment.start_seconds == pytest.approx(start, abs=0.1)
        assert segment.end_seconds == pytest.approx(end, abs=0.12)
        assert segment.label == "speech"
        assert segment.score is not None
        assert segment.score > 0.8


def test_times_are_those_of_presentation(model: Silero, speech: NDArray[np.float32]) -> None:
    plain, late = heard(model, speech, []), heard(model, speech, [], start=1.25)

    assert [each.start_seconds for each in late] == [each.start_seconds + 1.25 for each in plain]


def test_a_short_gap_is_heard_as_silence(model: Silero, speech: NDArray[np.float32]) -> None:
    listener = Listener(model, rules(VoiceActivityParameters()))
    filled = np.concatenate([speech, np.zeros(RATE, np.float32), speech])

    listener.hear(0.0, speech)
    listener.hear(len(speech) / RATE + 1.0, speech)

    assert listener.finish() == heard(model, filled, [])


def test_behind_a_long_gap_listening_begins_anew(
    model: Silero, speech: NDArray[np.float32]
) -> None:
    listener = Listener(model, rules(VoiceActivityParameters()))
    alone = heard(model, speech, [])
    later = len(speech) / RATE + LONGEST_SILENCE_SECONDS + 3600

    listener.hear(0.0, speech)
    listener.hear(later, speech)
    found = listener.finish()

    assert found[: len(alone)] == alone
    assert [each.start_seconds - later for each in found[len(alone) :]] == pytest.approx(
        [each.start_seconds for each in alone], abs=1e-9
    )


def test_a_second_recording_gives_what_it_gives_alone(
    model: Silero, speech: NDArray[np.float32]
) -> None:
    first = heard(model, speech, [])

    heard(model, np.random.default_rng(1).normal(0, 0.3, 40_000).astype(np.float32), [])

    assert heard(model, speech, []) == first


@pytest.mark.parametrize("level", [0.0, 0.1], ids=["silence", "noise"])
def test_what_is_no_speech_gives_nothing(model: Silero, level: float) -> None:
    noise = np.random.default_rng(0).normal(0, 1, RATE * 5).astype(np.float32) * level

    assert heard(model, noise, []) == []


def test_memory_is_bounded_by_a_block(model: Silero) -> None:
    listener = Listener(model, rules(VoiceActivityParameters()))

    for second in range(60):
        listener.hear(float(second), np.zeros(RATE, np.float32))

    assert len(listener._rest) < 512
    assert listener._segments == []


def test_a_changed_model_is_refused_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "SHA256", SHA256[::-1])

    with pytest.raises(PipelineUnavailable, match="checksum"):
        read_model()


def test_a_missing_model_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "FILE", "silero_vad_v7.onnx")

    with pytest.raises(PipelineUnavailable) as caught:
        read_model()

    assert "pip install" in caught.value.hint
