"""What the guides for clusters say of values and failures is what chart and program have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.architecture.cluster_commands import (
    CHART,
    check_helm,
    check_kubectl,
    is_value,
    values,
)
from tests.architecture.source import ROOT
from videoannotator.domain.failures import Code

GUIDES = [
    ROOT / "docs" / "guides" / f"{name}.md"
    for name in (
        "back-up-and-restore",
        "install-on-a-cluster",
        "run-without-the-internet",
        "share-gpus",
        "troubleshoot-a-cluster",
        "upgrade-a-cluster",
    )
]
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)
NAMED = re.compile(r"`([a-zA-Z]+(?:\.[a-zA-Z0-9]+)+)`")
#: Words of the guides that look like values and are none.
NO_VALUES = {"error.code", "requests.nvidia.com", "site.yaml", "limits.cpu"}
#: How names of variables end, which are written in capitals too.
VARIABLES = ("_IMAGE", "_TAG", "_SOURCE", "_PREFIX", "_INDEX", "_URL", "_PROXY", "_SERVER")


def files_of_values() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every example of a file of values."""
    for guide in GUIDES:
        for block in YAML.findall(guide.read_text(encoding="utf-8")):
            content = yaml.safe_load(block)
            if "apiVersion" not in content:
                yield guide.name, content


def named_values() -> list[tuple[str, str]]:
    """Every value that a guide names in its text."""
    return sorted(
        {
            (guide.name, name)
            for guide in GUIDES
            for name in NAMED.findall(guide.read_text(encoding="utf-8"))
            if name.split(".")[0] in values() and name not in NO_VALUES
        }
    )


@pytest.mark.parametrize(("guide", "content"), list(files_of_values()))
def test_the_chart_accepts_values_as_the_guides_have_them(
    guide: str, content: dict[str, Any]
) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    jsonschema.validate(merged(values(), content), schema)


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Values as helm merges them."""
    both = {
        name: merged(below[name], value)
        if isinstance(value, dict) and isinstance(below.get(name), dict)
        else value
        for name, value in above.items()
    }
    return {**below, **both}


@pytest.mark.parametrize(("guide", "name"), named_values())
def test_the_chart_has_the_values_that_the_guides_name(guide: str, name: str) -> None:
    assert is_value(name)


def test_the_guides_name_values() -> None:
    assert len(named_values()) > 10
    assert len(list(files_of_values())) > 5


def test_every_failure_is_in_the_guide_for_its_operator() -> None:
    guide = ROOT / "docs" / "guides" / "troubleshoot-a-cluster.md"

    explained = CODE.findall(guide.read_text(encoding="utf-8"))

    assert explained == [code.value for code in Code]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_guide_names_no_failure_that_there_is_not(guide: Path) -> None:
    shouted = re.findall(r"`([A-Z]+_[A-Z_]+)`", guide.read_text(encoding="utf-8"))
    variables = {name for name in shouted if name.endswith(VARIABLES)}

    assert set(shouted) - variables <= {code.value for code in Code}


@pytest.mark.parametrize(
    "command",
    [
        "kubectl",
        "kubectl edit role",
        "kubectl get pods -n va",
        "kubectl get pods --selector videoannotator.io/jobs=1",
        "kubectl get pods --colour",
        "kubectl apply --filename k8s/none.yaml",
        "kubectl delete pod POD --force",
    ],
)
def test_a_question_to_kubectl_that_is_wrong_is_found_out(command: str) -> None:
    with pytest.raises((AssertionError, IndexError)):
        check_kubectl(command.split())


@pytest.mark.parametrize(
    "command",
    [
        "helm remove va",
        "helm install va charts/annotator",
        "helm upgrade va charts/videoannotator --set scheduler.workers=2",
        "helm install va charts/videoannotator --colour",
    ],
)
def test_a_call_of_helm_that_is_wrong_is_found_out(command: str) -> None:
    with pytest.raises(AssertionError):
        check_helm(command.split())
