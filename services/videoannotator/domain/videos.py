"""Videos: stored bytes and what probing them told."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoStream:
    """The picture, as stored."""

    codec: str
    width: int  #: pixels as stored, before rotation
    height: int  #: pixels as stored, before rotation
    rotation: int  #: degrees clockwise to turn the stored picture for display: 0, 90, 180 or 270
    mean_frame_rate: Fraction | None  #: frames per second, exact; None when unknown
    variable_frame_rate: bool
    sample_aspect_ratio: Fraction = Fraction(1)
    start_seconds: float = 0.0  #: presentation time of the first frame
    duration_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStream:
    """The sound, as stored."""

    codec: str
    sample_rate: int  #: samples per second
    channels: int
    layout: str  #: FFmpeg's name, as "stereo" or "5.1"
    start_seconds: float = 0.0
    duration_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a worker found when it opened the file."""

    container: str  #: FFmpeg's name of the format
    duration_seconds: float
    start_seconds: float = 0.0
    video: VideoStream | None = None
    audio: AudioStream | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A stored video. Its bytes are never modified."""

    id: str
    owner_id: str
    group_id: str | None = None
    display_name: str  #: as the user named it; never a path or a key
    key: str  #: where the bytes are
    size_bytes: int
    sha256: str
    created_at: datetime
    probe: Probe | None = None  #: None until a worker has opened it
    delete_requested_at: datetime | None = None
