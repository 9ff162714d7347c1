"""Each alert fires when it shall and at no other time: tried by Prometheus's own promtool."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import ROOT, of_kind, small

HERE = 'namespace="annotation"'
PODS = "docs/guides/runbooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is measured minute by minute, and the alert that it makes, or not."""

    alert: str
    series: dict[str, str]
    at: str
    summary: str = ""  #: empty: it does not fire
    severity: str = "warning"
    labels: dict[str, str] = field(default_factory=dict)


def gauge(name: str, labels: str = 'pod="scheduler-1"') -> str:
    return f"videoannotator_{name}{{{HERE},{labels}}}"


def attempts(code: str, budget: str = "infrastructure") -> str:
    return gauge("attempts_total", f'pod="s",pipeline="scene",code="{code}",budget="{budget}"')


def ended(outcome: str) -> str:
    return gauge("runs_total", f'pod="s",outcome="{outcome}"')


def bucket(limit: str) -> str:
    return gauge("run_seconds_bucket", f'pod="s",pipeline="scene",le="{limit}"')


LEADS = {gauge("leader"): "1+0x30", gauge("leader", 'pod="scheduler-2"'): "0+0x30"}
CODE = {"pipeline": "scene"}

CASES = [
    Case(
        alert="SlotHeldTooLong",
        series={gauge("slot_stopping_seconds"): "0+60x30"},
        at="8m",
        summary="A worker that shall end has kept its slot for 8m 0s.",
    ),
    Case(alert="SlotHeldTooLong", series={gauge("slot_stopping_seconds"): "0+20x30"}, at="9m"),
    Case(
        alert="OrphanPod",
        series={gauge("orphan_pods"): "2+0x30"},
        at="16m",
        summary="2 pods run for workers that are gone or that nobody knows.",
    ),
    Case(alert="OrphanPod", series={gauge("orphan_pods"): "2+0x8 0+0x20"}, at="16m"),
    Case(
        alert="RunWithoutPod",
        series={gauge("runs_without_pod"): "1+0x30"},
        at="6m",
        summary="1 runs are at work, and of their pods nothing is seen.",
    ),
    Case(alert="RunWithoutPod", series={gauge("runs_without_pod"): "1+0x3 0+0x20"}, at="6m"),
    Case(
        alert="WatchStale",
        series={**LEADS, gauge("watch_age_seconds", 'pod="scheduler-1",watch="pods"'): "0+60x30"},
        at="5m",
        summary="Nothing was heard of pods for 5m 0s: nothing is launched.",
        severity="critical",
        labels={"watch": "pods"},
    ),
    Case(  # a standby need not see the cluster
        alert="WatchStale",
        series={**LEADS, gauge("watch_age_seconds", 'pod="scheduler-2",watch="pods"'): "0+60x30"},
        at="9m",
    ),
    Case(
        alert="NoLeader",
        series={gauge("leader"): "1 0+0x30", gauge("leader", 'pod="scheduler-2"'): "0+0x30"},
        at="3m",
        summary="No scheduler leads: nothing is launched.",
        severity="critical",
    ),
    Case(
        alert="NoLeader",
        series={"up": "1+0x30"},
        at="3m",
        summary="No scheduler leads: nothing is launched.",
        severity="critical",
    ),
    Case(alert="NoLeader", series=LEADS, at="9m"),
    Case(
        alert="QueueAge",
        series={gauge("queue_age_seconds"): "3500+60x30"},
        at="8m",
        summary="The oldest waiting run has waited for 1h 6m 20s.",
    ),
    Case(alert="QueueAge", series={gauge("queue_age_seconds"): "3500+0x30"}, at="20m"),
    Case(  # the first one: its counter appears as 1
        alert="ImagePullFailing",
        series={attempts("IMAGE_PULL"): "_x5 1+0x30"},
        at="6m",
        summary="The image of scene cannot be pulled (IMAGE_PULL).",
        labels={**CODE, "code": "IMAGE_PULL"},
    ),
    Case(alert="ImagePullFailing", series={attempts("IMAGE_PULL"): "1+0x100"}, at="80m"),
    Case(alert="ImagePullFailing", series={attempts("OOM_KILLED"): "1+1x30"}, at="20m"),
    Case(
        alert="GpuDirty",
        series={attempts("GPU_DIRTY"): "_x5 1+0x30"},
        at="6m",
        summary="A worker of scene found its GPU still in use.",
        labels={**CODE, "code": "GPU_DIRTY"},
    ),
    Case(alert="GpuDirty", series={attempts("GPU_DIRTY"): "1+0x100"}, at="80m"),
    Case(
        alert="LaunchErrors",
        series={gauge("launch_errors_total", 'pod="s",error="Forbidden"'): "0+1x60"},
        at="60m",
        summary="60 creates of the last hour failed with Forbidden.",
        labels={"error": "Forbidden"},
    ),
    Case(
        alert="LaunchErrors",
        series={gauge("launch_errors_total", 'pod="s",error="Unavailable"'): "0+0x50 5+0x30"},
        at="60m",
    ),
    Case(
        alert="InfraFailures",
        series={attempts("NODE_LOST"): "0+1x60"},
        at="60m",
        summary="Faults of the cluster ended 60 attempts of the last hour.",
    ),
    Case(alert="InfraFailures", series={attempts("OOM_KILLED", "pipeline"): "0+1x60"}, at="60m"),
    Case(
        alert="DatabaseDown",
        series={
            gauge("database_up", 'pod="api-1"'): "1+0x3 0+0x20",
            gauge("database_up", 'pod="api-2"'): "1+0x30",
        },
        at="6m",
        summary="api-1 does not reach the database.",
        severity="critical",
        labels={"pod": "api-1"},
    ),
    Case(alert="DatabaseDown", series={gauge("database_up", 'pod="api-1"'): "1+0x30"}, at="9m"),
    Case(
        alert="FailureRate",
        series={ended("failed"): "0+1x60", ended("succeeded"): "0+9x60"},
        at="60m",
        summary="10 percent of the last hour's runs have failed.",
    ),
    Case(
        alert="FailureRate",
        series={ended("failed"): "0+1x60", ended("succeeded"): "0+30x60"},
        at="60m",
    ),
    Case(  # who cancels has not failed
        alert="FailureRate",
        series={ended("cancelled"): "0+9x60", ended("succeeded"): "0+9x60"},
        at="60m",
    ),
    Case(
        alert="RunDuration",
        series={bucket("600"): "0+1x60", bucket("1800"): "0+20x60", bucket("+Inf"): "0+20x60"},
        at="60m",
        summary="One run in twenty takes longer than 28m 56s.",
        severity="info",
    ),
    Case(
        alert="RunDuration",
        series={bucket("300"): "0+2x60", bucket("600"): "0+2x60", bucket("+Inf"): "0+2x60"},
        at="60m",
    ),
    Case(
        alert="CostPerDay",
        series={gauge("gpu_seconds_total", 'pod="s",pipeline="person"'): "0+600x1600"},
        at="1440m",
        summary="The GPUs of the last 24 hours cost 240.",
        severity="info",
    ),
    Case(
        alert="CostPerDay",
        series={gauge("gpu_seconds_total", 'pod="s",pipeline="person"'): "0+60x1600"},
        at="1440m",
    ),
    Case(
        alert="StuckJobs",
        series={gauge("stuck_jobs"): "11+0x30"},
        at="6m",
        summary="11 jobs have workers and make no progress.",
    ),
    Case(alert="StuckJobs", series={gauge("stuck_jobs"): "10+0x30"}, at="20m"),
]


@pytest.fixture(scope="module")
def promtool() -> str:
    """The path of promtool."""
    script = ROOT / "tests" / "chart" / "promtool.sh"
    return subprocess.run([script], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules of the chart, as Prometheus reads them."""
    (rule,) = of_kind(small("monitoring.rules.enabled=true"), "PrometheusRule")
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": rule["spec"]["groups"]}), encoding="utf-8")
    return path


def test_promtool_takes_the_rules(promtool: str, rules: Path) -> None:
    done = subprocess.run(
        [promtool, "check", "rules", rules], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "15 rules found" in done.stdout


def expected(case: Case) -> list[dict[str, Any]]:
    if not case.summary:
        return []
    page = f"{PODS}/{case.alert}.md"
    labels = {**case.labels, "severity": case.severity}
    annotations = {"summary": case.summary, "runbook_url": page}
    return [{"exp_labels": labels, "exp_annotations": annotations}]


def as_test(case: Case) -> dict[str, Any]:
    asked = {"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected(case)}
    return {
        "name": f"{case.alert} at {case.at}",
        "interval": "1m",
        "input_series": [{"series": name, "values": each} for name, each in case.series.items()],
        "alert_rule_test": [asked],
    }


@pytest.mark.parametrize("alert", sorted({case.alert for case in CASES}))
def test_an_alert_fires_when_it_shall_and_at_no_other_time(
    alert: str, promtool: str, rules: Path, tmp_path: Path
) -> None:
    cases = [case for case in CASES if case.alert == alert]
    whole = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [as_test(case) for case in cases],
    }
    path = tmp_path / "tests.yaml"
    path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")

    done = subprocess.run(
        [promtool, "test", "rules", path], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_both_ways() -> None:
    (rule,) = of_kind(small("monitoring.rules.enabled=true"), "PrometheusRule")
    names = {each["alert"] for group in rule["spec"]["groups"] for each in group["rules"]}

    assert {case.alert for case in CASES if case.summary} == names
    assert {case.alert for case in CASES if not case.summary} == names
