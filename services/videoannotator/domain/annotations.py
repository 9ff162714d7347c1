"""Annotations: what pipelines find. Times are presentation times in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A stretch of video between two cuts: [start, end), in seconds and in frames."""

    id: int  #: from 1
    start_seconds: float
    end_seconds: float
    start_frame: int  #: index of its first frame in presentation order
    end_frame: int  #: index of the first frame after it
    score: float | None = None  #: strength of the cut that begins it; None for the first scene
    label: str = "unknown"
    label_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of time: [start, end)."""

    start_seconds: float
    end_seconds: float
    label: str
    score: float | None = None  #: 0 to 1
