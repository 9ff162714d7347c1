"""Whether a command for a cluster, as the documentation has it, would be understood."""

import re
from functools import cache
from itertools import pairwise
from typing import Any

import yaml

from tests.architecture.source import ROOT
from videoannotator.scheduler.launchers.kubernetes import names

CHART = ROOT / "charts" / "videoannotator"
NAMESPACED = {"--namespace", "--selector", "--output", "--field-selector", "--watch"}
#: What the documentation may ask of kubectl, and with which options.
KUBECTL: dict[str, set[str]] = {
    "annotate": {"--namespace", "--overwrite"},
    "apply": {"--namespace", "--filename"},
    "auth": {"--namespace", "--as", "--list"},
    "cordon": set(),
    "create": {"--namespace", "--from-file", "--from-literal", "--filename"},
    "delete": {"--namespace", "--selector", "--filename", "--wait"},
    "describe": {"--namespace", "--selector"},
    "drain": {"--ignore-daemonsets", "--delete-emptydir-data"},
    "exec": {"--namespace"},
    "get": {*NAMESPACED, "--all-namespaces", "--sort-by"},
    "label": {"--namespace", "--overwrite"},
    "logs": {"--namespace", "--selector", "--container", "--tail", "--previous", "--since"},
    "port-forward": {"--namespace"},
    "rollout": {"--namespace", "--selector"},
    "top": {"--namespace", "--selector"},
    "uncordon": set(),
    "wait": {"--namespace", "--for", "--selector", "--timeout"},
}
INSTALLING = {"--namespace", "--values", "--set", "--wait", "--timeout", "--create-namespace"}
HELM: dict[str, set[str]] = {
    "get": {"--namespace"},
    "history": {"--namespace"},
    "install": INSTALLING,
    "lint": {"--strict", "--values"},
    "package": {"--destination"},
    "rollback": {"--namespace", "--wait"},
    "status": {"--namespace"},
    "template": {*INSTALLING, "--api-versions"},
    "test": {"--namespace", "--logs"},
    "uninstall": {"--namespace", "--wait"},
    "upgrade": {*INSTALLING, "--install", "--reuse-values", "--reset-values"},
}
OUR_LABELS = {
    value
    for value in vars(names).values()
    if isinstance(value, str) and "/" in value and not value.endswith("/")
}
#: Of Kubernetes, and of those who work with it.
OTHER_LABELS = {"app.kubernetes.io/version", "pod-security.kubernetes.io/enforce"}


def check_kubectl(words: list[str]) -> None:
    """Raises: AssertionError for a verb, an option, a label or a file that is unknown."""
    verb = words[1]
    assert verb in KUBECTL, f"kubectl {verb} is not among what the documentation may ask for"
    _check_options(words, KUBECTL[verb])
    for key in re.findall(r"[\w.-]+/[\w.-]+(?==)", " ".join(words)):
        assert key in OUR_LABELS | OTHER_LABELS, f"no such label: {key}"
    for file in _values_of(words, "--filename"):
        assert (ROOT / file).is_file(), f"no such file: {file}"


def check_helm(words: list[str]) -> None:
    """Raises: AssertionError for a verb, an option, a chart or a value that is unknown."""
    verb = words[1]
    assert verb in HELM, f"helm {verb} is not among what the documentation may ask for"
    _check_options(words, HELM[verb])
    for chart in [word for word in words if word.startswith("charts/")]:
        assert (ROOT / chart / "Chart.yaml").is_file(), f"no such chart: {chart}"
    for given in _values_of(words, "--set"):
        name = given.split("=")[0]
        assert is_value(name), f"the chart has no value {name}"


@cache
def values() -> Any:
    """The chart's own values."""
    return yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def is_value(name: str) -> bool:
    """Whether the chart has a value of this name, as `scheduler.maxWorkers`."""
    found = values()
    for step in name.split("."):
        if not isinstance(found, dict) or step not in found:
            return False
        found = found[step]
    return True


def _check_options(words: list[str], known: set[str]) -> None:
    end = words.index("|") if "|" in words else len(words)
    given = {word.split("=")[0] for word in words[:end] if word.startswith("-") and word != "--"}
    assert given <= known, f"no such option: {given - known}; long names are used"


def _values_of(words: list[str], option: str) -> list[str]:
    """What is given to an option, as `--option value` or `--option=value`."""
    apart = [after for word, after in pairwise(words) if word == option]
    return apart + [word.split("=", 1)[1] for word in words if word.startswith(f"{option}=")]
