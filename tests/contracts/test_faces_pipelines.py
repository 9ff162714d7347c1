"""Pipelines and the check of parameters, over REST and over gRPC: for everybody."""

from typing import Any

import pytest

from tests.fakes.faces import Face, Refused

#: What REST has for clients of version 1 alone.
REST_ONLY = {"config_schema", "examples"}


@pytest.mark.parametrize("secret", [None, "va_wrong"])
async def test_pipelines_are_told_to_everybody(face: Face, secret: str | None) -> None:
    stranger = face.of(secret)

    pipelines = await stranger.pipelines()
    one = await stranger.pipeline("face_analysis")

    assert [each["name"] for each in pipelines] == [
        "face_analysis",
        "scene_detection",
        "voice_activity",
    ]
    assert one == pipelines[0]
    assert (one["enabled"], one["availability"]["state"]) == (False, "missing_part")
    assert "pip install" in one["availability"]["command"]
    assert one["json_schema"]["properties"]["threshold"]["maximum"] == 100
    assert one["outputs"][0]["name"] == "{stem}_face_analysis.json"
    assert one["stability"] == "stable"


@pytest.mark.parametrize("name", ["scene_detecton", "\x00", "x" * 5000])
async def test_an_unknown_pipeline_is_not_there(face: Face, kind: str, name: str) -> None:
    name = name.replace("\x00", "%00") if kind == "rest" else name
    with pytest.raises(Refused) as caught:
        await face.pipeline(name)

    assert caught.value.code == "PIPELINE_NOT_FOUND"
    assert "Known pipelines: face_analysis, scene_detection, voice_activity" in caught.value.hint


@pytest.mark.parametrize(
    ("config", "asked", "errors", "warnings", "validated"),
    [
        ({"threshold": 9}, {"pipeline": "scene_detection"}, [], [], ["scene_detection"]),
        (
            {"threshold": 900, "treshold": 1},
            {"pipeline": "scene_detection"},
            [("scene_detection.threshold", "VALUE_OUT_OF_RANGE")],
            [("scene_detection.treshold", "Did you mean 'threshold'?")],
            ["scene_detection"],
        ),
        (
            {"scene_detection": {"threshold": "x"}},
            {},
            [("scene_detection.threshold", "INVALID_TYPE")],
            [],
            ["scene_detection"],
        ),
        ({}, {}, [], [], []),
        ({}, {"selected": ["nope"]}, [("nope", "PIPELINE_NOT_FOUND")], [], ["nope"]),
        (
            {},
            {"selected": ["face"]},
            [("face_analysis", "PIPELINE_UNAVAILABLE")],
            [],
            ["face"],
        ),
    ],
)
async def test_a_configuration_is_checked_for_everybody(
    face: Face,
    config: dict[str, Any],
    asked: dict[str, Any],
    errors: list[tuple[str, str]],
    warnings: list[tuple[str, str]],
    validated: list[str],
) -> None:
    found = await face.of(None).validate(config, **asked)

    assert [(each["field"], each["code"]) for each in found["errors"]] == errors
    assert [(each["field"], each["suggestion"]) for each in found["warnings"]] == warnings
    assert found["pipelines_validated"] == validated
    assert found["valid"] is not bool(errors)
    assert found["message"]


async def test_parameters_of_an_unknown_pipeline_cannot_be_checked(face: Face) -> None:
    with pytest.raises(Refused) as caught:
        await face.validate({}, pipeline="nope")

    assert caught.value.code == "PIPELINE_NOT_FOUND"
