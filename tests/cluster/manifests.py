"""What a site of the tests asks of a cluster, and what it tells its scheduler about workers."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.given import GivenCluster
from videoannotator import __version__

SITE_NAME = "va"
CLAIM = "storage"
IMAGE_TAG = os.environ.get("IMAGE_TAG") or __version__
REPOSITORY = os.environ.get("IMAGE_PREFIX") or "localhost/videoannotator"
SMALL = {"cpu": "50m", "memory": "512Mi", "ephemeralStorage": "256Mi"}
IMAGES = {"journal": "journal", "journal_gpu": "journal", "scene_detection": "scene"}


def image(name: str) -> str:
    """The full name of an image of ours."""
    return f"{REPOSITORY}/{name}:{IMAGE_TAG}"


def site_file(cluster: GivenCluster, namespace: str, times: Mapping[str, float]) -> dict[str, Any]:
    """The file of the site, as the chart would write it."""
    return {
        "release": SITE_NAME,
        "namespace": namespace,
        "imagePullPolicy": "Never" if cluster.ours else "IfNotPresent",
        "volumeClaim": CLAIM,
        "orphanGraceSeconds": times["orphan_grace_seconds"],
        "stopGraceSeconds": times["stop_grace_seconds"],
        "pipelines": {
            pipeline: {"image": image(name), **SMALL} for pipeline, name in IMAGES.items()
        },
    }


def volume(name: str, folder: Path) -> dict[str, Any]:
    """A volume that is a folder of the node, and the claim of it in the namespace `name`."""
    size = {"storage": "1Gi"}
    shared = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": name},
        "spec": {**shared, "resources": {"requests": size}, "volumeName": name},
    }
    held = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **shared,
            "capacity": size,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(folder)},
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [held, claim]}
