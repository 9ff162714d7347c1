"""From probabilities to segments: the rules of Silero VAD, one window at a time.

The same arithmetic as `faster_whisper.vad.get_speech_timestamps`, which needs the whole sound at
once; a test holds the two against each other.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

SAMPLE_RATE = 16_000
WINDOW_SAMPLES = 512  #: the model gives one probability for so many samples, 32 ms
# A pause of more than 98 ms is remembered as the place to cut a segment that grows too long.
CUT_PAUSE_SAMPLES = SAMPLE_RATE * 98 / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When speech begins and ends. Lengths in samples at 16 kHz."""

    threshold: float
    end_threshold: float
    min_speech_samples: float
    min_silence_samples: float
    padding_samples: float
    max_speech_samples: float  #: infinite: never cut


class Mark(NamedTuple):
    """A place between two windows."""

    window: int  #: how many windows are before it
    total: float  #: sum of their probabilities

    @property
    def sample(self) -> int:
        """Samples before it."""
        return self.window * WINDOW_SAMPLES


class Speech(NamedTuple):
    """A stretch of speech in samples: [start, end)."""

    start: int
    end: int
    score: float  #: mean probability of speech, 0 to 1


@dataclass(slots=True)
class Segmenter:
    """Takes the probability of window after window; holds the segments found, nothing else."""

    rules: Rules
    _found: list[Speech] = field(default_factory=list)
    _at: Mark = field(default_factory=lambda: Mark(0, 0.0))
    _begin: Mark | None = None  #: of the segment being spoken
    _triggered: bool = False
    _pause: Mark | None = None  #: where the last pause began, while it lasts
    _cut: Mark | None = None  #: where to cut if it grows too long
    _resume: Mark | None = None  #: where speech began again after that cut

    def push(self, probability: float) -> None:
        """Takes the next window."""
        self._decide(probability)
        self._at = Mark(self._at.window + 1, self._at.total + probability)

    def finish(self, total_samples: int) -> list[Speech]:
        """Takes the end of the sound; returns every segment, padded, in order."""
        begin = self._begin
        if begin and total_samples - begin.sample > self.rules.min_speech_samples:
            self._found.append(Speech(begin.sample, total_samples, _mean(begin, self._at)))
        return pad(self._found, self.rules.padding_samples, total_samples)

    def _decide(self, probability: float) -> None:
        spoken = probability >= self.rules.threshold
        if spoken and self._pause is not None:
            self._end_pause()
        if spoken and not self._triggered:
            self._triggered, self._begin = True, self._at
            return
        if self._is_too_long() and not self._cut_here():
            return
        if probability < self.rules.end_threshold and self._triggered:
            self._wait_or_end()

    def _end_pause(self) -> None:
        self._pause = None
        if self._cut is not None and (self._resume is None or self._resume < self._cut):
            self._resume = self._at

    def _is_too_long(self) -> bool:
        return (
            self._triggered
            and self._begin is not None
            and self._at.sample - self._begin.sample > self.rules.max_speech_samples
        )

    def _cut_here(self) -> bool:
        """Ends a segment that is too long; says whether this window is still to be judged."""
        if self._cut is None:
            self._close(self._at)
            self._reset(triggered=False)
            return False
        resume = self._resume if self._resume is not None and self._resume >= self._cut else None
        self._close(self._cut)
        self._reset(triggered=resume is not None)
        self._begin = resume
        return True

    def _wait_or_end(self) -> None:
        if self._pause is None:
            self._pause = self._at
        paused = self._at.sample - self._pause.sample
        if paused > CUT_PAUSE_SAMPLES:
            self._cut = self._pause
        if paused >= self.rules.min_silence_samples:
            self._end(self._pause)

    def _end(self, end: Mark) -> None:
        if self._begin and end.sample - self._begin.sample > self.rules.min_speech_samples:
            self._close(end)
        self._reset(triggered=False)

    def _close(self, end: Mark) -> None:
        if self._begin is not None:
            score = _mean(self._begin, end)
            self._found.append(Speech(self._begin.sample, end.sample, score))

    def _reset(self, *, triggered: bool) -> None:
        self._triggered = triggered
        self._begin = self._pause = self._cut = self._resume = None


def _mean(begin: Mark, end: Mark) -> float:
    return (end.total - begin.total) / max(end.window - begin.window, 1)


def pad(found: list[Speech], padding_samples: float, total_samples: int) -> list[Speech]:
    """Widens segments on both sides; two that would touch share the pause between them."""
    padded = []
    reach = padding_samples  # what may be added before the next segment
    for index, (start, end, score) in enumerate(found):
        last = index == len(found) - 1
        pause = float("inf") if last else found[index + 1].start - end
        after = pause // 2 if pause < 2 * padding_samples else padding_samples
        begin = int(max(0, start - reach))
        padded.append(Speech(begin, int(min(total_samples, end + after)), score))
        reach = after
    return padded
