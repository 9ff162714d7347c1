"""Parameters: every name, bound and default comes from the pipeline's model."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.pipelines.parameters import config_schema, json_schema, validate
from videoannotator.pipelines.scene_detection.spec import SPEC as SCENES
from videoannotator.pipelines.voice_activity.spec import SPEC as VOICES

SPECS = pytest.mark.parametrize("spec", [SCENES, VOICES], ids=lambda spec: spec.name)


@SPECS
def test_defaults_are_valid_and_complete(spec: PipelineSpec) -> None:
    validated = validate(spec, {}, strict=True)

    assert validated.problems == ()
    assert set(validated.parameters) == set(spec.parameters.model_fields)
    # What the scheduler stores comes back in from the worker.
    assert validate(spec, validated.parameters, strict=True) == validated


@pytest.mark.parametrize(
    ("values", "field", "code", "said"),
    [
        ({"threshold": 1.5}, "voice_activity.threshold", "VALUE_OUT_OF_RANGE", "0.01 to 0.99"),
        ({"threshold": "loud"}, "voice_activity.threshold", "INVALID_TYPE", "default 0.5"),
        ({"threshold": True}, "voice_activity.threshold", "INVALID_TYPE", "0.01 to 0.99"),
        ({"threshold": float("nan")}, "voice_activity.threshold", "VALUE_OUT_OF_RANGE", "0.01"),
        ({"min_silence_ms": -1}, "voice_activity.min_silence_ms", "VALUE_OUT_OF_RANGE", "60000 ms"),
        ({"min_silence_ms": 1.5}, "voice_activity.min_silence_ms", "INVALID_TYPE", "200 ms"),
        ({"speech_pad_ms": -1}, "voice_activity.speech_pad_ms", "VALUE_OUT_OF_RANGE", "5000 ms"),
        ({"treshold": 0.4}, "voice_activity.treshold", "UNKNOWN_FIELD", "'threshold'"),
        ({"xyz": 1}, "voice_activity.xyz", "UNKNOWN_FIELD", "Known parameters: threshold"),
    ],
)
def test_a_problem_names_field_bounds_and_what_to_do(
    values: dict[str, Any], field: str, code: str, said: str
) -> None:
    validated = validate(VOICES, values, strict=True)

    (problem,) = validated.problems
    assert (problem.field, problem.code) == (field, code)
    assert said in problem.hint
    assert validated.parameters == {}


def test_every_problem_is_told_at_once() -> None:
    values = {"detector": "eyes", "min_scene_seconds": -1, "keyframe_width": 1, "nonsense": 0}

    problems = validate(SCENES, values, strict=True).problems

    assert {problem.field for problem in problems} == {f"scene_detection.{key}" for key in values}


def test_an_unknown_name_is_left_out_for_older_clients() -> None:
    validated = validate(SCENES, {"detektor": "hash", "pps": 1}, strict=False)

    assert validated.ignored == {"detektor": "detector", "pps": ""}
    assert validated.problems == ()
    assert validated.parameters["detector"] == "adaptive"


def test_names_of_the_public_server_are_understood() -> None:
    old = {"threshold": 30.0, "min_scene_length": 2.0, "keyframe_extraction": "first"}

    parameters = validate(SCENES, old, strict=True).parameters

    assert parameters["min_scene_seconds"] == 2.0
    assert parameters["keyframes"] == "first"
    # A threshold alone meant the one detector there was.
    assert (parameters["detector"], parameters["threshold"]) == ("content", 30.0)


@pytest.mark.parametrize(
    "asked",
    [
        {"labels": True},
        {"enable_clip_labels": True},
        {"prompts": ["kitchen"]},
        {"scene_prompts": ["kitchen", "garden"]},
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_labels_are_refused_with_the_reason(asked: dict[str, Any], strict: bool) -> None:
    (problem,) = validate(SCENES, asked, strict=strict).problems

    assert "not available" in problem.message
    assert "open_clip" in problem.hint


@pytest.mark.parametrize(
    ("detector", "threshold", "bounds"),
    [("hash", 1.5, "0.0 to 1.0"), ("histogram", 2, "0.0 to 1.0"), ("adaptive", 0.5, "1.0 to 255")],
)
def test_a_threshold_must_fit_its_detector(detector: str, threshold: float, bounds: str) -> None:
    values = {"threshold": threshold, "detector": detector}

    (problem,) = validate(SCENES, values, strict=True).problems

    assert problem.field == "scene_detection.threshold"
    assert problem.code == "VALUE_OUT_OF_RANGE"
    assert bounds in problem.hint


@SPECS
def test_the_json_schema_accepts_the_defaults_and_refuses_strangers(spec: PipelineSpec) -> None:
    schema = json_schema(spec)
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.validate(validate(spec, {}, strict=True).parameters, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"stranger": 1}, schema)


@SPECS
def test_the_public_servers_schema_describes_every_field(spec: PipelineSpec) -> None:
    described = config_schema(spec)

    assert list(described) == list(spec.parameters.model_fields)
    for field in described.values():
        assert field["description"]
        assert field["type"] in {"string", "integer", "float", "boolean", "array"}


def test_bounds_and_units_are_in_the_public_servers_schema() -> None:
    assert config_schema(VOICES)["min_silence_ms"] == {
        "type": "integer",
        "default": 200,
        "description": "A shorter pause does not end a segment.",
        "minimum": 0,
        "maximum": 60_000,
        "unit": "ms",
    }
    assert config_schema(SCENES)["detector"]["enum"][0] == "adaptive"
    assert config_schema(SCENES)["threshold"]["type"] == "float"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    values=st.dictionaries(
        st.sampled_from([*SCENES.parameters.model_fields, "scene_prompts", "x", ""]), JSON
    ),
    strict=st.booleans(),
)
def test_no_input_breaks_the_check(values: dict[str, Any], strict: bool) -> None:
    validated = validate(SCENES, values, strict=strict)

    assert bool(validated.problems) != bool(validated.parameters)
    for problem in validated.problems:
        assert problem.field is not None
        assert problem.field.startswith("scene_detection.")
