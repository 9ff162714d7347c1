"""Alerts and dashboards ask for metrics that the program keeps, and each alert has its page."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from reference.metrics import kept
from tests.chart.rendering import CHART, ROOT, Body, of_kind, site, small
from videoannotator.domain.failures import Budget, Code
from videoannotator.domain.jobs import AttemptOutcome, RunState

BOARDS = sorted((CHART / "dashboards").glob("*.json"))
RUNBOOKS = ROOT / "docs" / "guides" / "runbooks"
METRIC = re.compile(r"\b(videoannotator_[a-z0-9_]+)(?:\{([^}]*)\})?")
SELECTOR = re.compile(r'(\w+)(?:=~|!=|!~|=)"([^"]*)"')
BY = re.compile(r"\b(?:by|on) \(([\w, ]*)\)")
#: What Prometheus adds to every sample, and to buckets.
OUTER = {"namespace", "pod", "le"}
KNOWN_VALUES = {
    "code": set(Code),
    "budget": set(Budget),
    "outcome": {*RunState, *AttemptOutcome, "event"},
    "phase": {"queued", "placed", "pulled", "started", "first_result", "teardown"},
}
ALERTS = {
    *("SlotHeldTooLong", "OrphanPod", "RunWithoutPod", "WatchStale", "NoLeader", "QueueAge"),
    *("ImagePullFailing", "GpuDirty", "LaunchErrors", "InfraFailures", "DatabaseDown"),
    *("FailureRate", "RunDuration", "CostPerDay", "StuckJobs"),
}


@cache
def labels_of_metrics() -> dict[str, set[str]]:
    """The labels of each series, by its full name."""
    found = {}
    for metric in kept():
        told = next(iter(metric.describe()))
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
        for ending in endings.get(told.type, ("",)):
            found[told.name + ending] = set(metric._labelnames)
    return found


def rules(objects: list[Body]) -> list[Body]:
    (rule,) = of_kind(objects, "PrometheusRule")
    return [each for group in rule["spec"]["groups"] for each in group["rules"]]


def questions() -> Iterator[tuple[str, str]]:
    """Every expression of alerts and dashboards, with where it stands."""
    for rule in rules(site("production-volume")):
        yield rule["alert"], rule["expr"]
    for path in BOARDS:
        for panel in board(path.name)["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


def board(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "dashboards" / name).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(("place", "expression"), [*questions()])
def test_a_question_is_about_metrics_and_labels_that_there_are(place: str, expression: str) -> None:
    known = labels_of_metrics()
    asked = METRIC.findall(expression)
    own = [name for name, _ in asked if name.startswith("videoannotator_")]

    assert own or "process_" in expression, place
    assert [name for name in own if name not in known] == []
    for name, selectors in asked:
        assert {label for label, _ in SELECTOR.findall(selectors)} <= known[name] | OUTER
    grouped = {one.strip() for group in BY.findall(expression) for one in group.split(",")} - {""}
    assert grouped <= set().union(*(known[name] for name in own)) | OUTER


@pytest.mark.parametrize(("place", "expression"), [*questions()])
def test_a_question_is_about_values_that_there_are(place: str, expression: str) -> None:
    for label, value in SELECTOR.findall(expression):
        if label in KNOWN_VALUES:
            assert set(value.split("|")) <= KNOWN_VALUES[label], place


@pytest.mark.parametrize(("place", "expression"), [*questions()])
def test_a_question_is_about_one_namespace(place: str, expression: str) -> None:
    selectors = [found for _, found in METRIC.findall(expression)]

    assert all("namespace=" in each for each in selectors), place


def test_these_are_the_alerts() -> None:
    assert {rule["alert"] for rule in rules(site("production-volume"))} == ALERTS


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")

    assert pages == ALERTS
    assert [name for name in ALERTS if f"[{name}]({name}.md)" not in index] == []


def test_each_alert_names_its_page_where_the_site_keeps_it() -> None:
    objects = small(
        "monitoring.rules.enabled=true", "monitoring.rules.runbookUrl=https://w.example/r/"
    )

    for rule in rules(objects):
        assert rule["annotations"]["runbook_url"] == f"https://w.example/r/{rule['alert']}.md"
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


@pytest.mark.parametrize(
    ("alert", "value"),
    [
        ("SlotHeldTooLong", "slotHeldSeconds"),
        ("WatchStale", "watchStaleSeconds"),
        ("QueueAge", "queueAgeSeconds"),
        ("LaunchErrors", "launchErrorsPerHour"),
        ("InfraFailures", "infrastructureFailuresPerHour"),
        ("RunDuration", "runSecondsP95"),
        ("CostPerDay", "costPerDay"),
        ("StuckJobs", "stuckJobs"),
    ],
)
def test_a_limit_is_a_value_and_its_page_names_it(alert: str, value: str) -> None:
    objects = small("monitoring.rules.enabled=true", f"monitoring.rules.{value}=4711")

    (changed,) = [rule for rule in rules(objects) if rule["alert"] == alert]

    assert changed["expr"].endswith("> 4711")
    assert f"`monitoring.rules.{value}`" in (RUNBOOKS / f"{alert}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_explains_itself_and_its_panels_lie_side_by_side(path: Any) -> None:
    found = board(path.name)
    places = [panel["gridPos"] for panel in found["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert found["description"]
    assert all(panel["description"] and panel["targets"] for panel in found["panels"])
    assert max(x for x, _ in cells) < 24
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])


def test_dashboards_come_as_configmaps_that_grafana_finds() -> None:
    maps = [
        each
        for each in of_kind(site("production-volume"), "ConfigMap")
        if "dashboard" in each["metadata"]["name"]
    ]

    assert {name for each in maps for name in each["data"]} == {path.name for path in BOARDS}
    for each in maps:
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert all(json.loads(text)["panels"] for text in each["data"].values())


@pytest.mark.parametrize(
    ("scrape", "kind"), [("pods", "PodMonitor"), ("services", "ServiceMonitor")]
)
def test_a_monitor_finds_the_ports_that_there_are(scrape: str, kind: str) -> None:
    objects = small(f"monitoring.scrape={scrape}")
    (monitor,) = of_kind(objects, kind)
    wanted = monitor["spec"]["selector"]["matchExpressions"][0]["values"]
    endpoints = monitor["spec"]["podMetricsEndpoints" if scrape == "pods" else "endpoints"]

    if scrape == "pods":
        found = [
            port["name"]
            for each in of_kind(objects, "Deployment")
            if each["metadata"]["labels"]["app.kubernetes.io/component"] in wanted
            for port in each["spec"]["template"]["spec"]["containers"][0]["ports"]
        ]
    else:
        found = [
            port["name"]
            for each in of_kind(objects, "Service")
            if each["metadata"]["labels"]["app.kubernetes.io/component"] in wanted
            for port in each["spec"]["ports"]
        ]

    assert found.count(endpoints[0]["port"]) == 2
