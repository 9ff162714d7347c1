"""Jobs, runs, attempts, workers: the records, their states and the tables of legal transitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from videoannotator.domain.errors import IllegalTransition
from videoannotator.domain.failures import Failure


class JobKind(StrEnum):
    """Whose wish a job is."""

    ANNOTATION = "annotation"  #: a user asked for it
    INTERNAL = "internal"  #: made by the service itself (previews, storyboards); not listed


class JobState(StrEnum):
    """The public state of a job; always the result of `job_state`."""

    AWAITING_APPROVAL = "awaiting_approval"  #: nothing runs before somebody approves it
    PENDING = "pending"  #: nothing has started
    RUNNING = "running"  #: something has started and not all has ended
    CANCELLING = "cancelling"  #: cancel was asked, something is not proved stopped yet
    COMPLETED = (
        "completed"  #: at least one pipeline succeeded; an error message names those that did not
    )
    FAILED = "failed"  #: every pipeline failed
    CANCELLED = "cancelled"  #: cancel was asked and everything is proved stopped


class RunState(StrEnum):
    """The state of one pipeline of a job."""

    PENDING = "pending"  #: waits for a slot, or for the back-off to pass
    STARTING = "starting"  #: has a worker that is not at work yet
    RUNNING = "running"  #: its worker works
    CANCELLING = "cancelling"  #: cancel was asked while an attempt was not over
    SUCCEEDED = "succeeded"  #: its manifest was verified
    FAILED = "failed"  #: code, hint and last log lines are kept
    CANCELLED = "cancelled"  #: no worker of it lives


class WorkerState(StrEnum):
    """The state of what executes an attempt."""

    LAUNCHING = "launching"  #: written down, created or about to be; has not answered yet
    UP = "up"  #: it answered Describe
    STOPPING = "stopping"  #: it is being ended; it may still hold its GPU
    GONE = "gone"  #: proved by the launcher, or ended by its own rule


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"  #: its worker said so
    FAILED = "failed"  #: its worker said so
    LOST = "lost"  #: its worker is gone without a word


RUN_FINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})
RUN_ACTIVE = frozenset({RunState.STARTING, RunState.RUNNING, RunState.CANCELLING})
JOB_FINAL = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})

RUN_TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.PENDING: frozenset({RunState.STARTING, RunState.CANCELLING, RunState.CANCELLED}),
    RunState.STARTING: frozenset(
        {
            RunState.RUNNING,
            RunState.PENDING,
            RunState.CANCELLING,
            RunState.SUCCEEDED,
            RunState.FAILED,
            RunState.CANCELLED,
        }
    ),
    RunState.RUNNING: frozenset(
        {
            RunState.PENDING,
            RunState.CANCELLING,
            RunState.SUCCEEDED,
            RunState.FAILED,
            RunState.CANCELLED,
        }
    ),
    RunState.CANCELLING: frozenset({RunState.CANCELLED, RunState.SUCCEEDED, RunState.FAILED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}

WORKER_TRANSITIONS: Mapping[WorkerState, frozenset[WorkerState]] = {
    WorkerState.LAUNCHING: frozenset({WorkerState.UP, WorkerState.STOPPING, WorkerState.GONE}),
    WorkerState.UP: frozenset({WorkerState.STOPPING, WorkerState.GONE}),
    WorkerState.STOPPING: frozenset({WorkerState.GONE}),
    WorkerState.GONE: frozenset(),
}


def check_run(old: RunState, new: RunState) -> None:
    """Raises: IllegalTransition when a run may not go from `old` to `new`."""
    if new not in RUN_TRANSITIONS[old]:
        raise IllegalTransition(f"A run cannot go from {old} to {new}.")


def check_worker(old: WorkerState, new: WorkerState) -> None:
    """Raises: IllegalTransition when a worker may not go from `old` to `new`."""
    if new not in WORKER_TRANSITIONS[old]:
        raise IllegalTransition(f"A worker cannot go from {old} to {new}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What is wanted of a job. Written by the api alone."""

    cancel_requested_at: datetime | None = None
    delete_requested_at: datetime | None = None  #: hides the job at once and implies a cancel

    @property
    def stop(self) -> bool:
        """Nothing of the job shall run any more."""
        return self.cancel_requested_at is not None or self.delete_requested_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is, in media time."""

    stage: str = ""
    position_seconds: float = 0.0  #: presentation time reached
    duration_seconds: float = 0.0  #: of the video; 0: unknown
    rate: float = 0.0  #: media seconds per second of wall time, over the run so far; 0: unknown

    @property
    def fraction(self) -> float:
        """0 to 1; 0 while the duration is unknown."""
        if self.duration_seconds <= 0:
            return 0.0
        return min(max(self.position_seconds / self.duration_seconds, 0.0), 1.0)

    @property
    def eta_seconds(self) -> float | None:
        """Estimated seconds to the end, None while there is nothing to estimate from."""
        if self.rate <= 0 or self.duration_seconds <= 0:
            return None
        return max(self.duration_seconds - self.position_seconds, 0.0) / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a worker of a pipeline needs."""

    gpus: int = 0
    cpus: float = 1.0
    memory_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One annotation request: one video, one or more pipelines, their parameters."""

    id: str
    kind: JobKind = JobKind.ANNOTATION
    owner_id: str
    group_id: str | None = None
    video_id: str
    #: what this job's upload called the video, whose bytes are kept once; empty: as the video does
    video_name: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)  #: as it was asked for
    priority: int = 0  #: higher goes first
    state: JobState = JobState.PENDING
    wants: Wants = Wants()
    idempotency_key: str | None = None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None  #: when it reached a final state
    cancelled_at: datetime | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One pipeline of one job."""

    id: str
    job_id: str
    position: int  #: place among the runs of its job, from 0, in the order asked for
    pipeline: str
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: after defaults
    ignored_parameters: Mapping[str, str] = field(
        default_factory=dict
    )  #: unknown name -> nearest known one or ""
    resources: Resources = Resources()
    state: RunState = RunState.PENDING
    infrastructure_failures: int = 0
    pipeline_failures: int = 0
    not_before: datetime | None = None  #: end of the back-off
    failure: Failure | None = None  #: of the last attempt that failed; final when FAILED
    progress: Progress = Progress()
    summary: Mapping[str, int] = field(
        default_factory=dict
    )  #: what was found, for people: {"scenes": 12}
    waiting_reason: str = ""
    queue_position: int | None = None  #: from 1, while it waits
    created_at: datetime
    started_at: datetime | None = None  #: when its first worker was launched
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a run. Open until its worker reported its end or is GONE; nothing else counts."""

    run_id: str
    number: int  #: from 1
    worker_id: str
    opened_at: datetime
    over_at: datetime | None = None
    outcome: AttemptOutcome | None = None
    failure: Failure | None = None

    @property
    def open(self) -> bool:
        """Its worker may still be at work."""
        return self.over_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What executes an attempt: a local process, or the pod of a Kubernetes Job."""

    id: str  #: 12 characters of a-z0-9
    run_id: str
    job_id: str
    attempt: int
    state: WorkerState = WorkerState.LAUNCHING
    launcher: str  #: process | kubernetes
    token_sha256: str
    key_version: int = 1  #: of the worker key that its token was made with
    body: Mapping[str, Any] = field(
        default_factory=dict
    )  #: everything the launcher needs to start it, again and again alike
    gpus: tuple[int, ...] = ()  #: indices of local GPUs
    resources: Resources = Resources()
    created_at: datetime
    create_sent_at: datetime | None = None  #: a create was, or is about to be, sent
    identity: str | None = None  #: the process or pod that is called, and no other
    up_at: datetime | None = None
    last_contact_at: datetime | None = None
    stopping_at: datetime | None = None
    #: its end was proved then by what was seen of it, which a later leader may not see any more
    end_seen_at: datetime | None = None
    failure: Failure | None = None  #: why it is being stopped, when the scheduler gave it up
    abandon_requested_at: datetime | None = (
        None  #: written by the api: frees the slot and lets a cancel end
    )
    unproven_since: datetime | None = None
    gone_at: datetime | None = None

    @property
    def charged(self) -> bool:
        """It holds its slot and its GPUs."""
        return self.state is not WorkerState.GONE and self.abandon_requested_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One result file of a run."""

    id: str
    job_id: str
    run_id: str
    pipeline: str
    attempt: int
    name: str  #: the fixed word it is stored under, as `scenes.json`
    #: what a user gets, as `<stem>_scene_detection.json`; `{stem}` stands for the video's name
    public_name: str
    role: str = "result"  #: result | view
    position: int = 0  #: place in the manifest; the file that matters most is first
    media_type: str
    size_bytes: int
    sha256: str


def job_state(runs: Sequence[Run], wants: Wants) -> JobState:
    """The state of a job: a pure function of its runs and of what is wanted."""
    states = [run.state for run in runs]
    if all(state in RUN_FINAL for state in states):
        return _ended(states, wants)
    if wants.stop:
        return JobState.CANCELLING
    begun = any(run.state is not RunState.PENDING or run.started_at is not None for run in runs)
    return JobState.RUNNING if begun else JobState.PENDING


def _ended(states: Sequence[RunState], wants: Wants) -> JobState:
    cancelled = RunState.CANCELLED in states
    if cancelled and (wants.stop or set(states) == {RunState.CANCELLED}):
        return JobState.CANCELLED
    if RunState.SUCCEEDED in states:
        return JobState.COMPLETED
    return JobState.FAILED


def job_error(runs: Sequence[Run]) -> str | None:
    """What to tell about the runs that failed; None when none did."""
    failed = [run.pipeline for run in runs if run.state is RunState.FAILED]
    if not failed:
        return None
    if len(failed) == len(runs):
        return "All pipelines failed. Check pipeline results for details."
    return f"Completed with errors. Failed pipelines: {', '.join(failed)}"
