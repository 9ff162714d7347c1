"""Which frame is shown when: pure arithmetic on presentation times."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil
from typing import Generic, NamedTuple, TypeVar

from videoannotator.media.recording import Damages

T = TypeVar("T")

LONGEST_SHOWN_SECONDS = 3600  # a picture that stays longer is taken for a damaged time stamp


class Stamped(NamedTuple, Generic[T]):
    """A decoded picture with its time."""

    picture: T
    start: Fraction  #: presentation time in seconds
    duration: Fraction  #: seconds as stored; 0 when not stored
    number: int | None = None  #: number in presentation order; None when not counted


class Shown(NamedTuple, Generic[T]):
    """A picture and the time it is on the screen: [start, end), in seconds."""

    picture: T
    start: Fraction
    end: Fraction
    number: int | None = None


def shown(pictures: Iterable[Stamped[T]], damages: Damages, usual: Fraction) -> Iterator[Shown[T]]:
    """How long each picture is on the screen: until the next one begins.

    The last one stays for its own duration, or for the `usual` one where it states none. A picture
    that begins before the one before it, or an implausible time after it, is left out and noted.
    """
    before: Stamped[T] | None = None
    for picture in pictures:
        if before is not None:
            step = picture.start - before.start
            if step <= 0:
                damages.note(picture.start, "a picture is not later than the one before it")
                continue
            if step > LONGEST_SHOWN_SECONDS:
                damages.note(before.start, "the next picture has an implausible time stamp")
                continue
            yield Shown(before.picture, before.start, picture.start, before.number)
        before = picture
    if before is not None:
        yield Shown(
            before.picture,
            before.start,
            before.start + _last(before, damages, usual),
            before.number,
        )


def grid(per_second: float) -> Fraction:
    """Samples per second as an exact number; 29.97 means 29.97, not its nearest binary fraction."""
    return Fraction(per_second).limit_denominator(1_000_000)


def samples(start: Fraction, end: Fraction, rate: Fraction) -> range:
    """Numbers k of the samples at k / rate seconds that lie in [start, end)."""
    return range(ceil(start * rate), ceil(end * rate))


def _last(picture: Stamped[T], damages: Damages, usual: Fraction) -> Fraction:
    if picture.duration > LONGEST_SHOWN_SECONDS:
        damages.note(picture.start, "the last picture has an implausible duration")
        return usual
    return picture.duration if picture.duration > 0 else usual
