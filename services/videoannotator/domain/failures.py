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


class Remedy(StrEnum):
    """What is done about a failure while somebody pays for it."""

    WAIT = "wait"  #: the run goes back into the queue; nothing is wrong with it
    RETRY = "retry"
    RETRY_ELSEWHERE = "retry elsewhere"  #: on another node, where there is one
    FAIL = "fail"  #: another try would end alike
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a code means: how it is told, who pays, what is done, and what the owner may do."""

    evidence: str
    budget: Budget
    remedy: Remedy
    hint: str  #: what to do next, for the owner of the job; may be replaced by a more exact one


def _rule(budget: Budget, remedy: Remedy, evidence: str, hint: str) -> Rule:
    return Rule(evidence=evidence, budget=budget, remedy=remedy, hint=hint)


INFRASTRUCTURE, PIPELINE, FREE, NEVER = (
    Budget.INFRASTRUCTURE,
    Budget.PIPELINE,
    Budget.FREE,
    Budget.NEVER,
)
WAIT, RETRY, RETRY_ELSEWHERE, FAIL = (
    Remedy.WAIT,
    Remedy.RETRY,
    Remedy.RETRY_ELSEWHERE,
    Remedy.FAIL,
)

#: The one table of failures. `exit` is the exit status of the worker's process.
RULES: dict[Code, Rule] = {
    Code.UNSCHEDULABLE_CAPACITY: _rule(
        FREE,
        WAIT,
        "PodScheduled is False: Insufficient ..., or nodes that are not ready now",
        "The cluster has no room; the run waits.",
    ),
    Code.UNSCHEDULABLE_CONFIG: _rule(
        NEVER,
        FAIL,
        "PodScheduled is False for 3 minutes by selector, taint or volume claim alone",
        "No node fits. The operator must check node selector and resource name.",
    ),
    Code.QUOTA_EXCEEDED: _rule(
        FREE,
        WAIT,
        "403 or FailedCreate: exceeded quota",
        "The namespace's quota is used up; the run waits.",
    ),
    Code.SPEC_INVALID: _rule(
        NEVER,
        FAIL,
        "400, 413 or 422 for the create; exit 126 or 127; a program that is not in the image",
        "The operator must mend the chart's values.",
    ),
    Code.SPEC_REJECTED: _rule(
        NEVER,
        FAIL,
        "FailedCreate for 3 minutes: service account, priority class, Pod Security, a webhook's no",
        "The operator must mend the cluster's rules.",
    ),
    Code.NAME_TAKEN: _rule(
        INFRASTRUCTURE,
        RETRY,
        "409 for the create, and what is there is not ours",
        "Tried again under another name.",
    ),
    Code.IMAGE_NAME: _rule(
        NEVER, FAIL, "waiting: InvalidImageName", "The operator must mend the image's name."
    ),
    Code.IMAGE_PULL: _rule(
        INFRASTRUCTURE,
        RETRY_ELSEWHERE,
        "waiting for 3 minutes: ErrImagePull, ImagePullBackOff, ErrImageNeverPull",
        "The operator must check the registry and the pull secret.",
    ),
    Code.CONTAINER_CONFIG: _rule(
        NEVER,
        FAIL,
        "waiting for 30 s: CreateContainerConfigError, or a mount whose Secret is not found",
        "The operator must make the missing Secret or ConfigMap.",
    ),
    Code.CONTAINER_CREATE: _rule(
        INFRASTRUCTURE,
        RETRY_ELSEWHERE,
        "waiting for 3 minutes: CreateContainerError, a sandbox or a mount that fails; StartError",
        "The operator must check the node.",
    ),
    Code.START_TIMEOUT: _rule(
        INFRASTRUCTURE,
        RETRY,
        "no answer to Describe in time; no pod and no event for 3 minutes",
        "The worker did not answer in time; see its log.",
    ),
    Code.UNREACHABLE: _rule(
        INFRASTRUCTURE,
        RETRY,
        "no answer to KeepAlive in time; exit 76",
        "The worker stopped answering; tried again.",
    ),
    Code.OOM_KILLED: _rule(
        PIPELINE,
        RETRY,
        "terminated: OOMKilled; a MemoryError in the pipeline",
        "The worker ran out of memory; ask the operator for a larger limit.",
    ),
    Code.GPU_OOM: _rule(PIPELINE, RETRY, "exit 66", "Use a smaller model or a smaller batch."),
    Code.GPU_DIRTY: _rule(
        INFRASTRUCTURE,
        RETRY_ELSEWHERE,
        "exit 75",
        "The GPU was still held by something else; tried elsewhere.",
    ),
    Code.EVICTED_NODE_PRESSURE: _rule(
        INFRASTRUCTURE,
        RETRY_ELSEWHERE,
        "pod reason Evicted, but for the worker's own use of disk",
        "The node ran short of disk or memory; tried elsewhere.",
    ),
    Code.PREEMPTED: _rule(
        FREE,
        WAIT,
        "DisruptionTarget: PreemptionByScheduler; pod reason Preempting",
        "More urgent work took the place; the run waits.",
    ),
    Code.NODE_LOST: _rule(
        INFRASTRUCTURE,
        RETRY_ELSEWHERE,
        "DisruptionTarget: DeletionByTaintManager or DeletionByPodGC; pod reason NodeLost",
        "The node was lost; tried elsewhere.",
    ),
    Code.DRAINED: _rule(
        FREE,
        WAIT,
        "DisruptionTarget: EvictionByEvictionAPI; the service was stopped",
        "The worker was moved away; the run starts again.",
    ),
    Code.NODE_SHUTDOWN: _rule(
        FREE,
        WAIT,
        "pod reason Terminated, NodeShutdown or Shutdown",
        "The node was shut down; the run starts again.",
    ),
    Code.ADMISSION_REJECTED: _rule(
        INFRASTRUCTURE,
        RETRY_ELSEWHERE,
        "pod reason UnexpectedAdmissionError, NodeAffinity, OutOf...",
        "The node refused the pod; tried elsewhere.",
    ),
    Code.DEADLINE: _rule(
        PIPELINE,
        RETRY,
        "longer than the pipeline's time limit; pod reason DeadlineExceeded",
        "The run took longer than allowed; ask the operator for a longer time limit.",
    ),
    Code.NO_PROGRESS: _rule(
        PIPELINE,
        RETRY,
        "no progress for scheduler.no_progress_seconds",
        "The pipeline made no progress; see the last log lines.",
    ),
    Code.KILLED_UNKNOWN: _rule(
        INFRASTRUCTURE,
        RETRY,
        "ended by a signal, as exit 137 or 143, and nothing says why",
        "The worker ended without a word; see the last log lines.",
    ),
    Code.POD_VANISHED: _rule(
        INFRASTRUCTURE,
        RETRY,
        "the pod was deleted by hand, or is gone and nobody saw its end",
        "The pod was deleted; tried again.",
    ),
    Code.JOB_VANISHED: _rule(
        INFRASTRUCTURE,
        RETRY,
        "the Kubernetes Job is gone and nobody saw its deletion begin",
        "The Kubernetes Job was deleted; tried again.",
    ),
    Code.DELETED_BY_OPERATOR: _rule(
        Budget.CANCEL,
        Remedy.CANCEL,
        "deletionTimestamp on the Kubernetes Job, and the deletion was not ours",
        "An operator ended this run.",
    ),
    Code.STORAGE_ERROR: _rule(
        INFRASTRUCTURE,
        RETRY,
        "exit 74; the worker's word",
        "The storage did not take or give bytes; the operator must check it.",
    ),
    Code.MANIFEST_INVALID: _rule(
        INFRASTRUCTURE,
        RETRY,
        "the manifest does not fit the files beside it",
        "The result files were damaged on their way; tried again.",
    ),
    Code.MEDIA_ERROR: _rule(
        NEVER,
        FAIL,
        "exit 65; the worker's word",
        "Play the file in another program; convert it to MP4 (H.264, AAC) if only that works.",
    ),
    Code.REQUEST_ERROR: _rule(
        NEVER,
        FAIL,
        "exit 64; the worker's word",
        "Check the parameters against the pipeline's schema.",
    ),
    Code.PIPELINE_ERROR: _rule(
        PIPELINE,
        RETRY,
        "exit 1 and all others; more disk than the worker may use",
        "The pipeline failed; see the last log lines.",
    ),
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
