"""Sound on a line of samples: what is heard when, whatever the file's layout."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.videos import Clip, Pictures, Sound
from videoannotator.media.audio import audio_blocks

Writer = Callable[..., Path]
QUIET = 0.15  # below it is silence; the tone has 0.7


def heard(path: Path, block_seconds: float = 0.3) -> tuple[float, np.ndarray]:
    """Start and samples of the whole file, after a look at each block."""
    blocks = list(audio_blocks(path, block_seconds=block_seconds))
    taken = 0
    for block in blocks:
        assert block.samples.dtype == np.float32
        assert block.samples.ndim == 1
        assert block.start_seconds == pytest.approx(blocks[0].start_seconds + taken / 16_000)
        taken += len(block.samples)
    assert all(len(b.samples) == round(block_seconds * 16_000) for b in blocks[:-1])
    return blocks[0].start_seconds, np.concatenate([b.samples for b in blocks])


def burst_starts(start: float, samples: np.ndarray) -> list[float]:
    """Seconds at which sound begins after at least 50 ms of silence."""
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    first = [loud[0], *loud[1:][np.diff(loud) > 800]]
    return [start + int(i) / 16_000 for i in first]


@pytest.mark.parametrize(
    ("suffix", "sound"),
    [
        (".mp4", Sound()),
        (".mp4", Sound(sample_rate=44_100, layout="stereo")),
        (".mp4", Sound(layout="5.1")),
        (".mp4", Sound(sample_rate=8_000)),
        (".wav", Sound(codec="pcm_s16le", sample_rate=8_000)),
        (".wav", Sound(codec="pcm_s16le", sample_rate=16_000)),
        (".wav", Sound(codec="pcm_f32le", sample_rate=16_000)),
        (".mkv", Sound(codec="pcm_s16le", sample_rate=96_000, layout="stereo")),
        (".flac", Sound(codec="flac", sample_rate=44_100, layout="stereo")),
        (".webm", Sound(codec="libopus", layout="stereo")),
        (".ogg", Sound(codec="libopus")),
        (".mp3", Sound(codec="mp3", sample_rate=44_100)),
    ],
)
def test_sound_is_heard_at_its_time_and_as_loud_as_it_is(
    clip_file: Writer, suffix: str, sound: Sound
) -> None:
    path = clip_file(Clip(pictures=None, sound=sound), suffix)

    start, samples = heard(path)

    assert start == 0
    assert burst_starts(start, samples) == pytest.approx([0.5, 1.5], abs=0.002)
    # A codec may fill up its last packet, of at most 1024 samples.
    assert 2.0 <= len(samples) / 16_000 <= 2.001 + 1024 / sound.sample_rate
    assert np.abs(samples).max() == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".mkv", "pcm_s16le")])
def test_a_late_beginning_is_silence(clip_file: Writer, suffix: str, codec: str) -> None:
    sound = Sound(codec=codec, start_seconds=0.75)
    path = clip_file(Clip(sound=sound), suffix)

    start, samples = heard(path)

    assert start == 0
    assert burst_starts(start, samples) == pytest.approx([1.25, 2.25], abs=0.002)
    assert not samples[: round(0.7 * 16_000)].any()


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "aac"), (".mkv", "pcm_s16le"), (".mkv", "libopus")]
)
def test_a_gap_is_silence_of_its_length(clip_file: Writer, suffix: str, codec: str) -> None:
    sound = Sound(codec=codec, gap=(1.0, 12.5))
    path = clip_file(Clip(sound=sound), suffix)

    start, samples = heard(path, block_seconds=1.0)

    assert burst_starts(start, samples) == pytest.approx([0.5, 14.0], abs=0.002)
    assert not samples[round(1.2 * 16_000) : round(13.4 * 16_000)].any()


def test_sound_and_picture_of_a_transport_stream_share_their_zero(clip_file: Writer) -> None:
    path = clip_file(Clip(sound=replace(Sound(), start_seconds=0.5)), ".ts")

    start, samples = heard(path)

    # The transport stream does not tell that the encoder's first 21 ms are padding.
    assert start == 0
    assert burst_starts(start, samples) == pytest.approx([1.0, 2.0], abs=0.03)


def test_sound_may_last_longer_than_the_picture(clip_file: Writer) -> None:
    path = clip_file(Clip(pictures=Pictures(count=15), sound=Sound(seconds=4.0)))

    _, samples = heard(path)

    assert len(samples) / 16_000 == pytest.approx(4.0, abs=0.03)


def test_drifting_time_stamps_are_followed(clip_file: Writer) -> None:
    # No two packets are apart by more than 0.2 ms; after nine seconds that is 45 ms.
    sound = Sound(codec="pcm_s16le", seconds=10, bursts=((0.5, 0.1), (9, 0.1)), drift=0.005)

    start, samples = heard(clip_file(Clip(pictures=None, sound=sound), ".mkv"))

    assert burst_starts(start, samples)[1] == pytest.approx(9.0 * 1.005, abs=0.021)


def test_without_a_sound_track_there_is_no_block(clip_file: Writer) -> None:
    assert list(audio_blocks(clip_file(Clip()))) == []
