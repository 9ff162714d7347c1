"""What a worker's row holds so that every start of it is alike: command, environment, limits."""

import secrets
import string
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from videoannotator.domain.jobs import Run, Worker
from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.rpc.tokens import sha256_hex, worker_token

ALPHABET = string.ascii_lowercase + string.digits
ID_LENGTH = 12

#: Nothing is looked up on the network while a worker runs.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
    "YOLO_OFFLINE": "true",
}


def new_worker_id() -> str:
    """12 characters of a-z0-9: fits into every name that a cluster gives."""
    return "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTemplate:
    """What all workers of this site have in common."""

    launcher: str
    key: bytes  #: the worker key
    orphan_grace_seconds: float
    stop_grace_seconds: float
    log_level: str = "info"
    python: str = sys.executable
    key_version: int = 1
    extra: Mapping[str, str] = field(default_factory=dict)  #: more environment for every worker


def new_worker(
    template: WorkerTemplate,
    spec: PipelineSpec,
    run: Run,
    attempt: int,
    gpus: tuple[int, ...],
    now: datetime,
) -> Worker:
    """A worker for the next attempt of `run`, not yet written down."""
    worker_id = new_worker_id()
    token_sha256 = sha256_hex(worker_token(template.key, worker_id))
    return Worker(
        id=worker_id,
        run_id=run.id,
        job_id=run.job_id,
        attempt=attempt,
        launcher=template.launcher,
        token_sha256=token_sha256,
        key_version=template.key_version,
        body=_body(template, spec, worker_id, token_sha256),
        gpus=gpus,
        resources=run.resources,
        created_at=now,
    )


def _body(
    template: WorkerTemplate, spec: PipelineSpec, worker_id: str, token_sha256: str
) -> dict[str, Any]:
    return {
        "arguments": [template.python, "-m", "videoannotator.inference", spec.name],
        "environment": {
            **OFFLINE,
            **template.extra,
            "VIDEOANNOTATOR_WORKER_ID": worker_id,
            "VIDEOANNOTATOR_WORKER_TOKEN_SHA256": token_sha256,
            "VIDEOANNOTATOR_WORKER_ORPHAN_GRACE_SECONDS": str(template.orphan_grace_seconds),
            "VIDEOANNOTATOR_WORKER_STOP_GRACE_SECONDS": str(template.stop_grace_seconds),
            "VIDEOANNOTATOR_TELEMETRY__LOG_LEVEL": template.log_level,
        },
        "time_limit": {
            "seconds": spec.longest_seconds,
            "per_media_second": spec.longest_per_media_second,
        },
    }
