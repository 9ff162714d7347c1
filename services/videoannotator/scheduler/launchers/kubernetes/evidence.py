"""What Kubernetes' own words mean: the reasons and messages of pods, containers and events."""

import re
from collections.abc import Collection, Mapping, Sequence

from videoannotator.domain.failures import Code
from videoannotator.scheduler.launchers.kubernetes.views import Condition, EventView

#: Reasons of a pod, set by its node.
POD_REASONS: Mapping[str, tuple[Code, str]] = {
    "Evicted": (Code.EVICTED_NODE_PRESSURE, "The node ran short and evicted the worker."),
    "Terminated": (Code.NODE_SHUTDOWN, "The node was shut down."),
    "NodeShutdown": (Code.NODE_SHUTDOWN, "The node was shutting down."),
    "Shutdown": (Code.NODE_SHUTDOWN, "The node was shut down."),
    "Preempting": (Code.PREEMPTED, "More urgent work took the worker's place."),
    "Preempted": (Code.PREEMPTED, "More urgent work took the worker's place."),
    "DeadlineExceeded": (Code.DEADLINE, "The worker lived longer than it may."),
    "NodeLost": (Code.NODE_LOST, "The node was lost."),
}
#: Reasons with which a node refuses a pod before anything of it runs.
REFUSALS = frozenset(
    {
        "UnexpectedAdmissionError",
        "NodeAffinity",
        "NodeName",
        "NodePorts",
        "NodeUnschedulable",
        "TaintToleration",
        "TopologyAffinityError",
        "InvalidNodeInfo",
        "PodOSNotSupported",
        "PodOSSelectorNodeLabelDoesNotMatch",
        "PodFeatureUnsupported",
        "AppArmor",
    }
)
OUT_OF = re.compile(r"OutOf[a-z]")  # OutOfcpu, OutOfmemory, OutOfnvidia.com/gpu
#: The worker used more disk than it may: its own doing, unlike a node that ran short.
OWN_DISK = ("exceeds the total limit of containers", "exceeded its local ephemeral", "EmptyDir")
#: Reasons of the condition DisruptionTarget.
DISRUPTIONS: Mapping[str, tuple[Code, str]] = {
    "PreemptionByScheduler": (Code.PREEMPTED, "More urgent work took the worker's place."),
    "DeletionByTaintManager": (Code.NODE_LOST, "The node does not answer or may not be used."),
    "DeletionByPodGC": (Code.NODE_LOST, "The node is not there any more."),
    "EvictionByEvictionAPI": (Code.DRAINED, "The node was drained."),
    "TerminationByKubelet": (Code.EVICTED_NODE_PRESSURE, "The node ended the worker."),
}
#: Reasons for which a container waits.
WAITING_REASONS: Mapping[str, tuple[Code, str]] = {
    "InvalidImageName": (Code.IMAGE_NAME, "The image's name is not valid"),
    "ErrImagePull": (Code.IMAGE_PULL, "The image cannot be pulled"),
    "ImagePullBackOff": (Code.IMAGE_PULL, "The image cannot be pulled"),
    "ErrImageNeverPull": (Code.IMAGE_PULL, "The image is not on the node and may not be pulled"),
    "ImageInspectError": (Code.IMAGE_PULL, "The image cannot be read"),
    "RegistryUnavailable": (Code.IMAGE_PULL, "The registry does not answer"),
    "SignatureValidationFailed": (Code.IMAGE_PULL, "The image's signature is not valid"),
    "CreateContainerConfigError": (Code.CONTAINER_CONFIG, "What the container needs is missing"),
    "CreateContainerError": (Code.CONTAINER_CREATE, "The container cannot be made"),
    "RunContainerError": (Code.CONTAINER_CREATE, "The container cannot be started"),
}
#: The node or the registry asks for patience: the image will come.
PULL_LATER = ("pull QPS exceeded", "toomanyrequests", "429 Too Many Requests")
NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
NO_SUCH_PROGRAM = 'exec: "'
SANDBOX = "FailedCreatePodSandBox"
#: Events of a node that cannot make the pod, and those that tell that it could.
NODE_FAULTS = frozenset({"FailedMount", "FailedAttachVolume", SANDBOX})
NODE_PROGRESS = frozenset({"Pulling", "Pulled", "Created", "Started"})
NOT_FOUND = re.compile(r'(secret|configmap) "[^"]*" not found')
#: A webhook or the API server that does not answer says nothing about the pod.
PASSING_REFUSALS = ("failed calling webhook", "Internal error occurred", "timed out", "timeout")
QUOTA = "exceeded quota"
FAILED_WITH_STATUS = re.compile(r"failed with exit code (\d+) ")
DISRUPTED = "condition DisruptionTarget"
#: The node cannot end a pod.
KILL_FAULTS = frozenset({"FailedKillPod", "FailedKillContainer"})


def newest(events: Sequence[EventView], reasons: Collection[str]) -> EventView | None:
    """The event with one of `reasons` that was seen last."""
    found = [each for each in events if each.reason in reasons]
    return max(found, key=_seen_at, default=None)


def _seen_at(event: EventView) -> float:
    return event.last_at.timestamp() if event.last_at else 0.0


def condition(conditions: Sequence[Condition], kind: str) -> Condition | None:
    """The condition of that type, when it holds."""
    return next((each for each in conditions if each.type == kind and each.holds), None)
