"""A fake cluster: its API server, and functions that let the rest of a cluster act.

    async with FakeCluster() as cluster:
        ...                                  # create Kubernetes Jobs through cluster.kubeconfig
        pod = cluster.pod_of("va-scene-abc")
        cluster.place(pod); cluster.run(pod); cluster.finish(pod, 0)

Kubernetes Jobs get their pods at once, unless `makes_pods` is switched off. With a `runner`, pods
are placed where there is room and their containers really run.
"""

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fakes.kube import bodies
from tests.fakes.kube.jobs import Jobs
from tests.fakes.kube.nodes import Nodes
from tests.fakes.kube.objects import Body, Objects
from tests.fakes.kube.running import Runner
from tests.fakes.kube.server import Received, Server

NODE = "node-1"


class FakeCluster:
    """An API server with a Job controller, a scheduler and nodes behind it."""

    def __init__(self, runner: Runner | None = None, gpus: int | None = None) -> None:
        """`runner` starts containers; `gpus` is how many pods with a GPU run at a time."""
        self.objects = Objects()
        self.server = Server(self.objects, self)
        self.faults = self.server.faults
        self.makes_pods = True  # off: a Job controller that is slow or has no quota
        self.kubelet_obeys = True  # off: a node that does not answer; deleted pods stay
        self.logs: dict[str, str] = {}
        self.nodes = Nodes(self.objects, self.pod_changed, runner, gpus)
        self._jobs = Jobs(self.objects)

    async def __aenter__(self) -> "FakeCluster":
        """Listens."""
        await self.server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends everything that runs."""
        await self.nodes.close()
        await self.server.stop()

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return f"http://127.0.0.1:{self.server.port}"

    def kubeconfig(self, folder: Path, token: str = "secret") -> Path:
        """Writes a kubeconfig file whose user has this token."""
        file = folder / "kubeconfig"
        file.write_text(KUBECONFIG.format(url=self.url, token=token), encoding="utf-8")
        return file

    @property
    def requests(self) -> list[Received]:
        """Every request, as it came."""
        return self.server.received

    def count(self, kind: str) -> int:
        """How many requests of this kind came, such as create-jobs or watch-pods."""
        return self.server.counts()[kind]

    # What the API server asks of the cluster.

    def create(self, kind: str, body: Body) -> Body:
        """Takes a new object; a Kubernetes Job gets its pod."""
        made = self.objects.add(kind, body)
        if kind == "jobs" and self.makes_pods:
            self.make_pod(made["metadata"]["name"])
        return made

    def delete(self, kind: str, name: str, options: Body) -> Body:
        """Begins to delete: a Kubernetes Job in the foreground, a pod with its grace."""
        if kind == "pods":
            return self._delete_pod(name)
        found = self._jobs.delete(name, options.get("propagationPolicy"))
        for pod in self._jobs.pods_of(found):
            forced = pod["metadata"].get("deletionGracePeriodSeconds") == 0
            act = self._remove_pod if forced else self._delete_pod  # nothing holds it any more
            act(pod["metadata"]["name"])
        self._jobs.settle(name)
        return found

    def log_of(self, pod: Body) -> str | None:
        """What a pod wrote; None when its container has not started."""
        name = pod["metadata"]["name"]
        return self.logs.get(name) or self.nodes.log_of(pod)

    # What a test lets the cluster do. Pods are named by name or by the object itself.

    def make_pod(self, job: str) -> Body:
        """The Job controller makes the pod of a Kubernetes Job."""
        pod = self.objects.add("pods", bodies.pod_of(self.job(job)))
        self._jobs.count(job)
        self.nodes.schedule()
        return pod

    def job(self, name: str) -> Body:
        """A Kubernetes Job that is there."""
        found = self.objects.get("jobs", name)
        assert found is not None, f"there is no Kubernetes Job {name}"
        return found

    def pods(self, job: str) -> list[Body]:
        """The pods of a Kubernetes Job."""
        return [
            each
            for each in self.objects.all("pods")
            if each["metadata"]["labels"].get("batch.kubernetes.io/job-name") == job
        ]

    def pod_of(self, job: str) -> str:
        """The name of the one pod of a Kubernetes Job."""
        (pod,) = self.pods(job)
        name: str = pod["metadata"]["name"]
        return name

    def unschedulable(self, pod: str, message: str = "0/1 nodes are available") -> None:
        """The scheduler finds no node."""
        words = {"reason": "Unschedulable", "message": message}
        self._edit(pod, lambda it: bodies.put_condition(it, "PodScheduled", False, **words))

    def place(self, pod: str, node: str = NODE) -> None:
        """The scheduler binds the pod to a node."""
        self.nodes.place(pod, node)

    def hold(self, pod: str, reason: str, message: str = "") -> None:
        """The container waits: ImagePullBackOff, CreateContainerConfigError and so on."""
        self._edit(pod, lambda it: bodies.put_state(it, "waiting", reason=reason, message=message))

    def run(self, pod: str, ip: str = "127.0.0.1") -> None:
        """The container runs and has an address."""
        self.nodes.run(pod, ip)

    def finish(self, pod: str, code: int, message: str = "", reason: str = "") -> None:
        """The container ends with this code and these last words."""
        self.nodes.finish(pod, code, message, reason)

    def evict(self, pod: str, reason: str = "Evicted", message: str = "low on memory") -> None:
        """The node evicts the pod: its containers are killed."""
        words = {"reason": "TerminationByKubelet", "message": message}
        self._edit(pod, lambda it: bodies.put_condition(it, "DisruptionTarget", True, **words))
        self._edit(pod, lambda it: it["status"].update(reason=reason, message=message))
        self.finish(pod, 137, "", "Error")

    def force_delete(self, pod: str) -> None:
        """Somebody deletes the pod with a grace of 0.

        A Kubernetes Job that lives and replaces only what has failed holds the pod until it has
        ended. Without one it is gone here at once, and its process may run on.
        """
        found = self.objects.get("pods", pod)
        assert found is not None
        if not self._jobs.holds(found):
            self._remove_pod(pod)
            return
        self._edit(pod, bodies.put_forced_deletion)
        if self.kubelet_obeys:
            self.nodes.stop(pod, self._remove_pod)

    def lose_node(self, node: str = NODE) -> None:
        """The node stops answering: its pods say so, and what is deleted there stays."""
        self.kubelet_obeys = False
        for pod in self.nodes.on(node):
            words = {"reason": "NodeLost", "message": "Node is not ready"}
            name = pod["metadata"]["name"]
            self._edit(name, lambda it, w=words: bodies.put_condition(it, "Ready", False, **w))

    def find_node(self, node: str = NODE) -> None:
        """The node answers again and ends what was deleted meanwhile."""
        self.kubelet_obeys = True
        for pod in self.nodes.on(node):
            if "deletionTimestamp" in pod["metadata"]:
                self.nodes.stop(pod["metadata"]["name"], self._remove_pod)

    def warn(self, about: Body, reason: str, message: str) -> Body:
        """Tells an event about an object."""
        metadata = about["metadata"]
        regarding = {"kind": about["kind"], "name": metadata["name"], "uid": metadata["uid"]}
        name = f"{metadata['name']}.{self.objects.version:x}"
        return self.objects.add(
            "events",
            {
                "metadata": {"name": name},
                "involvedObject": regarding,
                "reason": reason,
                "message": message,
                "type": "Warning",
            },
        )

    def pod_changed(self, pod: Body) -> None:
        """The Job controller counts the pods of the pod's Kubernetes Job again."""
        for owner in pod["metadata"].get("ownerReferences", []):
            with suppress(KeyError):
                self._jobs.count(owner["name"])
                self._jobs.settle(owner["name"])
        self.nodes.schedule()

    def _delete_pod(self, name: str) -> Body:
        pod = self.objects.get("pods", name)
        assert pod is not None
        if not pod["spec"].get("nodeName") or pod["status"].get("phase") in ("Succeeded", "Failed"):
            return self._remove_pod(name)
        if "deletionTimestamp" not in pod["metadata"]:
            pod = self.objects.change("pods", name, bodies.put_deletion)
            self.pod_changed(pod)
        if self.kubelet_obeys:
            self.nodes.stop(name, self._remove_pod)
        return pod

    def _remove_pod(self, name: str) -> Body:
        gone = self.objects.remove("pods", name)
        self.pod_changed(gone)
        return gone

    def _edit(self, pod: str, edit: Any) -> None:
        self.pod_changed(self.objects.change("pods", pod, edit))


KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: fake
contexts: [{{name: fake, context: {{cluster: fake, user: fake}}}}]
clusters: [{{name: fake, cluster: {{server: "{url}"}}}}]
users: [{{name: fake, user: {{token: "{token}"}}}}]
"""
