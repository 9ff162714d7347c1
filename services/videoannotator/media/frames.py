"""Frames of a video by presentation time, read ahead in a thread.

Three ways to read, one result: in sequence, by seeking, key frames only. Samples are taken at k /
per_second seconds; a sample is the frame shown at that instant, the last one that begins at or
before it.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import partial
from pathlib import Path

from av.video.frame import VideoFrame

from videoannotator.media.ahead import ahead
from videoannotator.media.choice import Window, chosen
from videoannotator.media.cursor import Cursor
from videoannotator.media.pictures import Converter, Image
from videoannotator.media.reader import Reader
from videoannotator.media.recording import Damages, open_recording
from videoannotator.media.sampling import Shown, grid, shown
from videoannotator.media.times import key_frame_seconds
from videoannotator.media.track import Track

AHEAD_BYTES = 64 * 1024 * 1024  # images that wait, about ten of 1080p


class Mode(StrEnum):
    """How a video is read; the samples are the same."""

    AUTO = "auto"  #: in sequence when samples are closer than key frames, else by seeking
    SEQUENTIAL = "sequential"
    SEEK = "seek"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One picture, as displayed."""

    timestamp_seconds: float  #: its exact presentation time
    sample_seconds: float  #: the instant that was asked for; its own time where none was
    index: int | None  #: number in presentation order from 0; None when not read from the start
    image: Image  #: uint8, (height, width, 3), RGB; shared by samples that fall on one frame


@dataclass(slots=True, kw_only=True)
class _Notes:
    """What the reading thread tells beside the frames."""

    damages: Damages
    mode: Mode


Source = Callable[[_Notes], Generator[Frame, None, None]]


class FrameReader(Reader[Frame]):
    """The frames of one video, once through."""

    def __init__(self, source: Source, mode: Mode) -> None:
        """`source` runs in a thread of its own."""
        self._notes = _Notes(damages=Damages(), mode=mode)
        frames = ahead(
            partial(source, self._notes), limit=AHEAD_BYTES, weight=lambda frame: frame.image.nbytes
        )
        super().__init__(frames, self._notes.damages)

    @property
    def mode(self) -> Mode:
        """How it is read; `auto` until that was found out."""
        return self._notes.mode


def sample_frames(
    path: Path,
    *,
    per_second: float,
    mode: Mode | str = Mode.AUTO,
    start: float | None = None,
    end: float | None = None,
    max_width: int | None = None,
) -> FrameReader:
    """The frames shown at k / per_second seconds, for every k with start <= k / per_second < end.

    None is no limit; k may be negative in a video that begins before time zero.

    A frame is given once for each sample that falls on it. A video so short that no sample falls on
    it gives its first frame. Without a picture stream there is no frame. Images wider than
    `max_width` pixels are scaled down.
    """
    window = Window(
        rate=grid(per_second),
        start=None if start is None else Fraction(start),
        end=None if end is None else Fraction(end),
    )
    return FrameReader(partial(_sampled, path, window, max_width), Mode(mode))


def every_frame(path: Path, *, max_width: int | None = None) -> FrameReader:
    """Every frame in presentation order."""
    return FrameReader(partial(_all, path, max_width), Mode.SEQUENTIAL)


def key_frames(path: Path, *, max_width: int | None = None) -> FrameReader:
    """The frames that are stored complete.

    Nothing else is decoded, so this is quick. They have no index.
    """
    return FrameReader(partial(_keys, path, max_width), Mode.SEQUENTIAL)


def _sampled(
    path: Path, window: Window, max_width: int | None, notes: _Notes
) -> Generator[Frame, None, None]:
    far = _far(path, window.rate, notes)
    converter = Converter(max_width)
    with Cursor(path, notes.damages, window.wants) as cursor:
        for picture, instants in chosen(cursor, window, far):
            image = converter.image(picture.picture)
            for instant in instants:
                yield _frame(picture, image, instant)


def _far(path: Path, rate: Fraction, notes: _Notes) -> Fraction | None:
    """From how many seconds on a jump is the shorter way; None: never. Settles the mode."""
    if notes.mode is Mode.SEQUENTIAL:
        return None
    distance = key_frame_seconds(path)
    if notes.mode is Mode.AUTO:
        farther = distance is not None and 1 / rate > distance
        notes.mode = Mode.SEEK if farther else Mode.SEQUENTIAL
    return (distance or Fraction(0)) if notes.mode is Mode.SEEK else None


def _all(path: Path, max_width: int | None, notes: _Notes) -> Generator[Frame, None, None]:
    converter = Converter(max_width)
    with Cursor(path, notes.damages) as cursor:
        picture = cursor.current
        while picture is not None:
            yield _frame(picture, converter.image(picture.picture), picture.start)
            picture = cursor.forward(picture.end)


def _keys(path: Path, max_width: int | None, notes: _Notes) -> Generator[Frame, None, None]:
    converter = Converter(max_width)
    with open_recording(path) as recording:
        if recording.video is None:
            return
        track = Track(recording, recording.video, notes.damages)
        for picture in shown(track.key_pictures(), notes.damages, track.usual_duration):
            yield _frame(picture, converter.image(picture.picture), picture.start)
        track.check_read()


def _frame(picture: Shown[VideoFrame], image: Image, instant: Fraction) -> Frame:
    return Frame(
        timestamp_seconds=float(picture.start),
        sample_seconds=float(instant),
        index=picture.number,
        image=image,
    )
