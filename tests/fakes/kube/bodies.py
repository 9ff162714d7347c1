"""Objects as a cluster makes them: pods of Kubernetes Jobs, conditions, container states."""

import copy
import secrets
from typing import Any

from tests.fakes.kube.objects import Body, timestamp

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
GRACE_SECONDS = 30


def job_body(name: str, **labels: str) -> Body:
    """A small Kubernetes Job, as a launcher would post it."""
    container = {"name": "worker", "image": "localhost/scene:1", "command": ["sleep", "3600"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": dict(labels), "annotations": {}},
        "spec": {
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": GRACE_SECONDS,
                    "containers": [container],
                },
            },
        },
    }


def pod_body(name: str, **labels: str) -> Body:
    """A pod that waits for a node and belongs to nobody."""
    spec = {"containers": [{"name": "worker", "image": "localhost/scene:1"}]}
    metadata = {"name": name, "labels": dict(labels)}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}


def pod_of(job: Body) -> Body:
    """The pod that the Job controller makes."""
    template, metadata = copy.deepcopy(job["spec"]["template"]), job["metadata"]
    name = metadata["name"] + "-" + "".join(secrets.choice(ALPHABET) for _ in range(5))
    labels = {
        **(template.get("metadata", {}).get("labels") or {}),
        "batch.kubernetes.io/job-name": metadata["name"],
        "batch.kubernetes.io/controller-uid": metadata["uid"],
        "job-name": metadata["name"],
        "controller-uid": metadata["uid"],
    }
    owner = {"apiVersion": "batch/v1", "kind": "Job", "controller": True}
    return {
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": template.get("metadata", {}).get("annotations") or {},
            "ownerReferences": [{**owner, "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }


def put_condition(body: Body, type_: str, holds: bool, **words: str) -> None:
    """Sets one condition of an object."""
    conditions = body["status"].setdefault("conditions", [])
    conditions[:] = [each for each in conditions if each["type"] != type_]
    fixed = {"type": type_, "status": str(holds), "lastTransitionTime": timestamp()}
    conditions.append({**fixed, **words})


def put_state(pod: Body, state: str, **words: Any) -> None:
    """Sets the state of all containers of a pod."""
    pod["status"]["containerStatuses"] = [
        {
            "name": each["name"],
            "image": each.get("image", ""),
            "ready": state == "running",
            "restartCount": 0,
            "state": {state: words},
        }
        for each in pod["spec"]["containers"]
    ]


def put_deletion(body: Body) -> None:
    """Marks a pod as being deleted with its own grace."""
    grace = body["spec"].get("terminationGracePeriodSeconds", GRACE_SECONDS)
    body["metadata"].update(deletionTimestamp=timestamp(), deletionGracePeriodSeconds=grace)


def put_forced_deletion(body: Body) -> None:
    """Marks a pod as being deleted with a grace of 0."""
    body["metadata"].update(deletionTimestamp=timestamp(), deletionGracePeriodSeconds=0)
