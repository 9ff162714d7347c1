"""Why an attempt failed: the one table of codes, with who pays for a retry and what to do next."""

from dataclasses import dataclass
from enum import StrEnum


class Budget(StrEnum):
    """Who pays for another try."""

    INFRASTRUCTURE = "infrastructure"  #: a fault of ours, of the cluster or of the machine
    PIPELINE = "pipeline"  #: the pipeline's own fault
    FREE = "free"  #: preemption, drain, quota: costs nothing within the deadline
    NEVER = "never"  #: the same input would fail in the same way; no retry
    CANCEL = "cancel"  #: an operator ended it: the run is cancelled


class Code(StrEnum):
    """What happened. The values are public: they stand in REST, gRPC, events and metrics."""

    UNSCHEDULABLE_CAPACITY = "UNSCHEDULABLE_CAPACITY"
    UNSCHEDULABLE_CONFIG = "UNSCHEDULABLE_CONFIG"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    SPEC_INVALID = "SPEC_INVALID"
    SPEC_REJECTED = "SPEC_REJECTED"
    NAME_TAKEN = "NAME_TAKEN"
    IMAGE_NAME = "IMAGE_NAME"
    IMAGE_PULL = "IMAGE_PULL"
    CONTAINER_CONFIG = "CONTAINER_CONFIG"
    CONTAINER_CREATE = "CONTAINER_CREATE"
    START_TIMEOUT = "START_TIMEOUT"
    UNREACHABLE = "UNREACHABLE"
    OOM_KILLED = "OOM_KILLED"
    GPU_OOM = "GPU_OOM"
    GPU_DIRTY = "GPU_DIRTY"
    EVICTED_NODE_PRESSURE = "EVICTED_NODE_PRESSURE"
    PREEMPTED = "PREEMPTED"
    NODE_LOST = "NODE_LOST"
    DRAINED = "DRAINED"
    NODE_SHUTDOWN = "NODE_SHUTDOWN"
    ADMISSION_REJECTED = "ADMISSION_REJECTED"
    DEADLINE = "DEADLINE"
    NO_PROGRESS = "NO_PROGRESS"
    KILLED_UNKNOWN = "KILLED_UNKNOWN"
    POD_VANISHED = "POD_VANISHED"
    JOB_VANISHED = "JOB_VANISHED"
    DELETED_BY_OPERATOR = "DELETED_BY_OPERATOR"
    STORAGE_ERROR = "STORAGE_ERROR"
    MANIFEST_INVALID = "MANIFEST_INVALID"
    MEDIA_ERROR = "MEDIA_ERROR"
    REQUEST_ERROR = "REQUEST_ERROR"
    PIPELINE_ERROR = "PIPELINE_ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a code means for the retry and for the user."""

    budget: Budget
    hint: str  #: what to do next, for the owner of the job; may be replaced by a more exact one


INFRASTRUCTURE, PIPELINE, FREE, NEVER = (
    Budget.INFRASTRUCTURE,
    Budget.PIPELINE,
    Budget.FREE,
    Budget.NEVER,
)

RULES: dict[Code, Rule] = {
    Code.UNSCHEDULABLE_CAPACITY: Rule(budget=FREE, hint="The cluster has no room; the run waits."),
    Code.UNSCHEDULABLE_CONFIG: Rule(
        budget=NEVER, hint="No node fits. The operator must check node selector and resource name."
    ),
    Code.QUOTA_EXCEEDED: Rule(budget=FREE, hint="The namespace's quota is used up; the run waits."),
    Code.SPEC_INVALID: Rule(budget=NEVER, hint="The operator must mend the chart's values."),
    Code.SPEC_REJECTED: Rule(budget=NEVER, hint="The operator must mend the cluster's rules."),
    Code.NAME_TAKEN: Rule(budget=INFRASTRUCTURE, hint="Tried again under another name."),
    Code.IMAGE_NAME: Rule(budget=NEVER, hint="The operator must mend the image's name."),
    Code.IMAGE_PULL: Rule(
        budget=INFRASTRUCTURE, hint="The operator must check the registry and the pull secret."
    ),
    Code.CONTAINER_CONFIG: Rule(
        budget=NEVER, hint="The operator must make the missing Secret or ConfigMap."
    ),
    Code.CONTAINER_CREATE: Rule(budget=INFRASTRUCTURE, hint="The operator must check the node."),
    Code.START_TIMEOUT: Rule(
        budget=INFRASTRUCTURE, hint="The worker did not answer in time; see its log."
    ),
    Code.UNREACHABLE: Rule(
        budget=INFRASTRUCTURE, hint="The worker stopped answering; tried again."
    ),
    Code.OOM_KILLED: Rule(
        budget=PIPELINE, hint="The worker ran out of memory; ask the operator for a larger limit."
    ),
    Code.GPU_OOM: Rule(budget=PIPELINE, hint="Use a smaller model or a smaller batch."),
    Code.GPU_DIRTY: Rule(
        budget=INFRASTRUCTURE, hint="The GPU was still held by something else; tried elsewhere."
    ),
    Code.EVICTED_NODE_PRESSURE: Rule(
        budget=INFRASTRUCTURE, hint="The node ran short of disk or memory; tried elsewhere."
    ),
    Code.PREEMPTED: Rule(budget=FREE, hint="More urgent work took the place; the run waits."),
    Code.NODE_LOST: Rule(budget=INFRASTRUCTURE, hint="The node was lost; tried elsewhere."),
    Code.DRAINED: Rule(budget=FREE, hint="The worker was moved away; the run starts again."),
    Code.NODE_SHUTDOWN: Rule(budget=FREE, hint="The node was shut down; the run starts again."),
    Code.ADMISSION_REJECTED: Rule(
        budget=INFRASTRUCTURE, hint="The node refused the pod; tried elsewhere."
    ),
    Code.DEADLINE: Rule(
        budget=PIPELINE,
        hint="The run took longer than allowed; ask the operator for a longer time limit.",
    ),
    Code.NO_PROGRESS: Rule(
        budget=PIPELINE, hint="The pipeline made no progress; see the last log lines."
    ),
    Code.KILLED_UNKNOWN: Rule(
        budget=INFRASTRUCTURE, hint="The worker ended without a word; see the last log lines."
    ),
    Code.POD_VANISHED: Rule(budget=INFRASTRUCTURE, hint="The pod was deleted; tried again."),
    Code.JOB_VANISHED: Rule(
        budget=INFRASTRUCTURE, hint="The Kubernetes Job was deleted; tried again."
    ),
    Code.DELETED_BY_OPERATOR: Rule(budget=Budget.CANCEL, hint="An operator ended this run."),
    Code.STORAGE_ERROR: Rule(
        budget=INFRASTRUCTURE,
        hint="The storage did not take or give bytes; the operator must check it.",
    ),
    Code.MANIFEST_INVALID: Rule(
        budget=INFRASTRUCTURE, hint="The result files were damaged on their way; tried again."
    ),
    Code.MEDIA_ERROR: Rule(
        budget=NEVER,
        hint="Play the file in another program; convert it to MP4 (H.264, AAC) if only that works.",
    ),
    Code.REQUEST_ERROR: Rule(
        budget=NEVER, hint="Check the parameters against the pipeline's schema."
    ),
    Code.PIPELINE_ERROR: Rule(budget=PIPELINE, hint="The pipeline failed; see the last log lines."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why one attempt ended without a result."""

    code: Code
    message: str  #: what happened, one sentence, without paths or stack traces
    hint: str = ""  #: what to do next; empty: the code's own
    stage: str = ""  #: what the pipeline was doing
    position_seconds: float | None = None  #: media time at which it happened
    log_tail: tuple[str, ...] = ()  #: the worker's last log lines, oldest first

    @property
    def advice(self) -> str:
        """The hint to show."""
        return self.hint or RULES[self.code].hint


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Budgets and back-off."""

    infrastructure_failures: int = 3  #: tries that faults of the infrastructure may cost
    pipeline_failures: int = 0  #: tries that the pipeline's own faults may cost
    base_delay_seconds: float = 2.0
    max_delay_seconds: float = 300.0
    jitter: float = 0.1  #: the share by which a delay is varied, both ways


class Verdict(StrEnum):
    """What a failure means for its run."""

    RETRY = "retry"
    FAIL = "fail"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The outcome of `classify`: what to do, and the budgets after it."""

    verdict: Verdict
    infrastructure_failures: int
    pipeline_failures: int


def classify(failure: Failure, infrastructure: int, pipeline: int, policy: RetryPolicy) -> Ruling:
    """Decides which budget pays for `failure` and whether it holds another try.

    `infrastructure` and `pipeline` are the failures the run has paid for so far.
    """
    budget = RULES[failure.code].budget
    infrastructure += budget is Budget.INFRASTRUCTURE
    pipeline += budget is Budget.PIPELINE
    if budget is Budget.CANCEL:
        verdict = Verdict.CANCEL
    elif (
        budget is Budget.NEVER
        or infrastructure > policy.infrastructure_failures
        or pipeline > policy.pipeline_failures
    ):
        verdict = Verdict.FAIL
    else:
        verdict = Verdict.RETRY
    return Ruling(
        verdict=verdict, infrastructure_failures=infrastructure, pipeline_failures=pipeline
    )


def backoff_seconds(failures: int, policy: RetryPolicy, dice: float) -> float:
    """Exponential back-off before the next try.

    `failures` counts those so far (1 or more); `dice` is a random number in [0, 1) that spreads
    the delay by the jitter.
    """
    doubled = policy.base_delay_seconds * 2.0 ** min(max(failures - 1, 0), 30)
    return min(doubled, policy.max_delay_seconds) * (1 + policy.jitter * (2 * dice - 1))
