"""Scenes as JSON, in a form that the public viewer shows too."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videoannotator.domain.annotations import Scene
from videoannotator.formats.json_stream import write_rows

SCHEMA = "videoannotator.scenes/1"

_SCENE_PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer", "minimum": 1},
    "start_time": {"type": "number", "description": "seconds; part of the scene"},
    "end_time": {"type": "number", "description": "seconds; the first instant after the scene"},
    "duration": {"type": "number", "exclusiveMinimum": 0},
    "frame_start": {"type": "integer", "minimum": 0},
    "frame_end": {"type": "integer", "minimum": 1, "description": "first frame after the scene"},
    "scene_type": {"type": "string", "description": "what it shows; unknown without labels"},
    "all_scores": {"type": "object", "additionalProperties": {"type": "number"}},
    "score": {"type": "number", "minimum": 0, "maximum": 1, "description": "strength of its cut"},
    "video_id": {"type": "string"},
    "image_id": {"type": "string"},
    "timestamp": {"type": "number", "description": "of the frame that stands for it"},
    "keyframe": {"type": "string", "description": "name of its picture in the ZIP"},
}
_NOT_ALWAYS = {"score", "keyframe"}

JSON_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Scenes of a video: [start, end), without gap or overlap",
    "type": "object",
    "required": ["schema", "scenes", "info"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": SCHEMA},
        "scenes": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": [name for name in _SCENE_PROPERTIES if name not in _NOT_ALWAYS],
                "additionalProperties": False,
                "properties": _SCENE_PROPERTIES,
            },
        },
        "info": {"type": "object"},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownScene:
    """A scene, and the frame that stands for it."""

    scene: Scene
    frame: int  #: index of that frame
    timestamp_seconds: float  #: when it is shown
    picture: str | None = None  #: its name in the ZIP of pictures


def write_scenes_json(
    path: Path, scenes: Iterable[ShownScene], *, video_id: str, info: Mapping[str, Any]
) -> None:
    """Writes scenes as they come. Raises: StorageError.

    The viewer knows the file by `scene_type` among its first 5,000 characters, so `info`, which
    may be long, comes last.
    """
    rows = (_row(scene, video_id) for scene in scenes)
    write_rows(path, {"schema": SCHEMA}, "scenes", rows, after={"info": dict(info)})


def _row(shown: ShownScene, video_id: str) -> dict[str, Any]:
    """Times to the microsecond, that a frame can be found by them again; scores to four places."""
    scene = shown.scene
    start, end = round(scene.start_seconds, 6), round(scene.end_seconds, 6)
    row = {
        "id": scene.id,
        "start_time": start,
        "end_time": end,
        "duration": round(end - start, 6),
        "frame_start": scene.start_frame,
        "frame_end": scene.end_frame,
        "scene_type": scene.label,
        "all_scores": {},
        "video_id": video_id,
        "image_id": f"{video_id}_frame_{shown.frame:06d}",
        "timestamp": round(shown.timestamp_seconds, 6),
    }
    # The viewer takes a missing score, but no null.
    optional = {"score": scene.score and round(scene.score, 4), "keyframe": shown.picture}
    return row | {key: value for key, value in optional.items() if value is not None}
