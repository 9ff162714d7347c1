"""The chart as helm renders it, without a cluster."""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.up.programs import KUBERNETES, program

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "videoannotator"
VALUES = ROOT / "k8s" / "values"
#: The files of values that are kept rendered in golden/.
SITES = ("test", "production-volume", "production-s3")
RELEASE, NAMESPACE = "va", "annotation"
#: What a cluster with the Prometheus operator has.
MONITORING = "monitoring.coreos.com/v1"
#: What must be chosen, as small as can be.
LEAST = ("database.existingSecret=videoannotator-database",)

Body = dict[str, Any]


class Refused(Exception):
    """Helm's words on values that it does not take."""


def site(name: str, *sets: str) -> list[Body]:
    """The objects of one of the SITES, with values changed by `sets`, as `api.replicas=3`."""
    return rendered((str(VALUES / f"{name}.yaml"),), sets)


def small(*sets: str) -> list[Body]:
    """The objects of the smallest installation, with values changed by `sets`."""
    return rendered((), (*LEAST, *sets))


@cache
def rendered(files: tuple[str, ...], sets: tuple[str, ...]) -> list[Body]:
    """The objects that helm renders. Raises: Refused."""
    return [each for each in yaml.safe_load_all(text(files, sets)) if each]


@cache
def text(
    files: tuple[str, ...], sets: tuple[str, ...], apis: tuple[str, ...] = (MONITORING,)
) -> str:
    """What helm renders. Raises: Refused."""
    command = [program("helm"), "template", RELEASE, CHART, "--namespace", NAMESPACE]
    command += ["--kube-version", KUBERNETES]
    command += [part for api in apis for part in ("--api-versions", api)]
    command += [part for file in files for part in ("--values", file)]
    command += [part for one in sets for part in (_flag(one), one)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def _flag(one: str) -> str:
    """Braces and brackets are JSON: `api.trustedProxies=["10.0.0.7"]`."""
    return "--set-json" if one.partition("=")[2][:1] in ('"', "[", "{") else "--set"


def of_kind(objects: list[Body], kind: str) -> list[Body]:
    """The objects of a kind."""
    return [each for each in objects if each["kind"] == kind]


def the(objects: list[Body], kind: str, name: str) -> Body:
    """The object of a kind whose name ends so."""
    (found,) = [each for each in of_kind(objects, kind) if each["metadata"]["name"].endswith(name)]
    return found


def settings(objects: list[Body]) -> dict[str, str]:
    """The settings of api and scheduler that are no secrets."""
    found: dict[str, str] = the(objects, "ConfigMap", "-settings")["data"]
    return found


def pods(objects: list[Body]) -> Iterator[tuple[str, Body, Body]]:
    """Every pod that comes out of the objects: whose it is, its metadata, its specification."""
    for each in objects:
        name = f"{each['kind']}/{each['metadata']['name']}"
        if each["kind"] == "Pod":
            yield name, each["metadata"], each["spec"]
        elif "template" in each.get("spec", {}):
            template = each["spec"]["template"]
            yield name, template.get("metadata", {}), template["spec"]


def containers(pod: Body) -> list[Body]:
    """All containers of a pod."""
    return [*pod.get("initContainers", []), *pod["containers"]]
