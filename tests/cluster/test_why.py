"""`kubectl videoannotator why` about pods of a real cluster, with a server that knows the job."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.given import GivenCluster
from tests.cluster.up.processes import until
from tests.cluster.up.programs import CACHE
from tests.fakes.server import API, FakeServer, fake_server, job_body
from videoannotator.scheduler.launchers.kubernetes import names

NAMESPACE = "why"
PLUGIN = "from videoannotator.cli.plugin import run; run()"
SECONDS = 60.0


@pytest.fixture
def namespace(cluster: GivenCluster) -> Iterator[GivenCluster]:
    """The cluster, with an empty namespace that goes with the test."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield cluster
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        fake.gives("GET", f"{API}/jobs/j1", job_body("running"))
        yield fake


def kubernetes_job(name: str, **container: Any) -> str:
    """A Kubernetes Job with the labels of a worker's."""
    labels = {names.JOB: "j1", names.PIPELINE: "scene_detection"}
    told = {"name": "worker", "terminationMessagePolicy": "FallbackToLogsOnError", **container}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": labels},
                "spec": {"restartPolicy": "Never", "containers": [told]},
            },
        },
    }
    return json.dumps(body)


def pod_of(cluster: GivenCluster, job: str) -> str:
    """The name of the pod of a Kubernetes Job."""
    words = ("get", "pods", f"--namespace={NAMESPACE}", f"--selector=job-name={job}")
    until("the pod is there", lambda: bool(cluster.kubectl(*words, "--output=name")), SECONDS)
    return cluster.kubectl(*words, "--output=name").strip().removeprefix("pod/")


def why(cluster: GivenCluster, server: FakeServer, pod: str) -> dict[str, Any]:
    """What the plugin tells of a pod."""
    path = f"{CACHE / 'bin'}:{os.environ['PATH']}"
    assert shutil.which("kubectl", path=path)
    options = (f"--kubeconfig={cluster.kubeconfig}", f"--namespace={NAMESPACE}", "--json")
    ended = subprocess.run(
        [sys.executable, "-c", PLUGIN, "why", pod, *options],
        env={"PATH": path, "VIDEOANNOTATOR_SERVER": server.address},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def until_told(cluster: GivenCluster, server: FakeServer, pod: str, code: str) -> dict[str, Any]:
    """What the plugin tells of a pod once it knows a failure of it."""
    told: dict[str, Any] = {}

    def knows() -> bool:
        told.update(why(cluster, server, pod))
        return bool((told["failure"] or {}).get("code") == code)

    until(f"{code} is known", knows, SECONDS)
    return told


def test_why_tells_that_there_is_no_gpu(namespace: GivenCluster, server: FakeServer) -> None:
    limits = {"limits": {"nvidia.com/gpu": "64"}}
    wanted = kubernetes_job("gpus", image=namespace.python_image(), resources=limits)
    namespace.kubectl("apply", f"--namespace={NAMESPACE}", "--filename=-", given=wanted)

    told = until_told(namespace, server, pod_of(namespace, "gpus"), "UNSCHEDULABLE_CAPACITY")

    assert told["now"] == "waits for a GPU"
    assert told["job"]["id"] == "j1"
    assert any("Insufficient nvidia.com/gpu" in each["message"] for each in told["events"])


def test_why_tells_that_there_is_no_such_image(namespace: GivenCluster, server: FakeServer) -> None:
    wanted = kubernetes_job("image", image="localhost/none:1", imagePullPolicy="Never")
    namespace.kubectl("apply", f"--namespace={NAMESPACE}", "--filename=-", given=wanted)

    told = until_told(namespace, server, pod_of(namespace, "image"), "IMAGE_PULL")

    assert "registry" in told["failure"]["hint"]


def test_why_tells_that_a_worker_needed_more_memory(
    namespace: GivenCluster, server: FakeServer
) -> None:
    wanted = kubernetes_job(
        "memory",
        image=namespace.python_image(),
        imagePullPolicy="IfNotPresent",
        command=["python3", "-c", "bytearray(10**9)"],
        resources={"limits": {"memory": "64Mi"}},
    )
    namespace.kubectl("apply", f"--namespace={NAMESPACE}", "--filename=-", given=wanted)

    told = until_told(namespace, server, pod_of(namespace, "memory"), "OOM_KILLED")

    assert told["pod"]["phase"] == "Failed"
    assert told["now"] == ""
