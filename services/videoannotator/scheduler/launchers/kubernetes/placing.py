"""Why the cluster's own scheduler has no node for a pod: pure, from what it says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from videoannotator.scheduler.launchers.kubernetes.views import EventView, PodView

#: The rest of its message tells of preemption, which is not what is missing.
PREEMPTION = "preemption:"
LACKS = re.compile(r"Insufficient ([\w./-]*\w)")

#: Words for what will pass: room is made, a node comes back or is added.
PASSING = (
    "Insufficient",
    "Too many pods",
    "were unschedulable",
    "no nodes available",
    "cannot allocate all claims",
    "free ports",
    "max volume count",
    "pod anti-affinity",
    "taint {node.kubernetes.io/",
    "taint {node.cloudprovider.kubernetes.io/",
    "taint {ToBeDeletedByClusterAutoscaler",
    "taint {DeletionCandidateOfClusterAutoscaler",
)
#: Words for what somebody must mend, and how it is told.
TO_MEND = {
    "affinity/selector": "no node has the labels of the node selector",
    "untolerated taint": "every node has a taint that is not tolerated",
    "unbound immediate PersistentVolumeClaims": "its volume claim is not bound",
    "persistentvolumeclaim": "its volume claim is not there",
    "available persistent volumes": "there is no volume for its claim",
    "volume node affinity": "no node can have its volume",
}
#: What brings a node that was not there when the scheduler looked.
NODE_IS_COMING = frozenset({"TriggeredScaleUp", "Nominated", "ProvisioningStarted"})

KINDS_OF_ROOM = {
    "cpu": "waits for a CPU",
    "memory": "waits for memory",
    "ephemeral-storage": "waits for disk space on a node",
    "pods": "waits for a place on a node",
}
WAITS_FOR_A_PLACE = "waits for a place on a node"
WAITS_FOR_A_GPU = "waits for a GPU"
WAITS_FOR_A_NODE = "waits for a new node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What keeps a pod from a node."""

    words: str  #: for people
    passing: bool  #: it needs patience alone; else somebody must mend something


def shortage(pod: PodView, events: Sequence[EventView]) -> Shortage | None:
    """Why a pod has no node; None when it has one or nobody has looked for one yet."""
    told = [each for each in pod.conditions if each.type == "PodScheduled"]
    if pod.node_name or not any(each.reason == "Unschedulable" for each in told):
        return None
    if any(event.reason in NODE_IS_COMING for event in events):
        return Shortage(words=WAITS_FOR_A_NODE, passing=True)
    return read(told[0].message)


def read(message: str) -> Shortage:
    """What the scheduler's message says; what nobody knows is taken for a lack of room."""
    about = message.partition(PREEMPTION)[0]
    if not any(words in about for words in PASSING):
        for words, meaning in TO_MEND.items():
            if words in about:
                return Shortage(words=f"no node fits: {meaning}", passing=False)
    return Shortage(words=_room(LACKS.findall(about)), passing=True)


def _room(resources: Sequence[str]) -> str:
    if any(is_gpu(resource) for resource in resources):
        return WAITS_FOR_A_GPU
    known = (KINDS_OF_ROOM.get(each, f"waits for {each}") for each in resources)
    return next(known, WAITS_FOR_A_PLACE)


def is_gpu(resource: str) -> bool:
    """Whether a resource of nodes is a GPU or a part of one, as nvidia.com/mig-1g.5gb."""
    return "gpu" in resource or resource.startswith("nvidia.com/")
