"""Why a worker's pod failed or is stuck: pure, from what the cluster shows.

What ended a pod from outside is read before exit codes: a pod that was preempted, drained or
evicted ends with 137 or 143 like one that was simply killed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from videoannotator.domain.failures import Code, Failure
from videoannotator.scheduler.launchers.endings import Ending, failure_of
from videoannotator.scheduler.launchers.kubernetes.evidence import (
    DISRUPTED,
    DISRUPTIONS,
    FAILED_WITH_STATUS,
    KILL_FAULTS,
    NO_SUCH_PROGRAM,
    NODE_FAULTS,
    NODE_PROGRESS,
    NOT_FOUND,
    NOT_STARTED,
    OUT_OF,
    OWN_DISK,
    PASSING_REFUSALS,
    POD_REASONS,
    PULL_LATER,
    QUOTA,
    REFUSALS,
    SANDBOX,
    WAITING_REASONS,
    condition,
    newest,
)
from videoannotator.scheduler.launchers.kubernetes.placing import WAITS_FOR_A_PLACE, shortage
from videoannotator.scheduler.launchers.kubernetes.views import (
    SUCCEEDED,
    ContainerView,
    EventView,
    JobView,
    PodView,
)

MESSAGE_LENGTH = 300
LOG_LINES = 20
RUNNING = "Running"
PULLING = "image is being pulled"
NODE_SILENT = "its node does not answer"

#: What is only seen in a pod that still waits is believed after so many seconds; None: never, it
#: is for people to know. All else is final when it is seen.
PATIENCE_SECONDS: Mapping[Code, float | None] = {
    Code.UNSCHEDULABLE_CAPACITY: None,
    Code.UNSCHEDULABLE_CONFIG: 180.0,
    Code.SPEC_REJECTED: 180.0,
    Code.START_TIMEOUT: 180.0,  # no pod and no event
    Code.IMAGE_PULL: 180.0,  # a registry may be away for a moment
    Code.CONTAINER_CONFIG: 30.0,  # a new Secret takes a moment to reach the node
    Code.CONTAINER_CREATE: 180.0,
}


def diagnose(
    pod: PodView | None, job: JobView | None, events: Sequence[EventView]
) -> Failure | None:
    """Why a worker failed, or what keeps it from starting; None while nothing is wrong.

    For workers whose Kubernetes Job was created; `events` are those of it and of its pod. What is
    only stuck is to be believed when it is `due`. Whether there is a result is asked before.
    """
    if pod is None:
        return _without_pod(job, events)
    outside = _pod_reason(pod) or _disruption(pod)
    if outside is not None:
        return outside
    if not pod.ended:
        return _deleted(pod, job) or _stuck(pod, events)
    own = _end(pod)
    if own is None or own.code is not Code.KILLED_UNKNOWN:
        return own
    return _deleted(pod, job) or own


def due(failure: Failure, pod: PodView | None, since: datetime, now: datetime) -> bool:
    """Whether a diagnosis is to be believed.

    `since` is when the same code was first seen of this worker and has been ever since.
    """
    if pod is not None and (pod.ended or pod.deletion_timestamp is not None):
        return True
    patience = PATIENCE_SECONDS.get(failure.code, 0.0)
    return patience is not None and now - since >= timedelta(seconds=patience)


def waiting_for(pod: PodView | None, job: JobView | None, events: Sequence[EventView]) -> str:
    """What a worker waits for, in a few words for people; empty when it does not."""
    if pod is None:
        return _for_a_pod(job, events)
    if pod.ended:
        return ""
    if pod.deletion_timestamp is not None:
        return f"is being ended: {why_slow(pod, events)}".removesuffix(": ")
    if pod.phase == RUNNING:
        return NODE_SILENT if node_silent(pod) else "starts"
    missing = shortage(pod, events)
    if missing is not None:
        return missing.words
    return _for_its_container(pod, events) if pod.node_name else WAITS_FOR_A_PLACE


def why_slow(pod: PodView, events: Sequence[EventView]) -> str:
    """A guess why a pod takes long to end; empty when there is nothing to guess from."""
    last = newest(events, NODE_PROGRESS | KILL_FAULTS)
    if node_silent(pod):
        return NODE_SILENT
    if last is not None and last.reason in KILL_FAULTS:
        return "the node cannot end its container"
    return PULLING if last is not None and last.reason == "Pulling" else ""


def node_silent(pod: PodView) -> bool:
    """Whether the cluster does not hear the pod's node.

    Nothing probes a worker: only the node's absence makes a running pod unready.
    """
    unready = any(each.type == "Ready" and each.status == "False" for each in pod.conditions)
    container = pod.container
    return unready and container is not None and container.state == "running"


def _for_a_pod(job: JobView | None, events: Sequence[EventView]) -> str:
    if job is None or job.finished or job.deletion_timestamp is not None:
        return ""
    if condition(job.conditions, "Suspended"):
        return "waits for the cluster's own queue"
    refused = newest(events, {"FailedCreate"})
    if refused is None:
        return "waits for its pod"
    return "waits for the namespace's quota" if QUOTA in refused.message else "gets no pod"


def _for_its_container(pod: PodView, events: Sequence[EventView]) -> str:
    """What the node does for a pod that it has."""
    stuck = _waits(pod.container) or _node_fault(events)
    if stuck is not None:
        words = stuck.message.partition(":")[0].rstrip(".")
        return words[0].lower() + words[1:]
    last = newest(events, NODE_PROGRESS)
    return PULLING if last is not None and last.reason == "Pulling" else "container is being made"


# --- a pod that is there


def _pod_reason(pod: PodView) -> Failure | None:
    if pod.reason in REFUSALS or OUT_OF.match(pod.reason):
        return _told(Code.ADMISSION_REJECTED, "The node refused the worker", pod.message)
    if pod.reason == "Evicted" and any(words in pod.message for words in OWN_DISK):
        return Failure(
            code=Code.PIPELINE_ERROR,
            message="The worker used more disk than it may.",
            hint="Ask the operator for more ephemeral storage for this pipeline.",
        )
    known = POD_REASONS.get(pod.reason)
    return None if known is None else Failure(code=known[0], message=known[1])


def _disruption(pod: PodView) -> Failure | None:
    """What the cluster did to a pod that is ending or has ended."""
    if not pod.ended and pod.deletion_timestamp is None:
        return None
    found = condition(pod.conditions, "DisruptionTarget")
    if found is None:
        return None
    if found.reason == "TerminationByKubelet" and "shutdown" in found.message:
        return Failure(code=Code.NODE_SHUTDOWN, message="The node was shut down.")
    code, message = DISRUPTIONS.get(
        found.reason, (Code.DRAINED, "The cluster took the worker's place.")
    )
    return Failure(code=code, message=message)


def _deleted(pod: PodView, job: JobView | None) -> Failure | None:
    """What somebody else deleted. Only whoever asks knows whether we did it ourselves."""
    if job is not None and _being_deleted(job):
        return Failure(
            code=Code.DELETED_BY_OPERATOR, message="An operator deleted the Kubernetes Job."
        )
    if pod.deletion_timestamp is None:
        return None
    if job is None:
        return Failure(code=Code.JOB_VANISHED, message="The Kubernetes Job was deleted.")
    return Failure(code=Code.POD_VANISHED, message="The pod was deleted.")


def _being_deleted(job: JobView) -> bool:
    """Somebody deletes it; one that has finished is deleted when its time has come."""
    return job.deletion_timestamp is not None and not job.finished


def _stuck(pod: PodView, events: Sequence[EventView]) -> Failure | None:
    """What keeps a pod from starting."""
    if pod.phase not in ("", "Pending"):
        return None
    missing = shortage(pod, events)
    if missing is not None:
        code = Code.UNSCHEDULABLE_CAPACITY if missing.passing else Code.UNSCHEDULABLE_CONFIG
        return Failure(code=code, message=_sentence("The worker has no node", missing.words))
    return _waits(pod.container) or _node_fault(events)


def _waits(container: ContainerView | None) -> Failure | None:
    if container is None or container.state != "waiting":
        return None
    known = WAITING_REASONS.get(container.reason)
    if known is None or any(words in container.message for words in PULL_LATER):
        return None
    code, what = known
    if code is Code.CONTAINER_CREATE:
        return _not_made(what, container.message)
    return _told(code, what, container.message)


def _node_fault(events: Sequence[EventView]) -> Failure | None:
    """What the node complains about and has not overcome since."""
    last = newest(events, NODE_FAULTS | NODE_PROGRESS)
    if last is None or last.reason in NODE_PROGRESS:
        return None
    if NOT_FOUND.search(last.message):
        return _told(Code.CONTAINER_CONFIG, "A volume cannot be mounted", last.message)
    what = "The pod cannot be set up" if last.reason == SANDBOX else "A volume cannot be mounted"
    return _not_made(what, last.message)


def _end(pod: PodView) -> Failure | None:
    """Why the worker's container ended; None when it ended well."""
    container = pod.container
    if pod.phase == SUCCEEDED:
        return None
    if container is None or container.state != "terminated":
        return Failure(code=Code.KILLED_UNKNOWN, message="The worker ended without a word.")
    if container.reason in NOT_STARTED:
        return _not_started(container)
    if container.reason == "OOMKilled":
        return Failure(
            code=Code.OOM_KILLED,
            message="The worker ran out of memory.",
            log_tail=_log_tail(container.message),
        )
    words = _words(container.message)
    tail = () if words else _log_tail(container.message)
    return failure_of(Ending(status=container.exit_code, words=words, log_tail=tail))


def _not_started(container: ContainerView) -> Failure:
    if NO_SUCH_PROGRAM in container.message:
        return Failure(
            code=Code.SPEC_INVALID,
            message="The worker's program is not in the image.",
            hint="The operator must check the image of this pipeline.",
        )
    return _not_made("The container cannot be started", container.message)


def _words(message: str) -> Mapping[str, Any]:
    """The worker's last words; empty when the message is the end of its log."""
    try:
        told = json.loads(message)
    except ValueError:
        return {}
    return told if isinstance(told, dict) and "code" in told and "hint" in told else {}


def _log_tail(message: str) -> tuple[str, ...]:
    return tuple(message.replace("\0", "\ufffd").splitlines()[-LOG_LINES:])


# --- no pod


def _without_pod(job: JobView | None, events: Sequence[EventView]) -> Failure | None:
    if job is None:
        return Failure(code=Code.JOB_VANISHED, message="The Kubernetes Job is not there any more.")
    if _being_deleted(job):
        return Failure(
            code=Code.DELETED_BY_OPERATOR, message="An operator deleted the Kubernetes Job."
        )
    if job.finished:
        return _failed_job(job)
    if job.active or job.terminating or condition(job.conditions, "Suspended"):
        return None
    return _no_pod_made(events)


def _failed_job(job: JobView) -> Failure | None:
    """What a Kubernetes Job remembers of a pod that is not there any more."""
    failed = condition(job.conditions, "Failed")
    if failed is None:
        return None
    if failed.reason == "DeadlineExceeded":
        return Failure(code=Code.DEADLINE, message="The worker lived longer than it may.")
    if DISRUPTED in failed.message:
        return Failure(code=Code.DRAINED, message="The cluster took the worker's place.")
    status = FAILED_WITH_STATUS.search(failed.message)
    if status is None:
        return Failure(code=Code.POD_VANISHED, message="The pod is not there any more.")
    return failure_of(Ending(status=int(status[1])))


def _no_pod_made(events: Sequence[EventView]) -> Failure:
    refused = newest(events, {"FailedCreate"})
    if refused is None or any(words in refused.message for words in PASSING_REFUSALS):
        return Failure(
            code=Code.START_TIMEOUT,
            message="The cluster makes no pod for the worker.",
            hint="The operator must check the cluster's controllers and webhooks.",
        )
    if QUOTA in refused.message:
        return _told(Code.QUOTA_EXCEEDED, "The cluster makes no pod", _refusal(refused.message))
    return _told(Code.SPEC_REJECTED, "The cluster makes no pod", _refusal(refused.message))


def _refusal(message: str) -> str:
    """Without the name that a pod would have had, which is another one each time."""
    return re.sub(r'^Error creating: (pods "[^"]*" is forbidden: )?', "", message)


# --- words


def _told(code: Code, what: str, said: str) -> Failure:
    """A failure with what the cluster said about it, for the operator."""
    return Failure(code=code, message=_sentence(what, said))


def _not_made(what: str, said: str) -> Failure:
    """A node that cannot make the pod; its words are full of paths and go with the log."""
    return Failure(code=Code.CONTAINER_CREATE, message=f"{what}.", log_tail=_log_tail(said))


def _sentence(what: str, said: str) -> str:
    plain = " ".join(said.replace("\0", "\ufffd").split())
    short = plain if len(plain) <= MESSAGE_LENGTH else plain[: MESSAGE_LENGTH - 3] + "..."
    return f"{what}: {short}".rstrip(".: ") + "."
