"""A place in a video that only moves forward: step by step, or by seeking when the way is long."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from av.video.frame import VideoFrame

from videoannotator.media.recording import Damages, open_recording
from videoannotator.media.sampling import Shown, shown
from videoannotator.media.track import Picture, Track


class Cursor:
    """Stands on one picture of a video. Opened by `with`; to be used by one thread."""

    def __init__(
        self,
        path: Path,
        damages: Damages,
        wanted: Callable[[Fraction, Fraction], bool] | None = None,
    ) -> None:
        """Damage that is met goes to `damages`.

        `wanted` tells whether a picture shown from one second to another will be looked at.
        """
        self._wanted = wanted
        self._path = path
        self._damages = damages
        self._files = ExitStack()
        self._track: Track | None = None
        self._pictures: Iterator[Shown[VideoFrame]] = iter(())
        self._current: Shown[VideoFrame] | None = None

    def __enter__(self) -> Self:
        """Opens the video and stands on its first picture.

        Raises: MediaError, also when no picture can be decoded.
        """
        with ExitStack() as opening:
            opening.callback(self.close)
            self._open()
            opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the file."""
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._files.close()

    @property
    def current(self) -> Shown[VideoFrame] | None:
        """The picture it stands on; None past the last one."""
        return self._current

    def forward(self, at: Fraction) -> Shown[VideoFrame] | None:
        """Decodes up to the picture shown at `at`.

        The one after it when `at` falls into damage; None past the end.
        """
        while self._current is not None and self._current.end <= at:
            self._current = next(self._pictures, None)
        return self._current

    def jump(self, at: Fraction) -> Shown[VideoFrame] | None:
        """The same by way of the nearest key frame before.

        By decoding all when the file cannot seek.
        """
        pictures = self._track.from_key(at) if self._track else None
        if pictures is None:
            self._open()
        else:
            self._show(pictures)
        return self.forward(at)

    def _open(self) -> None:
        self._files.close()
        recording = self._files.enter_context(open_recording(self._path))
        if recording.video is None:
            return
        self._track = Track(recording, recording.video, self._damages, self._wanted)
        self._show(self._track.pictures())
        if self._current is None:
            self._track.check_read()

    def _show(self, pictures: Iterator[Picture]) -> None:
        usual = self._track.usual_duration if self._track else Fraction(0)
        self._pictures = shown(pictures, self._damages, usual)
        self._current = next(self._pictures, None)
