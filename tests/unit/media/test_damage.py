"""Damaged and false files: read as far as they go, and what was wrong is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.videos import (
    Clip,
    Pictures,
    Sound,
    claiming,
    picture_number,
    truncated,
    zeroed,
)
from videoannotator.domain.errors import BlobNotFound, MediaError
from videoannotator.media.audio import audio_blocks
from videoannotator.media.frames import every_frame, key_frames, sample_frames
from videoannotator.media.probe import probe
from videoannotator.media.times import frame_times

Writer = Callable[..., Path]
READERS = (
    probe,
    frame_times,
    lambda path: list(every_frame(path)),
    lambda path: list(key_frames(path)),
    lambda path: list(sample_frames(path, per_second=5)),
    lambda path: list(audio_blocks(path)),
)
WHOLE = Clip(pictures=Pictures(count=120, b_frames=2), sound=Sound(seconds=4.0))
FAST_START = Clip(pictures=WHOLE.pictures, sound=WHOLE.sound, options=(("movflags", "faststart"),))


@pytest.mark.parametrize(("clip", "suffix"), [(FAST_START, ".mp4"), (WHOLE, ".mkv")])
@pytest.mark.parametrize("keep", [0.4, 0.7])
@pytest.mark.parametrize("mode", ["sequential", "seek"])
def test_a_truncated_video_is_read_up_to_its_end_and_says_so(
    tmp_path: Path, clip: Clip, suffix: str, keep: float, mode: str
) -> None:
    path = truncated(clip.write(tmp_path / f"clip{suffix}"), keep)

    reader = sample_frames(path, per_second=5, mode=mode)
    frames = list(reader)

    end = frames[-1].timestamp_seconds
    assert keep * 4 - 1 < end < keep * 4 + 1
    assert [f.sample_seconds for f in frames] == [k / 5 for k in range(len(frames))]
    assert all(
        picture_number(f.image) == pytest.approx(30 * f.timestamp_seconds, abs=0.1) for f in frames
    )
    assert reader.damage[-1].second == pytest.approx(end, abs=0.3)
    assert "the file is cut off" in reader.damage[-1].reason
    assert probe(path).duration_seconds == pytest.approx(end, abs=0.5)


def test_truncated_sound_is_read_up_to_its_end_and_says_so(tmp_path: Path) -> None:
    path = truncated(FAST_START.write(tmp_path / "clip.mp4"), 0.5)

    reader = audio_blocks(path, block_seconds=0.5)
    seconds = sum(len(block.samples) for block in reader) / 16_000

    assert 1 < seconds < 3
    assert reader.damage[-1].second == pytest.approx(seconds, abs=0.1)


def test_an_intact_video_has_no_damage(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv", ".ts"):
        path = WHOLE.write(tmp_path / f"clip{suffix}")
        readers = [
            every_frame(path),
            sample_frames(path, per_second=5),
            sample_frames(path, per_second=0.5, mode="seek"),
            key_frames(path),
            audio_blocks(path),
        ]

        assert all(list(reader) for reader in readers)
        assert [reader.damage for reader in readers] == [[]] * 5


def test_after_damage_in_the_middle_reading_goes_on(tmp_path: Path) -> None:
    path = zeroed(FAST_START.write(tmp_path / "clip.mp4"), 0.5, 0.6)

    reader = every_frame(path)
    frames = list(reader)

    assert 60 < len(frames) < 120
    assert picture_number(frames[-1].image) == 119
    assert frames[-1].timestamp_seconds == pytest.approx(119 / 30)
    assert reader.damage
    assert all(1.5 < damage.second < 3 for damage in reader.damage)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("mode", ["sequential", "seek", "auto"])
def test_a_header_that_claims_ten_hours_adds_none(tmp_path: Path, suffix: str, mode: str) -> None:
    clip = Clip(pictures=Pictures(count=30), sound=Sound(seconds=1.0))
    path = claiming(clip.write(tmp_path / f"clip{suffix}"), 36_000)

    frames = list(sample_frames(path, per_second=5, mode=mode))

    assert [f.sample_seconds for f in frames] == [0, 0.2, 0.4, 0.6, 0.8]
    assert probe(path).duration_seconds == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"This is no video.\n" * 100, "no video"),
        (b"\0" * 5000, "no video"),
        (bytes(range(256)) * 50, "no video"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 200, "no video"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 200, "no video"),
    ],
)
def test_what_is_no_video_is_a_media_error(
    tmp_path: Path, read: Callable[[Path], object], content: bytes, reason: str
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)

    with pytest.raises(MediaError, match=reason) as caught:
        read(path)

    assert caught.value.hint
    assert str(tmp_path) not in str(caught.value)


def test_an_unfinished_mp4_is_a_media_error_that_says_so(tmp_path: Path) -> None:
    path = truncated(WHOLE.write(tmp_path / "clip.mp4"), 0.5)

    with pytest.raises(MediaError, match="index is missing"):
        probe(path)


def test_pictures_that_cannot_be_decoded_are_a_media_error(tmp_path: Path) -> None:
    clip = Clip(sound=Sound(), options=(("movflags", "faststart"),))
    path = clip.write(tmp_path / "clip.mp4")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(bytes(data))

    with pytest.raises(MediaError, match="decoded"):
        list(every_frame(path))
    with pytest.raises(MediaError, match="decoded"):
        probe(path)


def test_a_missing_file_is_no_media_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(BlobNotFound):
            probe(path)


@pytest.mark.parametrize("width", [20_000, 65_535])
def test_a_picture_larger_than_is_read_is_a_media_error(tmp_path: Path, width: int) -> None:
    path = Clip(pictures=Pictures(codec="ffv1", count=2, size=(320, 48))).write(
        tmp_path / "clip.mkv"
    )
    stored = b"\xb0\x82" + (320).to_bytes(2, "big")  # PixelWidth
    data = path.read_bytes()
    assert data.count(stored) == 1
    path.write_bytes(data.replace(stored, b"\xb0\x82" + width.to_bytes(2, "big")))

    for read in (probe, lambda p: list(every_frame(p))):
        with pytest.raises(MediaError, match="too large"):
            read(path)


def test_a_picture_of_absurd_area_is_a_media_error_before_memory_is_taken(tmp_path: Path) -> None:
    path = Clip(pictures=Pictures(codec="ffv1", count=2, size=(320, 288))).write(
        tmp_path / "clip.mkv"
    )
    data = path.read_bytes()
    for element, pixels in ((b"\xb0", 320), (b"\xba", 288)):  # PixelWidth, PixelHeight
        stored = element + b"\x82" + pixels.to_bytes(2, "big")
        assert data.count(stored) == 1
        data = data.replace(stored, element + b"\x82" + (16_000).to_bytes(2, "big"))
    path.write_bytes(data)

    with pytest.raises(MediaError, match="too large"):
        probe(path)
