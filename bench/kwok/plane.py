"""etcd, API server, controller-manager, scheduler and kwok with ports and a folder of their own."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.kwok import stages
from tests.cluster.up import certificates, components, configuration, node
from tests.cluster.up.places import NODE, Places
from tests.cluster.up.programs import program

START_SECONDS = 120.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.2
USERS = ("admin", "kube-controller-manager", "kube-scheduler")
#: Ends a program with the process that started it, however that one ended.
TIED = ("setpriv", "--pdeathsig", "KILL")

Flags = Mapping[str, object]


class Plane:
    """A cluster without a node that runs anything."""

    def __init__(self, folder: Path) -> None:
        """Keeps what it has below `folder`. Nothing runs before `start`."""
        self.places = Places(state=folder / "state", run=folder / "run")
        self._etcd, self._etcd_peer, self._api = free_ports(3)
        self._running = ExitStack()

    @property
    def address(self) -> str:
        """Of the API server."""
        return f"https://127.0.0.1:{self._api}"

    @property
    def kubeconfig(self) -> Path:
        """Of its administrator."""
        return self.places.kubeconfig("admin")

    def start(self, nodes: int) -> None:
        """Starts everything and waits until `nodes` fake nodes take pods."""
        certificates.make(self.places.pki)
        for folder in (self.places.files, self.places.logs, self.places.run):
            folder.mkdir(parents=True, exist_ok=True)
        for user in USERS:
            self.places.kubeconfig(user).write_text(self.kubeconfig_of(user))
        self._start("etcd", self._etcd_flags())
        self._start("kube-apiserver", self._api_flags())
        until("the API server is ready", lambda: node.answers("/readyz", self.kubeconfig))
        for name in ("kube-controller-manager", "kube-scheduler"):
            self._start(name, {"secure-port": 0})
        self._start_kwok()
        self.apply(*stages.nodes(nodes))
        until("every node is ready", lambda: self._ready() == nodes)

    def kubeconfig_of(self, user: str, server: str = "") -> str:
        """How a user reaches the API server, or `server` in its stead."""
        told = json.loads(configuration.kubeconfig(self.places.pki, user))
        told["clusters"][0]["cluster"]["server"] = server or self.address
        return json.dumps(told)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Makes these objects."""
        whole = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl("apply", "-f", "-", given=json.dumps(whole))

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """What kubectl prints. Raises: processes.Failed."""
        return node.kubectl(*words, given=given, kubeconfig=self.kubeconfig)

    def namespace(self, name: str, folder: Path) -> None:
        """A namespace in which pods can be made, with a claim of the volume `folder`."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.apply(*stages.volume(name, folder))
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        until("pods may be made", lambda: node.answers(account, self.kubeconfig))
        claim = ("get", "pvc", "-n", name, "-o", "jsonpath={.items[*].status.phase}")
        until("the volume is bound", lambda: self.kubectl(*claim) == "Bound")

    def close(self) -> None:
        """Ends everything, the last first."""
        self._running.close()

    def _ready(self) -> int:
        told = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return sum(stages.takes_pods(each) for each in told)

    def _start(self, name: str, others: Flags) -> None:
        flags = {**components.ARGUMENTS[name](self.places), **others}
        self._run(name, [f"--{key}={value}" for key, value in flags.items()])

    def _start_kwok(self) -> None:
        written = self.places.files / "stages.yaml"
        written.write_text("\n---\n".join(json.dumps(each) for each in stages.pod_stages()))
        lease = "--node-lease-duration-seconds=40"
        self._run(
            "kwok",
            ["--manage-all-nodes", lease, f"--config={written}", f"--kubeconfig={self.kubeconfig}"],
        )

    def _run(self, name: str, arguments: list[str]) -> None:
        with self.places.log(name).open("ab") as log:
            process = subprocess.Popen(
                [*TIED, str(program(name)), *arguments],
                cwd=self.places.state,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._running.callback(_end, process)

    def _etcd_flags(self) -> Flags:
        here, peer = (f"https://127.0.0.1:{port}" for port in (self._etcd, self._etcd_peer))
        return {
            "listen-client-urls": here,
            "advertise-client-urls": here,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"{NODE}={peer}",
        }

    def _api_flags(self) -> Flags:
        return {
            "advertise-address": "127.0.0.1",
            "bind-address": "127.0.0.1",
            "secure-port": self._api,
            "etcd-servers": f"https://127.0.0.1:{self._etcd}",
            "endpoint-reconciler-type": "none",  # nobody reaches it from inside
        }


@contextmanager
def plane(folder: Path, nodes: int) -> Iterator[Plane]:
    """A control plane with fake nodes, until left. What it says is lost with its folder."""
    made = Plane(folder)
    try:
        made.start(nodes)
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def until(what: str, happened: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Looks until something has happened. Raises: SystemExit when it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise SystemExit(f"Waited in vain until {what}.")
        time.sleep(LOOK_SECONDS)


def free_ports(count: int) -> list[int]:
    """Ports of this machine on which nobody listens."""
    with ExitStack() as held:
        taken = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
