"""Laying decoded sound on a line of 16 kHz samples.

Offsets and gaps become silence, overlaps are cut.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from videoannotator.domain.errors import MediaError
from videoannotator.media.recording import UNREADABLE, Damages, reason
from videoannotator.media.sampling import LONGEST_SHOWN_SECONDS, Stamped

RATE = 16_000  # samples per second
# Time stamps are often rounded to a millisecond; what differs by more is a real gap or overlap.
TOLERANCE_SECONDS = Fraction(20, 1000)
SILENCE_PIECE = 10 * RATE
# Without the limit the sum of equal channels of float sound is louder than each, up to 3.4 times.
MIXING = {"rematrix_maxval": "1.0"}

Samples = NDArray[np.float32]
Sound = Stamped[AudioFrame]


class Timeline:
    """Turns frames of sound into pieces of float32 mono at 16 kHz without a hole between them.

    Sample i of all pieces together is heard at `origin` + i / RATE seconds.
    """

    def __init__(self, damages: Damages) -> None:
        """Frames left out for implausible time stamps are noted in `damages`."""
        self.origin = Fraction(0)  #: time zero, or the first frame's time when that is earlier
        self._damages = damages
        self._laid = 0  # samples given so far
        self._skip = 0  # samples of the run that overlap what was given
        self._run: _Run | None = None
        self._mixed = False  # some sound could be
        self._unmixed = ""  # why some could not

    def pieces(self, sounds: Iterable[Sound]) -> Iterator[Samples]:
        """The pieces, each at most some seconds long.

        Raises: MediaError when there was sound and none could be mixed to one channel.
        """
        for sound in sounds:
            if self._run is None and self._laid == 0:
                self.origin = min(Fraction(0), sound.start)
            if self._run is None or not self._run.continued_by(sound):
                if not self._plausible(sound):
                    continue
                yield from self._end_run()
                yield from self._begin_run(sound)
            yield from self._lay(self._mix(sound))
        yield from self._end_run()
        if self._unmixed and not self._mixed:
            raise MediaError(f"The sound cannot be mixed to one channel: {self._unmixed}.")

    def _mix(self, sound: Sound) -> list[Samples]:
        """What the run makes of it; nothing of a layout that cannot be mixed, as 45 channels."""
        if self._run is None:
            return []
        try:
            made = self._run.resample(sound.picture)
        except UNREADABLE as error:
            self._unmixed = f"{sound.picture.layout.name}, {reason(error)}"
            self._damages.note(sound.start, f"sound cannot be mixed: {self._unmixed}")
            self._run = None
            return []
        self._mixed = True
        return made

    def _plausible(self, sound: Sound) -> bool:
        end = self.origin + Fraction(self._laid, RATE)
        if sound.start - end > LONGEST_SHOWN_SECONDS:
            self._damages.note(end, "the sound after it has an implausible time stamp")
            return False
        if sound.start + sound.duration <= end - LONGEST_SHOWN_SECONDS:
            self._damages.note(sound.start, "the sound is earlier than the sound before it")
            return False
        return True

    def _begin_run(self, sound: Sound) -> Iterator[Samples]:
        self._run = _Run(sound)
        missing = round((sound.start - self.origin) * RATE) - self._laid
        self._skip = max(0, -missing)
        while missing > 0:
            piece = np.zeros(min(missing, SILENCE_PIECE), np.float32)
            missing -= len(piece)
            self._laid += len(piece)
            yield piece

    def _end_run(self) -> Iterator[Samples]:
        if self._run is not None:
            yield from self._lay(self._run.resample(None))

    def _lay(self, pieces: Iterable[Samples]) -> Iterator[Samples]:
        for piece in pieces:
            kept = piece[self._skip :]
            self._skip -= len(piece) - len(kept)
            self._laid += len(kept)
            if len(kept):
                yield kept


class _Run:
    """Sound without a hole, in one format, through one resampler."""

    def __init__(self, first: Sound) -> None:
        self._start = first.start
        self._format = _format(first.picture)
        self._samples = 0
        self._resampler = AudioResampler(format="flt", layout="mono", rate=RATE, options=MIXING)

    def continued_by(self, sound: Sound) -> bool:
        """Whether the sound begins where the run stands, and is like it."""
        expected = self._start + Fraction(self._samples, self._format[2])
        apart = abs(sound.start - expected)
        return apart <= TOLERANCE_SECONDS and _format(sound.picture) == self._format

    def resample(self, frame: AudioFrame | None) -> list[Samples]:
        """What is complete so far; all that is left for None."""
        if frame is not None:
            self._samples += frame.samples
            frame.pts = None  # the run counts samples; stamps would make the resampler stretch
        made = self._resampler.resample(frame)
        return [m.to_ndarray()[0] for m in made if m is not None]


def _format(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, max(1, frame.sample_rate)
