"""The cluster that tests work on: what they may ask of it, and what they may do to it."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.up import cgroups, images, node, processes, starting
from tests.cluster.up.components import COMPONENTS
from tests.cluster.up.places import KUBECONFIG, NODE

#: For a cluster that is not ours, which fetches it.
PUBLIC_PYTHON = "docker.io/library/python:3.11-slim"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCluster:
    """A cluster that runs.

    What reaches into the machine (components, processes, images) works on the cluster of
    `make cluster` only; on another one the test is skipped.
    """

    kubeconfig: Path
    node: str
    api: str  # the API server's address
    ours: bool  # it is the cluster of make cluster

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """What kubectl prints; `given` goes to its standard input. Raises: Failed."""
        return node.kubectl(*words, given=given, kubeconfig=self.kubeconfig)

    def set_gpus(self, gpus: int) -> None:
        """Makes the node offer so many nvidia.com/gpu."""
        if self.ours:
            node.set_gpus(gpus)
        else:
            node.advertise(gpus, self.node, self.kubeconfig)

    def start(self, component: str) -> None:
        """Starts a component that was stopped or killed, and waits until it does its work."""
        self._need_ours()
        renewed = node.renewed_at() if component == "kubelet" else ""
        processes.start(component, starting.program_of(component))
        if component == "kube-apiserver":
            processes.until("the API server is ready", lambda: node.answers("/readyz"), 60.0)
        if component == "kubelet":
            node.until_back(renewed)

    def stop(self, component: str) -> None:
        """Ends a component as an administrator does: kube-apiserver, kubelet, etcd, …"""
        self._need_ours()
        processes.stop(component)

    def kill(self, component: str) -> None:
        """Ends a component as a crash does."""
        self._need_ours()
        processes.kill(component)

    def freeze(self, component: str) -> None:
        """Holds a component until `thaw`."""
        self._need_ours()
        processes.freeze(component)

    def thaw(self, component: str) -> None:
        """Lets a frozen component go on."""
        self._need_ours()
        processes.thaw(component)

    def mend(self) -> None:
        """Thaws and starts every component that a test left frozen or ended."""
        for component in COMPONENTS if self.ours else ():
            if processes.running(component) is None:
                self.start(component)
            else:
                processes.thaw(component)

    def compact_etcd(self) -> int:
        """Makes etcd forget every older revision; the API server still answers from its memory."""
        self._need_ours()
        return node.compact_etcd()

    def forget_history(self) -> int:
        """Makes the API server say 410 to every older revision; the oldest one that it knows.

        It loses its memory of them by being started again.
        """
        oldest = self.compact_etcd()
        self.stop("kube-apiserver")
        self.start("kube-apiserver")
        return oldest

    def processes_of_pods(self) -> dict[str, set[int]]:
        """The process ids of each pod by its UID, from the node's kernel, whatever the API says."""
        self._need_ours()
        return {uid: pids - _pauses(pids) for uid, pids in cgroups.pods().items()}

    def import_image(self, archive: Path) -> None:
        """Gives the node the images of an OCI archive."""
        self._need_ours()
        node.import_image(archive)

    def python_image(self) -> str:
        """The name of an image with Python 3.11 that pods of tests can run."""
        if not self.ours:
            return PUBLIC_PYTHON
        if images.BASE_NAME not in node.images():
            node.import_image(images.base_archive())
        return images.BASE_NAME

    def _need_ours(self) -> None:
        if not self.ours:
            pytest.skip("reaches into the machine of the node: needs the cluster of make cluster")


def given_cluster() -> GivenCluster:
    """The cluster of KUBECONFIG, or that of make cluster. Fails the tests when there is none."""
    named = os.environ.get("KUBECONFIG", "")
    kubeconfig = Path(named.split(os.pathsep)[0]).resolve() if named else KUBECONFIG
    if not kubeconfig.exists():
        pytest.fail("There is no cluster. Bring one up: make cluster", pytrace=False)
    ours = kubeconfig == KUBECONFIG
    return GivenCluster(
        kubeconfig=kubeconfig,
        node=NODE if ours else _first_node(kubeconfig),
        api=_server(kubeconfig),
        ours=ours,
    )


def _first_node(kubeconfig: Path) -> str:
    path = "jsonpath={.items[0].metadata.name}"
    return node.kubectl("get", "nodes", "-o", path, kubeconfig=kubeconfig)


def _server(kubeconfig: Path) -> str:
    path = "jsonpath={.clusters[0].cluster.server}"
    return node.kubectl("config", "view", "--minify", "-o", path, kubeconfig=kubeconfig)


def _pauses(pids: set[int]) -> set[int]:
    """Which of these only hold the namespaces of their pod."""
    return {pid for pid in pids if _command(pid).startswith("/pause")}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "/pause"  # gone meanwhile, so no process of the pod
