"""What kwok does with nodes and pods: its node/fast and pod/fast stages, and how a worker ends.

Its own pod/fast ends a pod of a Kubernetes Job at once, and lets a pod that is deleted vanish while
it runs. Here a pod ends when its worker does, and one that is deleted ends first, as on a node.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Body = dict[str, Any]

ENDED = "bench/ended"  #: annotation of a pod whose worker has ended
PODS_OF_A_NODE = 220  # of 254 addresses
PLENTY = {"cpu": "1000", "memory": "4000Gi", "ephemeral-storage": "40000Gi"}

RUNNING = """
{{ $now := Now }}
conditions:
{{ range $index, $type := (list "Initialized" "Ready" "ContainersReady") }}
- lastTransitionTime: {{ $now | Quote }}
  status: "True"
  type: {{ $type | Quote }}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: true
  restartCount: 0
  started: true
  state:
    running:
      startedAt: {{ $now | Quote }}
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
phase: Running
startTime: {{ $now | Quote }}
"""  # noqa: E501 - kwok's own line

OVER = """
{{ $now := Now }}
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: false
  restartCount: 0
  started: false
  state:
    terminated:
      exitCode: 0
      finishedAt: {{ $now | Quote }}
      reason: Completed
      startedAt: {{ $now | Quote }}
{{ end }}
phase: Succeeded
"""

DELETED, KEPT = ".metadata.deletionTimestamp Exists", ".metadata.deletionTimestamp DoesNotExist"
ALIVE, TERMINAL = ".status.phase In Running", ".status.phase In Succeeded,Failed"
ADDRESSLESS, UNTOLD = ".status.podIP DoesNotExist", ".status.phase In Pending"


def pod_stages() -> list[Body]:
    """In place of those that kwok has for pods."""
    by_itself = f'.metadata.annotations["{ENDED}"] Exists'
    return [
        _stage("pod-ready", [KEPT, ADDRESSLESS], {"statusTemplate": RUNNING}),
        _stage("pod-ended", [KEPT, ALIVE, by_itself], {"statusTemplate": OVER}),
        _stage("pod-stopped", [DELETED, ALIVE], {"statusTemplate": OVER}),
        _stage("pod-removed", [DELETED, TERMINAL], {"finalizers": {"empty": True}, "delete": True}),
        _stage("pod-never-ran", [DELETED, UNTOLD], {"delete": True}),
    ]


def _stage(name: str, conditions: Sequence[str], then: Body) -> Body:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": [_condition(each) for each in conditions]},
            "next": then,
        },
    }


def _condition(words: str) -> Body:
    key, operator, *values = words.split()
    chosen = {"values": values[0].split(",")} if values else {}
    return {"key": key, "operator": operator, **chosen}


def nodes(count: int) -> list[Body]:
    """Fake nodes with room for anything but too many pods."""
    room = {**PLENTY, "pods": str(PODS_OF_A_NODE)}
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"fake-{number}",
                "annotations": {"kwok.x-k8s.io/node": "fake"},
                "labels": {"kubernetes.io/hostname": f"fake-{number}"},
            },
            "status": {"allocatable": room, "capacity": room},
        }
        for number in range(count)
    ]


def nodes_for(pods: int) -> int:
    """How many nodes have room for so many pods, and a little more: pods that end hold theirs."""
    return pods * 5 // (PODS_OF_A_NODE * 4) + 2


def takes_pods(told: Mapping[str, Any]) -> bool:
    """Whether a node is ready and nothing keeps pods away from it."""
    conditions = told["status"].get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not told["spec"].get("taints")


def volume(namespace: str, folder: object) -> list[Body]:
    """A volume and the claim of it: a pod without its claim has no place on a node."""
    size = {"storage": "1Gi"}
    shared = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": namespace},
            "spec": {**shared, "capacity": size, "hostPath": {"path": str(folder)}},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": namespace},
            "spec": {**shared, "resources": {"requests": size}, "volumeName": namespace},
        },
    ]


CLAIM = "storage"
