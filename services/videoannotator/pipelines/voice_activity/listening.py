"""Blocks of sound in, segments in presentation time out; memory is bounded by a block."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from videoannotator.domain.annotations import Segment
from videoannotator.pipelines.voice_activity.segmentation import (
    SAMPLE_RATE,
    WINDOW_SAMPLES,
    Rules,
    Segmenter,
)
from videoannotator.pipelines.voice_activity.silero import Samples

JITTER_SECONDS = WINDOW_SAMPLES / SAMPLE_RATE  #: a smaller step in time is rounding, not a gap
# Over a longer gap no speech goes on, so listening begins anew behind it instead of hearing
# hours of nothing.
LONGEST_SILENCE_SECONDS = 10.0
LABEL = "speech"


class Model(Protocol):
    """What gives probabilities of speech, window after window."""

    def reset(self) -> None:
        """Begins another sound."""

    def probabilities(self, samples: Samples) -> Samples:
        """One for each window of `samples`, in order."""


@dataclass(slots=True)
class Listener:
    """Hears one recording. Blocks must come in order of time."""

    model: Model
    rules: Rules
    _segments: list[Segment] = field(default_factory=list)
    _segmenter: Segmenter | None = None
    _start_seconds: float = 0.0  #: presentation time of the stretch being heard
    _heard: int = 0  #: samples of it that came in
    _rest: Samples = field(default_factory=lambda: np.empty(0, np.float32))

    def hear(self, start_seconds: float, samples: Samples) -> None:
        """Takes a block: float32 mono 16 kHz, beginning at a presentation time."""
        gap = start_seconds - (self._start_seconds + self._heard / SAMPLE_RATE)
        if self._segmenter is None or gap > LONGEST_SILENCE_SECONDS:
            self._begin(start_seconds)
        elif gap > JITTER_SECONDS:
            self._take(np.zeros(round(gap * SAMPLE_RATE), np.float32))
        self._take(samples)

    def finish(self) -> list[Segment]:
        """Takes the end; returns every segment in order."""
        self._end()
        return self._segments

    def _begin(self, start_seconds: float) -> None:
        self._end()
        self.model.reset()
        self._segmenter = Segmenter(self.rules)
        self._start_seconds = start_seconds
        self._heard = 0
        self._rest = self._rest[:0]

    def _take(self, samples: Samples) -> None:
        self._heard += len(samples)
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) - len(joined) % WINDOW_SAMPLES
        self._judge(joined[:whole])
        self._rest = joined[whole:].copy()

    def _judge(self, samples: Samples) -> None:
        if self._segmenter is not None:
            for probability in self.model.probabilities(samples).tolist():
                self._segmenter.push(probability)

    def _end(self) -> None:
        if self._segmenter is None:
            return
        if len(self._rest):
            self._judge(np.pad(self._rest, (0, WINDOW_SAMPLES - len(self._rest))))
        for start, end, score in self._segmenter.finish(self._heard):
            self._segments.append(
                Segment(
                    start_seconds=self._start_seconds + start / SAMPLE_RATE,
                    end_seconds=self._start_seconds + end / SAMPLE_RATE,
                    label=LABEL,
                    score=min(max(score, 0.0), 1.0),
                )
            )
