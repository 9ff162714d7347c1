"""Every object is one that Kubernetes takes, field for field; and helm finds no fault."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.kubernetes_schemas import location
from tests.chart.rendering import CHART, LEAST, ROOT, SITES, VALUES, site, small
from tests.chart.workers import worker_bodies
from tests.cluster.up.programs import KUBERNETES, program

#: Of the Prometheus operator, whose objects Kubernetes itself does not know.
FOREIGN = "PodMonitor,ServiceMonitor,PrometheusRule"
JOB_MODE = ("database.migration.mode=job", "api.autoscaling.enabled=true", "prePuller.enabled=true")


def conforms(objects: list[dict[str, object]], folder: Path) -> str:
    """What kubeconform says; nothing when all is well."""
    path = folder / "objects.yaml"
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    command = [program("kubeconform"), "-strict", "-skip", FOREIGN, "-schema-location", location()]
    done = subprocess.run([*command, path], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", SITES)
def test_kubernetes_knows_every_field(name: str, tmp_path: Path) -> None:
    objects = site(name)

    assert conforms([*objects, *worker_bodies(objects)], tmp_path) == ""


def test_kubernetes_knows_every_field_of_what_the_files_of_values_leave_out(tmp_path: Path) -> None:
    assert conforms(small(*JOB_MODE), tmp_path) == ""


def test_kubernetes_knows_every_field_of_the_database_for_a_trial(tmp_path: Path) -> None:
    text = (ROOT / "k8s" / "trial-postgresql.yaml").read_text(encoding="utf-8")

    assert conforms([each for each in yaml.safe_load_all(text) if each], tmp_path) == ""


def test_a_field_that_there_is_not_is_found(tmp_path: Path) -> None:
    (service, *_) = [each for each in small() if each["kind"] == "Service"]
    wrong = {**service, "spec": {**service["spec"], "selectors": {}}}

    assert "selectors" in conforms([wrong], tmp_path)


@pytest.mark.parametrize("name", [*SITES, "least"])
def test_helm_finds_no_fault(name: str) -> None:
    values = ["--set", LEAST[0]] if name == "least" else ["--values", VALUES / f"{name}.yaml"]
    command = [program("helm"), "lint", "--strict", CHART, "--kube-version", KUBERNETES, *values]
    # lint cannot be told that there is the Prometheus operator.
    command += ["--set", "monitoring.scrape=none,monitoring.rules.enabled=false"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_helm_names_the_next_three_commands(tmp_path: Path) -> None:
    notes = told(tmp_path, *LEAST)

    assert notes.index("\n1. ") < notes.index("\n2. ") < notes.index("\n3. ")
    assert "helm test va --namespace annotation" in notes
    assert "get secret va-videoannotator-secrets" in notes
    assert "port-forward service/va-videoannotator-api 18011:80" in notes
    assert "job submit clip.mp4 --pipelines scene_detection --wait" in notes


@pytest.mark.parametrize(
    ("value", "warning"),
    [
        ("networkPolicy.enabled=false", "every pod of the cluster can call"),
        ("auth.required=false", "no key is needed"),
        ("database.migration.mode=none", "pods wait until somebody has run"),
        ("api.ingress.host=a.example", "Nobody outside the cluster reaches the api"),
    ],
)
def test_notes_warn_of_what_is_left_open(value: str, warning: str, tmp_path: Path) -> None:
    assert warning in told(tmp_path, *LEAST, value)


def told(folder: Path, *sets: str) -> str:
    """The notes, which `helm template` leaves out: rendered as an object of their own."""
    copy = folder / "chart"
    subprocess.run(["cp", "-r", CHART, copy], check=True)
    notes = (copy / "templates" / "NOTES.txt").read_text(encoding="utf-8")
    (copy / "templates" / "_notes.tpl").write_text('{{ define "notes" }}' + notes + "{{ end }}")
    (copy / "templates" / "notes.yaml").write_text(
        'kind: Notes\nmetadata: {name: notes}\ntext: {{ include "notes" . | quote }}\n'
    )
    command = [program("helm"), "template", "va", copy, "--namespace", "annotation"]
    command += ["--kube-version", KUBERNETES, "--show-only", "templates/notes.yaml"]
    command += [part for one in sets for part in ("--set", one)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(yaml.safe_load(done.stdout)["text"])
