"""A client that does nothing but create Kubernetes Jobs: the ceiling of a cluster."""

import asyncio
import ssl
import time
from pathlib import Path
from typing import Any

import aiohttp

from bench.kwok.stages import CLAIM

NAMESPACE = "raw"
AT_A_TIME = 10
PATH = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"


async def create_all(api: str, pki: Path, count: int) -> float:
    """Creates so many as fast as it can; the moment of the first, by the monotonic clock."""
    context = ssl.create_default_context(cafile=pki / "ca.crt")
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    connector = aiohttp.TCPConnector(ssl=context)
    numbers = iter(range(count))
    began = time.monotonic()
    async with aiohttp.ClientSession(api, connector=connector) as session:

        async def some() -> None:
            for number in numbers:
                async with session.post(PATH, json=body(number)) as answer:
                    answer.raise_for_status()

        await asyncio.gather(*[some() for _ in range(AT_A_TIME)])
    return began


def body(number: int) -> dict[str, Any]:
    """A Kubernetes Job like those of workers, with no more than it needs."""
    container = {
        "name": "worker",
        "image": "none",
        "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "16Mi"}},
        "volumeMounts": [{"name": "storage", "mountPath": "/results", "subPath": str(number)}],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "storage", "persistentVolumeClaim": {"claimName": CLAIM}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"raw-{number}", "namespace": NAMESPACE},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
