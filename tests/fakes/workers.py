"""Worker records for tests."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from videoannotator.domain.jobs import Worker, WorkerState

_numbers = itertools.count(1)


def a_worker(
    arguments: Sequence[str] = (),
    *,
    environment: Mapping[str, str] | None = None,
    gpus: tuple[int, ...] = (),
    state: WorkerState = WorkerState.LAUNCHING,
    worker_id: str = "",
) -> Worker:
    """A worker with a fresh id and the given command."""
    return Worker(
        id=worker_id or f"w{next(_numbers):011d}",
        run_id="run",
        job_id="job",
        attempt=1,
        state=state,
        launcher="process",
        token_sha256="0" * 64,
        body={"arguments": list(arguments), "environment": dict(environment or {})},
        gpus=gpus,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
