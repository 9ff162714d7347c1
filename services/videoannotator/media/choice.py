"""Choosing the pictures that are shown at the instants asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from av.video.frame import VideoFrame

from videoannotator.media.cursor import Cursor
from videoannotator.media.sampling import Shown, samples

Picture = Shown[VideoFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which samples are wanted: those at k / rate seconds in [start, end); None: no limit."""

    rate: Fraction  #: samples per second
    start: Fraction | None
    end: Fraction | None

    def numbers(self, start: Fraction, end: Fraction) -> range:
        """Numbers k of the wanted samples in [start, end), in seconds."""
        start = start if self.start is None else max(self.start, start)
        end = end if self.end is None else min(self.end, end)
        return samples(start, end, self.rate)

    def wants(self, start: Fraction, end: Fraction) -> bool:
        """A wanted sample falls into [start, end)."""
        return bool(self.numbers(start, end))

    def ends_before(self, instant: Fraction) -> bool:
        """No sample is wanted from `instant` on."""
        return self.end is not None and self.end <= instant


def chosen(
    cursor: Cursor, window: Window, far: Fraction | None
) -> Iterator[tuple[Picture, Sequence[Fraction]]]:
    """The pictures on which wanted samples fall, each with the instants of its samples.

    Where the next sample is more than `far` seconds away the cursor jumps; None: it never does, but
    to the start of the window. If no sample falls on the whole video, its first picture is given
    with its own time.
    """
    first = cursor.current
    unlimited = window.start is None and window.end is None
    for picture, numbers in _walk(cursor, window, far):
        first = None
        yield picture, [number / window.rate for number in numbers]
    if first is not None and unlimited:
        yield first, [first.start]


def _walk(cursor: Cursor, window: Window, far: Fraction | None) -> Iterator[tuple[Picture, range]]:
    picture = _beginning(cursor, window)
    lowest: int | None = None
    while picture is not None and not window.ends_before(picture.start):
        numbers = window.numbers(picture.start, picture.end)
        # After a jump over damage a picture may reach back to samples that were given already.
        numbers = numbers if lowest is None else range(max(lowest, numbers.start), numbers.stop)
        if numbers:
            yield picture, numbers
        lowest = max(numbers.stop, ceil(picture.end * window.rate))
        at = lowest / window.rate
        if window.ends_before(at):
            return
        wide = far is not None and at - picture.end > far
        picture = cursor.jump(at) if wide else cursor.forward(at)


def _beginning(cursor: Cursor, window: Window) -> Picture | None:
    picture = cursor.current
    if picture is None or window.start is None or window.start < picture.end:
        return picture
    return cursor.jump(window.start)
