"""Scenes as JSON, for programs and for the public viewer."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from videoannotator.domain.annotations import Scene
from videoannotator.formats.scenes import JSON_SCHEMA, ShownScene, write_scenes_json

FIRST = Scene(id=1, start_seconds=0.0, end_seconds=1.0010004, start_frame=0, end_frame=30)
SECOND = Scene(
    id=2, start_seconds=1.0010004, end_seconds=2.5, start_frame=30, end_frame=75, score=0.43219
)


def written(folder: Path, *scenes: ShownScene, info: dict[str, Any] | None = None) -> Any:
    path = folder / "scenes.json"
    write_scenes_json(path, scenes, video_id="v-1", info=info or {})
    return json.loads(path.read_text())


def shown(scene: Scene, **fields: Any) -> ShownScene:
    return ShownScene(scene=scene, frame=scene.start_frame, timestamp_seconds=0.5, **fields)


def test_the_file_follows_its_schema(tmp_path: Path) -> None:
    found = written(tmp_path, shown(FIRST), shown(SECOND, picture="scene_0002.jpg"))

    jsonschema.validate(found, JSON_SCHEMA)
    assert found["scenes"][1] == {
        "id": 2,
        "start_time": 1.001,
        "end_time": 2.5,
        "duration": 1.499,
        "frame_start": 30,
        "frame_end": 75,
        "scene_type": "unknown",
        "all_scores": {},
        "video_id": "v-1",
        "image_id": "v-1_frame_000030",
        "timestamp": 0.5,
        "score": 0.4322,
        "keyframe": "scene_0002.jpg",
    }


def test_scenes_meet_after_rounding_too(tmp_path: Path) -> None:
    first, second = written(tmp_path, shown(FIRST), shown(SECOND))["scenes"]

    assert first["end_time"] == second["start_time"]


def test_what_is_not_known_is_left_out_because_the_viewer_takes_no_null(tmp_path: Path) -> None:
    (scene,) = written(tmp_path, shown(FIRST))["scenes"]

    assert not {"score", "keyframe"} & set(scene)


def test_a_score_of_zero_is_kept(tmp_path: Path) -> None:
    zero = Scene(id=1, start_seconds=0.0, end_seconds=1.0, start_frame=0, end_frame=1, score=0.0)

    assert written(tmp_path, shown(zero))["scenes"][0]["score"] == 0.0


def test_the_viewer_knows_the_file_whatever_stands_in_its_head(tmp_path: Path) -> None:
    found = written(tmp_path, shown(FIRST), info={"warnings": ["damaged"] * 2000})

    text = (tmp_path / "scenes.json").read_text()
    assert '"scene_type"' in text[:5000]
    assert not {"annotations", "results"} & set(found)


@pytest.mark.parametrize("duration", [0, -1])
def test_the_schema_refuses_a_scene_without_duration(duration: int, tmp_path: Path) -> None:
    found = written(tmp_path, shown(FIRST))
    found["scenes"][0]["duration"] = duration

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, JSON_SCHEMA)
