"""Limits and timings of the scheduler, one record."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from videoannotator.domain.failures import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What `reconcile` and `queue` decide by. Times are seconds."""

    max_workers: int = 2  #: workers at a time
    max_gpu_workers: int = 2  #: workers with a GPU at a time
    max_workers_per_owner: int = 0  #: 0: no limit
    max_workers_per_pipeline: Mapping[str, int] = field(default_factory=dict)
    local_gpus: int | None = None  #: GPUs to hand out by index; None: the cluster hands them out
    unplaced_window: int = 2  #: workers not yet placed, for each shape of resources
    #: GPUs of each worker of a pipeline, where the site decided something else than its spec
    gpus: Mapping[str, int] = field(default_factory=dict)
    #: what else than the number of GPUs decides where the workers of a pipeline fit, by pipeline
    shapes: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)  #: why a pipeline cannot run here
    aging_seconds: float = 600.0  #: a run that waits so long rises by one priority class
    orphan_grace_seconds: float = 600.0  #: a worker that nobody calls ends itself after so long
    gone_margin_seconds: float = (
        90.0  #: lease, keepalive and termination grace together, rounded up
    )
    late_create_seconds: float = 0.0  #: a create that was sent may still land for so long
    #: a worker that told its end is given so long to end by itself, so that its end is seen
    own_end_seconds: float = 0.0
    pull_timeout_seconds: float = 1200.0  #: from a place to a process
    start_timeout_seconds: float = 600.0  #: from the process to its first answer
    no_progress_seconds: float = 600.0
    unreachable_seconds: float = 120.0  #: a worker that answers no call for so long is given up
    second_look_seconds: float = 30.0  #: a missing object is believed only after a second look
    retry: RetryPolicy = field(default_factory=RetryPolicy)
