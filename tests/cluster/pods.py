"""Small pods for tests of the cluster itself."""

import json
from typing import Any

from tests.cluster.given import GivenCluster
from tests.cluster.up.node import GPU

POD_SECONDS = 60


def a_pod(name: str, image: str, program: str, gpus: int = 0) -> str:
    """The body of a pod that runs a Python program and ends at once when told to."""
    limits = {GPU: str(gpus)} if gpus else {}
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", program],
        "resources": {"limits": limits},
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    metadata = {"name": name, "labels": {"app": name}}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def create(cluster: GivenCluster, name: str, program: str, gpus: int = 0) -> str:
    """Makes a pod; its UID."""
    body = a_pod(name, cluster.python_image(), program, gpus)
    cluster.kubectl("create", "-f", "-", given=body)
    return str(pod(cluster, name)["metadata"]["uid"])


def pod(cluster: GivenCluster, name: str) -> dict[str, Any]:
    """A pod as the API server has it."""
    return dict(json.loads(cluster.kubectl("get", "pod", name, "-o", "json")))


def until_phase(cluster: GivenCluster, name: str, phase: str) -> dict[str, Any]:
    """Waits until a pod is in a phase; the pod. Raises: Failed."""
    condition = f"--for=jsonpath={{.status.phase}}={phase}"
    cluster.kubectl("wait", f"pod/{name}", condition, f"--timeout={POD_SECONDS}s")
    return pod(cluster, name)
