"""Frames by presentation time, on videos whose pictures carry their numbers."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.videos import Clip, Pictures, Sound, picture_number, write_clip
from videoannotator.media.frames import Converter, every_frame, key_frames, sample_frames
from videoannotator.media.times import frame_times, key_frame_seconds

Writer = Callable[..., Path]
UNEVEN = tuple(Fraction(k * k, 60) for k in range(20))
NEGATIVE = (("movflags", "frag_keyframe+delay_moov"),)

CLIPS = {
    "H.264 with B-frames": (Clip(pictures=Pictures(b_frames=3)), ".mp4"),
    "29.97": (Clip(pictures=Pictures(rate=Fraction(30000, 1001))), ".mp4"),
    "variable rate": (Clip(pictures=Pictures(times=UNEVEN, b_frames=2)), ".mp4"),
    "open groups": (Clip(pictures=Pictures(b_frames=3, open_gop=True)), ".mp4"),
    "late beginning": (
        Clip(pictures=Pictures(start_seconds=Fraction(1, 2)), sound=Sound()),
        ".mp4",
    ),
    "negative first time stamps": (
        Clip(pictures=Pictures(b_frames=3, start_seconds=Fraction(-1, 5)), options=NEGATIVE),
        ".mp4",
    ),
    "Matroska": (Clip(pictures=Pictures(b_frames=2), sound=Sound()), ".mkv"),
    "transport stream": (Clip(pictures=Pictures(b_frames=2), sound=Sound()), ".ts"),
    "VP9 of odd size": (Clip(pictures=Pictures(codec="libvpx-vp9", size=(161, 119))), ".webm"),
    "MPEG-4 in AVI": (Clip(pictures=Pictures(codec="mpeg4")), ".avi"),
    "motion JPEG": (Clip(pictures=Pictures(codec="mjpeg", pixel_format="yuvj420p")), ".mov"),
    "one picture": (Clip(pictures=Pictures(count=1)), ".mp4"),
}


@pytest.fixture(params=CLIPS)
def clip(request: pytest.FixtureRequest, clip_file: Writer) -> tuple[Clip, Path]:
    """A clip of every kind and its file."""
    made, suffix = CLIPS[request.param]
    return made, clip_file(made, suffix)


def stored_times(path: Path) -> list[Fraction]:
    """Presentation times from the packets alone, from the container's own zero."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base
        times = sorted(p.pts * base for p in container.demux(stream) if p.pts is not None)
        streams = [s.start_time * s.time_base for s in container.streams]
        return [t - min(streams) for t in times] if path.suffix == ".ts" else times


def test_every_frame_comes_once_in_order_with_its_stored_time(clip: tuple[Clip, Path]) -> None:
    made, path = clip

    frames = list(every_frame(path))

    assert made.pictures is not None
    times = [float(t) for t in stored_times(path)]
    assert [picture_number(f.image) for f in frames] == list(range(len(times)))
    assert [f.index for f in frames] == list(range(len(times)))
    assert [f.timestamp_seconds for f in frames] == times == frame_times(path)
    planned = [float(s) for s in made.pictures.seconds()]
    if path.suffix in {".mp4", ".mov", ".mkv", ".webm"}:
        assert times == pytest.approx(planned, abs=0.001)
    assert np.diff(times) == pytest.approx(np.diff(planned), abs=0.001)


@pytest.mark.parametrize("per_second", [0.5, 1.7, 5, 12.5, 50])
@pytest.mark.parametrize("mode", ["sequential", "seek", "auto"])
def test_a_sample_is_the_frame_shown_at_its_instant(
    clip: tuple[Clip, Path], per_second: float, mode: str
) -> None:
    _, path = clip
    times = stored_times(path)

    frames = list(sample_frames(path, per_second=per_second, mode=mode))

    rate = Fraction(per_second).limit_denominator(1000)
    wanted = [k / rate for k in range(-50, 500) if times[0] <= k / rate <= times[-1]]
    got = [f for f in frames if f.sample_seconds <= times[-1]]
    assert [f.sample_seconds for f in got] == [float(t) for t in wanted]
    shown = [max(i for i, time in enumerate(times) if time <= t) for t in wanted]
    assert [picture_number(f.image) for f in got] == shown
    assert [f.timestamp_seconds for f in got] == [float(times[i]) for i in shown]
    assert all(f.index in {None, i} for f, i in zip(got, shown, strict=True))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    per_second=st.sampled_from([0.7, 3.0, 5.0, 10.0]),
    b_frames=st.integers(0, 3),
)
def test_all_ways_to_read_a_video_of_any_rhythm_agree(
    tmp_path: Path, steps: list[int], per_second: float, b_frames: int
) -> None:
    times = tuple(Fraction(sum(steps[:k]), 60) for k in range(len(steps) + 1))
    path = write_clip(
        tmp_path / "clip.mp4", times=times, b_frames=b_frames, key_distance=7, size=(96, 64)
    )

    read = {
        mode: [
            (f.sample_seconds, f.timestamp_seconds, picture_number(f.image))
            for f in sample_frames(path, per_second=per_second, mode=mode)
        ]
        for mode in ("sequential", "seek", "auto")
    }

    assert read["sequential"] == read["seek"] == read["auto"]
    assert all(times[n] == pytest.approx(t) and t <= s for s, t, n in read["auto"])


def test_ntsc_video_is_sampled_at_the_rate_asked_for(clip_file: Writer) -> None:
    pictures = Pictures(rate=Fraction(30000, 1001), count=900, size=(64, 48), key_distance=100)

    frames = list(sample_frames(clip_file(Clip(pictures=pictures)), per_second=5))

    seconds = frames[-1].timestamp_seconds - frames[0].timestamp_seconds
    assert (len(frames) - 1) / seconds == pytest.approx(5.0, abs=0.02)


@pytest.mark.parametrize(
    ("per_second", "mode"), [(5, "sequential"), (2, "sequential"), (1.5, "seek"), (0.5, "seek")]
)
def test_auto_seeks_when_samples_are_farther_apart_than_key_frames(
    clip_file: Writer, per_second: float, mode: str
) -> None:
    path = clip_file(Clip(pictures=Pictures(count=120, key_distance=15)))

    with sample_frames(path, per_second=per_second) as reader:
        next(reader)

        assert reader.mode == mode


def test_key_frame_distance_is_read_from_the_file(clip_file: Writer) -> None:
    assert key_frame_seconds(clip_file(Clip(pictures=Pictures(key_distance=15)))) == Fraction(1, 2)
    assert key_frame_seconds(clip_file(Clip(pictures=Pictures(count=1)))) is None


def test_key_frames_alone(clip_file: Writer) -> None:
    frames = list(key_frames(clip_file(Clip(pictures=Pictures(key_distance=15, b_frames=2)))))

    assert [picture_number(f.image) for f in frames] == [0, 15, 30, 45]
    assert [f.timestamp_seconds for f in frames] == pytest.approx([0, 0.5, 1, 1.5])


@pytest.mark.parametrize("mode", ["sequential", "seek"])
def test_only_samples_within_the_window_are_read(clip_file: Writer, mode: str) -> None:
    path = clip_file(Clip(pictures=Pictures(b_frames=2)))

    frames = list(sample_frames(path, per_second=5, mode=mode, start=0.7, end=1.4))

    assert [f.sample_seconds for f in frames] == [0.8, 1.0, 1.2]
    assert [picture_number(f.image) for f in frames] == [24, 30, 36]


def test_samples_on_one_frame_share_its_image(clip_file: Writer) -> None:
    path = clip_file(Clip(pictures=Pictures(count=3, rate=Fraction(1))))

    frames = list(sample_frames(path, per_second=2))

    assert [picture_number(f.image) for f in frames] == [0, 0, 1, 1, 2, 2]
    assert frames[0].image is frames[1].image


def test_a_video_between_two_samples_gives_its_first_frame(clip_file: Writer) -> None:
    pictures = Pictures(count=2, start_seconds=Fraction(1, 10))

    (frame,) = sample_frames(clip_file(Clip(pictures=pictures, sound=Sound())), per_second=1)

    assert frame.timestamp_seconds == frame.sample_seconds == pytest.approx(0.1)


def test_no_picture_is_converted_that_is_not_sampled(
    clip_file: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = []
    convert = Converter.image
    monkeypatch.setattr(Converter, "image", lambda *a: converted.append(1) or convert(*a))

    frames = list(sample_frames(clip_file(Clip(pictures=Pictures(b_frames=3))), per_second=5))

    assert len(converted) == len(frames) == 10


def test_without_a_picture_track_there_is_no_frame(clip_file: Writer) -> None:
    path = clip_file(Clip(pictures=None, sound=Sound()))

    assert list(every_frame(path)) == list(key_frames(path)) == frame_times(path) == []
    assert list(sample_frames(path, per_second=5)) == []
