"""The catalogue: what is known, what can run, in words that help."""

from dataclasses import replace

import pytest

from videoannotator.domain.errors import PipelineNotFound, PipelineUnavailable
from videoannotator.pipelines.catalogue import Catalogue, Readiness, implementation
from videoannotator.pipelines.interface import Parameters, PipelineSpec

SPEC = PipelineSpec(
    name="gaze",
    display_name="Gaze",
    description="Where somebody looks.",
    version="1",
    parameters=Parameters,
    outputs=(),
    implementation="collections:OrderedDict",
    requires=("json",),
    extra="gaze",
)


def test_our_pipelines_are_found_by_their_entry_points() -> None:
    catalogue = Catalogue.load()

    assert {"scene_detection", "voice_activity"} <= {spec.name for spec in catalogue.listed()}
    assert catalogue.get("voice_activity").outputs[0].public_name == "{stem}_voice_activity.json"


def test_an_unknown_pipeline_is_answered_with_the_nearest_and_the_known_ones() -> None:
    with pytest.raises(PipelineNotFound, match="scene_detektion") as caught:
        Catalogue.load().get("scene_detektion")

    assert "Did you mean 'scene_detection'?" in caught.value.hint
    assert "voice_activity" in caught.value.hint


def test_an_internal_pipeline_can_run_but_is_not_listed() -> None:
    catalogue = Catalogue({"gaze": replace(SPEC, listed=False)})

    assert catalogue.listed() == ()
    assert catalogue.require("gaze").name == "gaze"


def test_a_pipeline_without_its_library_says_which_command_brings_it() -> None:
    catalogue = Catalogue({"gaze": replace(SPEC, requires=("json", "no_such_library"))})

    available = catalogue.availability("gaze")

    assert available.state is Readiness.MISSING_PART
    assert "no_such_library" in available.reason
    assert available.command == "pip install 'videoannotator[gaze]'"
    with pytest.raises(PipelineUnavailable) as caught:
        catalogue.require("gaze")
    assert available.command in caught.value.hint


def test_every_pipeline_of_ours_is_available_here() -> None:
    catalogue = Catalogue.load()

    for spec in catalogue.listed():
        assert catalogue.availability(spec.name).state is Readiness.AVAILABLE


@pytest.mark.parametrize("place", ["no_such_module:X", "json.no_such_module:X"])
def test_an_engine_that_cannot_be_imported_is_unavailable(place: str) -> None:
    with pytest.raises(PipelineUnavailable, match="gaze"):
        implementation(replace(SPEC, implementation=place))
