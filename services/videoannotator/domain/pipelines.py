"""What a pipeline declares, as plain records: read by api, scheduler, inference and docs."""

from dataclasses import dataclass
from enum import StrEnum


class Stability(StrEnum):
    """How far a pipeline can be relied on."""

    STABLE = "stable"
    BETA = "beta"
    EXPERIMENTAL = "experimental"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file that a pipeline writes."""

    name: str  #: the fixed word it is stored under
    public_name: str  #: with `{stem}` for the video's name, as `{stem}_scene_detection.json`
    media_type: str
    format: str  #: as the public server lists it: JSON, COCO, WebVTT, RTTM, CSV, ZIP
    types: tuple[str, ...] = ()  #: what is in it, as "scenes"
    role: str = "result"  #: result | view
    optional: bool = False  #: may be missing from a valid result


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """One file of a result."""

    name: str
    public_name: str
    media_type: str
    role: str
    size_bytes: int
    sha256: str
