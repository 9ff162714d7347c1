"""What the chart makes of three files of values is kept, so that a change of it is seen."""

import pytest

from tests.chart.golden import FOLDER, golden
from tests.chart.rendering import CHART, SITES, of_kind, site
from videoannotator import __version__


@pytest.mark.parametrize("name", SITES)
def test_the_chart_renders_as_it_did(name: str) -> None:
    kept = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")

    assert golden(name) == kept, "write it again with: make chart-golden, and read the difference"


@pytest.mark.parametrize("name", SITES)
def test_every_object_is_in_the_namespace(name: str) -> None:
    objects = site(name)

    foreign = [each for each in objects if "namespace" in each["metadata"]]
    assert foreign == []  # helm says where; a name here would be another place
    assert not [each for each in objects if each["kind"].startswith("Cluster")]


@pytest.mark.parametrize("name", SITES)
def test_no_two_objects_have_one_name(name: str) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in site(name)]

    assert len(names) == len(set(names))


def test_chart_and_program_have_one_version() -> None:
    chart = (CHART / "Chart.yaml").read_text(encoding="utf-8")

    assert f"\nversion: {__version__}\n" in chart
    assert f"\nappVersion: {__version__}\n" in chart


def test_values_are_documented_and_short_enough_to_read() -> None:
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()

    assert len(lines) < 400
    assert sum(line.lstrip().startswith("#") for line in lines) > 60


def test_autoscaling_leaves_the_number_of_pods_to_the_autoscaler() -> None:
    objects = site("production-s3")

    (api,) = [each for each in of_kind(objects, "Deployment") if "api" in each["metadata"]["name"]]
    assert "replicas" not in api["spec"]
    assert of_kind(objects, "HorizontalPodAutoscaler")


def test_a_single_pod_has_no_budget_that_would_keep_it_for_ever() -> None:
    objects = site("test", "api.replicas=1", "scheduler.replicas=1")

    assert of_kind(objects, "PodDisruptionBudget") == []
