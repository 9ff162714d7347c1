"""PySceneDetect's detectors, fed with our frames and their exact presentation times."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.common import Timecode
from scenedetect.detector import SceneDetector
from scenedetect.detectors import (
    AdaptiveDetector,
    ContentDetector,
    HashDetector,
    HistogramDetector,
    ThresholdDetector,
)

from videoannotator.pipelines.scene_detection.cuts import Cut
from videoannotator.pipelines.scene_detection.spec import THRESHOLDS, SceneDetectionParameters

TICKS_PER_SECOND = 1_000_000  #: in which times are given to the detectors
TICK = Fraction(1, TICKS_PER_SECOND)
# Only the threshold detector counts frames, and its result is a frame number: any rate will do.
ANY_RATE = Fraction(25)
LARGEST_CHANGE = 255.0  #: of colour, in the content detectors' scale

Image = NDArray[np.uint8]
Build = Callable[[float, SceneDetectionParameters], SceneDetector]

BUILD: Mapping[str, Build] = {
    "adaptive": lambda threshold, wanted: AdaptiveDetector(
        adaptive_threshold=threshold,
        min_scene_len=wanted.min_scene_seconds,
        window_width=wanted.window_frames,
        min_content_val=wanted.min_content,
    ),
    "content": lambda threshold, wanted: ContentDetector(
        threshold=threshold, min_scene_len=wanted.min_scene_seconds
    ),
    "hash": lambda threshold, wanted: HashDetector(
        threshold=threshold, min_scene_len=wanted.min_scene_seconds
    ),
    "histogram": lambda threshold, wanted: HistogramDetector(
        threshold=threshold, min_scene_len=wanted.min_scene_seconds
    ),
    # It puts a cut midway in a fade by counting frames; short scenes are merged afterwards.
    "threshold": lambda threshold, wanted: ThresholdDetector(threshold=threshold, min_scene_len=0),
}


class Watcher:
    """Takes frame after frame; holds the time and the change of each, and no picture."""

    def __init__(self, parameters: SceneDetectionParameters) -> None:
        """Makes the detector that the parameters name."""
        self.threshold = threshold_of(parameters)
        self.times = array("d")  #: seconds, of every frame
        self._by_number = parameters.detector == "threshold"
        self._detector = BUILD[parameters.detector](self.threshold, parameters)
        self._change: Callable[[], float | None] = self._change_of(parameters.detector)
        self._changes = array("f")  #: 0 to 1, of every frame against the one before
        self._metrics = Metrics()
        if parameters.detector in {"hash", "histogram"}:
            self._detector.stats_manager = self._metrics
        self._found: list[FrameTimecode] = []

    def see(self, seconds: float, image: Image) -> None:
        """Takes the next frame: RGB, uint8, (height, width, 3)."""
        self.times.append(seconds)
        blue_green_red = np.ascontiguousarray(image[:, :, ::-1])
        self._found += self._detector.process_frame(self._timecode(), blue_green_red)
        change = self._change()
        self._changes.append(-1.0 if change is None else change)

    def finish(self) -> list[Cut]:
        """Every cut that was found."""
        if self.times:
            self._found += self._detector.post_process(self._timecode())
        return [self._cut(found) for found in self._found]

    def _timecode(self) -> FrameTimecode:
        if self._by_number:
            return FrameTimecode(len(self.times) - 1, ANY_RATE)
        ticks = round((self.times[-1] - self.times[0]) * TICKS_PER_SECOND)
        return FrameTimecode(Timecode(pts=ticks, time_base=TICK), ANY_RATE)

    def _cut(self, found: FrameTimecode) -> Cut:
        frame = found.frame_num if self._by_number else self._frame_at(found.pts)
        change = self._changes[frame]
        return Cut(frame, None if change < 0 else min(change, 1.0))

    def _frame_at(self, ticks: int) -> int:
        seconds = self.times[0] + (ticks - 0.5) / TICKS_PER_SECOND
        return min(bisect_left(self.times, seconds), len(self.times) - 1)

    def _change_of(self, detector: str) -> Callable[[], float | None]:
        return {
            "hash": lambda: self._metrics.latest,
            "histogram": lambda: 1.0 - self._metrics.latest,
            "threshold": lambda: None,
        }.get(detector, lambda: (self._detector._frame_score or 0.0) / LARGEST_CHANGE)


class Metrics:
    """Takes what a detector measured; stands in for its table of all frames, and holds one."""

    latest = 0.0

    def set_metrics(self, timecode: FrameTimecode, metrics: Mapping[str, Any]) -> None:
        """Called once a frame by the detector."""
        self.latest = float(next(iter(metrics.values())))

    def metrics_exist(self, timecode: FrameTimecode, names: Iterable[str]) -> bool:
        """Nothing is known before it was measured."""
        return False


def threshold_of(parameters: SceneDetectionParameters) -> float:
    """The threshold asked for, or the detector's own."""
    if parameters.threshold is not None:
        return parameters.threshold
    return THRESHOLDS[parameters.detector].default
