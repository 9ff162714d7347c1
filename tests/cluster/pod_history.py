"""Every pod of a namespace as it comes, changes and goes, and what its node runs meanwhile."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from tests.cluster.given import GivenCluster
from tests.cluster.up.node import GPU
from tests.cluster.up.programs import CACHE, program
from videoannotator.scheduler.launchers.kubernetes import names

TERMINAL = ("Succeeded", "Failed")
AGAIN_SECONDS = 0.2  #: before it watches again when the API server hung up

Pod = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The pods of the namespace after one change, and those with a process on the node."""

    kind: str  # ADDED, MODIFIED, DELETED
    pod: Pod  # the one that changed
    pods: tuple[Pod, ...]
    with_processes: frozenset[str]  # by UID; also of pods that the API has forgotten
    gpu_pods: frozenset[str]  # every pod that ever wanted a GPU, by UID

    def holding_gpus(self) -> set[str]:
        """The UIDs of pods that hold a GPU: on a node, and not ended."""
        return {
            uid_of(pod)
            for pod in self.pods
            if wants_gpu(pod) and pod["spec"].get("nodeName") and not ended(pod)
        }

    def gpu_processes(self) -> frozenset[str]:
        """The UIDs of pods that want a GPU and have a process on the node, whatever the API says.

        A pod that was deleted from the API is among them while its processes last.
        """
        return self.with_processes & self.gpu_pods

    def without_place(self) -> list[Pod]:
        """The pods that no node has."""
        return [pod for pod in self.pods if not pod["spec"].get("nodeName") and not ended(pod)]


def uid_of(pod: Pod) -> str:
    """The UID of a pod."""
    return str(pod["metadata"]["uid"])


def job_of(pod: Pod) -> str:
    """The job of ours that a pod works for."""
    return str(pod["metadata"]["labels"].get(names.JOB, ""))


def wants_gpu(pod: Pod) -> bool:
    """Whether it asks for a GPU."""
    limits = [each["resources"].get("limits", {}) for each in pod["spec"]["containers"]]
    return any(GPU in each for each in limits)


def ended(pod: Pod) -> bool:
    """Whether every process of it has ended, as its node says."""
    return pod["status"].get("phase") in TERMINAL


@dataclass
class PodHistory:
    """All that a watch of pods has shown, in the API server's order."""

    cluster: GivenCluster
    namespace: str
    moments: list[Moment] = field(default_factory=list)
    hung_up: int = 0  #: how often the API server ended the watch
    _known: dict[str, Pod] = field(default_factory=dict)
    _ever: dict[str, Pod] = field(default_factory=dict)
    _over: bool = False
    _watch: "subprocess.Popen[str] | None" = None

    def follow(self) -> None:
        """Watches until it is closed, anew when the API server hangs up."""
        while not self._over:
            with self._started() as watch:
                assert watch.stdout is not None
                for told in _values(watch.stdout):
                    self._note(told["type"], told["object"])
            self.hung_up += not self._over
            threading.Event().wait(AGAIN_SECONDS)

    def close(self) -> None:
        """Ends the watch."""
        self._over = True
        if self._watch is not None:
            self._watch.kill()

    def of_job(self, job_id: str) -> list[Moment]:
        """What was seen of the pods of one job."""
        return [moment for moment in self.moments if job_of(moment.pod) == job_id]

    def first(self, job_id: str) -> int:
        """The place in the order of the first pod of a job."""
        found = [n for n, each in enumerate(self.moments) if job_of(each.pod) == job_id]
        assert found, f"no pod of job {job_id} was seen"
        return found[0]

    def ended_at(self, job_id: str) -> int:
        """The place in the order where no pod of a job could run any more; -1: it had none."""
        last: dict[str, int] = {}
        for number, moment in enumerate(self.moments):
            over = moment.kind == "DELETED" or ended(moment.pod)
            if job_of(moment.pod) == job_id and over:
                last.setdefault(uid_of(moment.pod), number)
        pods = {uid_of(each.pod) for each in self.of_job(job_id)}
        assert last.keys() == pods, f"a pod of job {job_id} has not ended"
        return max(last.values(), default=-1)

    def _started(self) -> "subprocess.Popen[str]":
        words = (
            str(program("kubectl")),
            f"--kubeconfig={self.cluster.kubeconfig}",
            f"--cache-dir={CACHE / 'kubectl'}",
            f"--namespace={self.namespace}",
            *("get", "pods", "--watch", "--output-watch-events", "--output=json"),
        )
        self._watch = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        return self._watch

    def _note(self, kind: str, pod: Pod) -> None:
        self._known[uid_of(pod)] = self._ever[uid_of(pod)] = pod
        if kind == "DELETED":
            del self._known[uid_of(pod)]
        running = self.cluster.processes_of_pods() if self.cluster.ours else {}
        living = {uid for uid, pids in running.items() if pids}
        self.moments.append(
            Moment(
                kind=kind,
                pod=pod,
                pods=tuple(self._known.values()),
                with_processes=frozenset(living & self._ever.keys()),
                gpu_pods=frozenset(uid for uid, each in self._ever.items() if wants_gpu(each)),
            )
        )


@contextmanager
def history_of(cluster: GivenCluster, namespace: str) -> Iterator[PodHistory]:
    """Watches the pods of a namespace inside the block."""
    history = PodHistory(cluster, namespace)
    thread = threading.Thread(target=history.follow, daemon=True)
    thread.start()
    try:
        yield history
    finally:
        history.close()
        thread.join()


def _values(stream: IO[str]) -> Iterator[dict[str, Any]]:
    """The JSON values of a stream that holds one after the other, each on lines of its own."""
    lines = ""
    for line in stream:
        lines += line
        if line[:1] in "{}" and line.rstrip()[-1:] == "}":  # a whole line, or the last of many
            yield dict(json.loads(lines))
            lines = ""
