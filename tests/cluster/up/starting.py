"""Brings the cluster up, step by step, so that it can be taken down after each of them."""

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.cluster.up import (
    certificates,
    components,
    configuration,
    images,
    links,
    node,
    packages,
    processes,
    record,
    removing,
)
from tests.cluster.up.places import DNS_READY_PORT, KUBECONFIG, PLACES
from tests.cluster.up.programs import link, program

CONTAINERD = Path("/usr/bin/containerd")
API = ("etcd", "kube-apiserver")
BY_HAND = ("kubectl", "helm")
FIRST = ("etcd", "kube-apiserver", "containerd")
#: Those that start together, once these answer.
LAST = tuple(name for name in components.COMPONENTS if name not in FIRST)


def up(gpus: int) -> None:
    """Brings a cluster up that offers `gpus` GPUs; one that runs already is kept.

    Raises: packages.Missing, processes.Failed, subprocess.CalledProcessError.
    """
    packages.see_to(packages.CLUSTER)
    programs = _programs()
    fingerprint = fingerprint_of(programs)
    if not (was_completed(fingerprint) and _mended(programs)):
        removing.down()
        _start(programs, fingerprint)
        PLACES.completed.touch()
    node.set_gpus(gpus)


def _programs() -> dict[str, Path]:
    """The program of every component, and those that are used by hand, built."""
    built = {name: program_of(name) for name in components.COMPONENTS}
    for name in BY_HAND:
        program(name)
    link()
    return built


def program_of(component: str) -> Path:
    """The program of a component; containerd is Debian's."""
    return CONTAINERD if component == "containerd" else program(component)


def fingerprint_of(programs: dict[str, Path]) -> str:
    """What tells a cluster that was started otherwise: with other arguments, files or programs."""
    orders = [components.order(name, PLACES, path) for name, path in programs.items()]
    files = {str(path): text for path, text in configuration.files(PLACES).items()}
    whole = json.dumps([orders, files, certificates.orders()])
    return hashlib.sha256(whole.encode()).hexdigest()


def was_completed(fingerprint: str) -> bool:
    """Whether a cluster started just so came up, and was not taken down."""
    told = record.read()
    places = (PLACES.completed, PLACES.run, KUBECONFIG)
    return (
        told is not None
        and told.fingerprint == fingerprint
        and all(path.exists() for path in places)
    )


def _mended(programs: dict[str, Path]) -> bool:
    """Starts what ended meanwhile and thaws what is frozen; whether all of it works then."""
    try:
        for name, path in programs.items():
            processes.start(name, path)
            processes.thaw(name)
        processes.until("the API server is ready", lambda: node.answers("/readyz"), 60.0, API)
        node.until_ready()
    except processes.Failed as error:
        print(f"The cluster that runs cannot be mended: {error}", file=sys.stderr)
        return False
    return True


def _start(programs: dict[str, Path], fingerprint: str) -> None:
    steps: dict[str, Callable[[], None]] = {
        "record": lambda: _begin(fingerprint),
        "certificates": _write_files,
        "network": links.make_node_link,
        "etcd": lambda: processes.start("etcd", programs["etcd"]),
        "API server": lambda: _start_api_server(programs),
        "containerd": lambda: _start_containerd(programs),
        "node": lambda: _start_rest(programs),
    }
    for name, step in steps.items():
        print(f"  {name}", file=sys.stderr, flush=True)
        step()


def _begin(fingerprint: str) -> None:
    record.begin(fingerprint)
    for folder in (PLACES.run, PLACES.logs):
        folder.mkdir(mode=0o700)


def _write_files() -> None:
    certificates.make(PLACES.pki)
    for path, text in configuration.files(PLACES).items():
        _write(path, text)
    for user in configuration.USERS:
        _write(PLACES.kubeconfig(user), configuration.kubeconfig(PLACES.pki, user))
    _write(KUBECONFIG, PLACES.kubeconfig("admin").read_text())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _start_api_server(programs: dict[str, Path]) -> None:
    processes.start("kube-apiserver", programs["kube-apiserver"])
    processes.until("the API server is ready", lambda: node.answers("/readyz"), 60.0, API)


def _start_containerd(programs: dict[str, Path]) -> None:
    processes.start("containerd", programs["containerd"])
    processes.until("containerd answers", node.containerd_answers, 30.0, ["containerd"])
    node.import_image(images.pause_archive())


def _start_rest(programs: dict[str, Path]) -> None:
    for name in LAST:
        processes.start(name, programs[name])
    node.kubectl("apply", "-f", "-", given=json.dumps(configuration.dns_objects()))
    node.until_ready()
    processes.until("names are found", _dns_is_ready, 30.0, ["coredns"])
    processes.until("pods may be made", _has_account, 30.0, ["kube-controller-manager"])


def _dns_is_ready() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{DNS_READY_PORT}/ready", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _has_account() -> bool:
    """The controller-manager makes it, a moment after the namespace."""
    return node.answers("/api/v1/namespaces/default/serviceaccounts/default")


def must_be_root() -> None:
    """Raises: packages.Missing for others."""
    if os.geteuid() != 0:
        raise packages.Missing("The cluster's node needs root: sudo make cluster")
