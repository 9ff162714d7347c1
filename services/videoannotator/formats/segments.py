"""Segments of time as JSON and CSV."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from videoannotator.domain.annotations import Segment
from videoannotator.formats.json_stream import write_rows
from videoannotator.formats.manifest import storage_errors

SCHEMA = "videoannotator.segments/1"
COLUMNS = ("start_seconds", "end_seconds", "duration_seconds", "label", "score")

JSON_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Segments of time, [start, end), in seconds of presentation time",
    "type": "object",
    "required": ["schema", "info", "segments"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": SCHEMA},
        "info": {"type": "object"},
        "segments": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["start_seconds", "end_seconds", "duration_seconds", "label"],
                "additionalProperties": False,
                "properties": {
                    "start_seconds": {"type": "number"},
                    "end_seconds": {"type": "number"},
                    "duration_seconds": {"type": "number", "minimum": 0},
                    "label": {"type": "string", "minLength": 1},
                    "score": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
                },
            },
        },
    },
}


def write_segments_json(path: Path, segments: Iterable[Segment], info: Mapping[str, Any]) -> None:
    """Writes segments as they come; `info` says what they are of. Raises: StorageError."""
    write_rows(path, {"schema": SCHEMA, "info": dict(info)}, "segments", map(_row, segments))


def write_segments_csv(path: Path, segments: Iterable[Segment]) -> None:
    """Writes segments as CSV (RFC 4180, UTF-8), one a line. Raises: StorageError."""
    with storage_errors(), path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(map(_row, segments))


def _row(segment: Segment) -> dict[str, Any]:
    """Times to the millisecond, scores to four places: more would be noise."""
    start, end = round(segment.start_seconds, 3), round(segment.end_seconds, 3)
    score = None if segment.score is None else round(segment.score, 4)
    return {
        "start_seconds": start,
        "end_seconds": end,
        "duration_seconds": round(end - start, 3),
        "label": segment.label,
        "score": score,
    }
