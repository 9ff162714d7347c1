"""What a worker's row holds so that every start of it is alike."""

import secrets
import string
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from videoannotator.domain.jobs import Run, Worker
from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.rpc.tokens import sha256_hex, worker_token
from videoannotator.store.rows import JobRows

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
class Draft:
    """A worker that is about to be written down: all that its body is made from."""

    worker_id: str
    rows: JobRows  #: its job, with the video and the runs
    run: Run
    attempt: int
    epoch: int  #: of the leader that launches it
    spec: PipelineSpec


#: Makes a launcher's part of the body from a draft and the SHA-256 of the worker's token.
BodyMaker = Callable[[Draft, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTemplate:
    """What all workers of this site have in common."""

    launcher: str
    key: bytes  #: the worker key
    body: BodyMaker
    key_version: int = 1


def new_worker(
    template: WorkerTemplate, draft: Draft, gpus: tuple[int, ...], now: datetime
) -> Worker:
    """The worker for the next attempt of a run, not yet written down."""
    token_sha256 = sha256_hex(worker_token(template.key, draft.worker_id))
    limit = {
        "seconds": draft.spec.longest_seconds,
        "per_media_second": draft.spec.longest_per_media_second,
    }
    return Worker(
        id=draft.worker_id,
        run_id=draft.run.id,
        job_id=draft.run.job_id,
        attempt=draft.attempt,
        launcher=template.launcher,
        token_sha256=token_sha256,
        key_version=template.key_version,
        body={**template.body(draft, token_sha256), "time_limit": limit},
        gpus=gpus,
        resources=draft.run.resources,
        created_at=now,
    )


def told_to_worker(
    worker_id: str,
    token_sha256: str,
    *,
    orphan_grace_seconds: float,
    stop_grace_seconds: float,
    log_level: str,
) -> dict[str, str]:
    """The part of a worker's environment that is alike wherever it runs."""
    return {
        "VIDEOANNOTATOR_WORKER_ID": worker_id,
        "VIDEOANNOTATOR_WORKER_TOKEN_SHA256": token_sha256,
        "VIDEOANNOTATOR_WORKER_ORPHAN_GRACE_SECONDS": str(orphan_grace_seconds),
        "VIDEOANNOTATOR_WORKER_STOP_GRACE_SECONDS": str(stop_grace_seconds),
        "VIDEOANNOTATOR_TELEMETRY__LOG_LEVEL": log_level,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalProcess:
    """Makes the body of a worker that is a process of this machine: command and environment."""

    orphan_grace_seconds: float
    stop_grace_seconds: float
    log_level: str = "info"
    python: str = sys.executable
    extra: Mapping[str, str] = field(default_factory=dict)  #: more environment for every worker

    def __call__(self, draft: Draft, token_sha256: str) -> Mapping[str, Any]:
        """The body of one worker."""
        return {
            "arguments": [self.python, "-m", "videoannotator.inference", draft.spec.name],
            "environment": {
                **OFFLINE,
                **self.extra,
                **told_to_worker(
                    draft.worker_id,
                    token_sha256,
                    orphan_grace_seconds=self.orphan_grace_seconds,
                    stop_grace_seconds=self.stop_grace_seconds,
                    log_level=self.log_level,
                ),
            },
        }
