"""Segments as JSON and CSV."""

import csv
import json
from pathlib import Path

import jsonschema
import pytest

from videoannotator.domain.annotations import Segment
from videoannotator.domain.errors import StorageError
from videoannotator.formats.segments import (
    COLUMNS,
    JSON_SCHEMA,
    write_segments_csv,
    write_segments_json,
)

SEGMENTS = [
    Segment(start_seconds=-0.02, end_seconds=1.23456, label="speech", score=0.98765),
    Segment(start_seconds=360_000.0, end_seconds=360_001.5, label='Müller, "B"\nzwei'),
]


def test_json_holds_the_rounded_segments(tmp_path: Path) -> None:
    write_segments_json(tmp_path / "a.json", SEGMENTS, {"pipeline": "x"})

    written = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    jsonschema.validate(written, JSON_SCHEMA)
    assert written["info"] == {"pipeline": "x"}
    assert written["segments"][0] == {
        "start_seconds": -0.02,
        "end_seconds": 1.235,
        "duration_seconds": 1.255,
        "label": "speech",
        "score": 0.9877,
    }
    assert written["segments"][1]["score"] is None


def test_csv_is_read_back_with_commas_quotes_and_lines(tmp_path: Path) -> None:
    write_segments_csv(tmp_path / "a.csv", SEGMENTS)

    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [row["label"] for row in rows] == [each.label for each in SEGMENTS]
    assert rows[1]["start_seconds"] == "360000.0"
    assert rows[1]["score"] == ""


def test_no_segments_are_a_valid_file(tmp_path: Path) -> None:
    write_segments_json(tmp_path / "a.json", [], {})
    write_segments_csv(tmp_path / "a.csv", [])

    jsonschema.validate(json.loads((tmp_path / "a.json").read_text()), JSON_SCHEMA)
    assert (tmp_path / "a.csv").read_text().splitlines() == [",".join(COLUMNS)]


def test_segments_are_written_as_they_come(tmp_path: Path) -> None:
    taken = []

    def come() -> object:
        for segment in SEGMENTS:
            taken.append(segment)
            yield segment

    write_segments_json(tmp_path / "a.json", come(), {})  # type: ignore[arg-type]

    assert taken == SEGMENTS


def test_a_folder_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        write_segments_csv(tmp_path / "gone" / "a.csv", SEGMENTS)
