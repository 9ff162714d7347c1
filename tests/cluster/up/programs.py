"""The programs of a cluster and what is tried on one: built once from Go modules, then found.

`program("helm")` is the path of a program; the first call builds it, which takes a minute or five.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).resolve().parents[1]
ROOT = MODULE.parents[1]
CACHE = ROOT / ".make" / "cluster"
KUBERNETES = "v1.34.4"
NO_GO = "Go is not installed. It builds the programs of the cluster: https://go.dev/doc/install"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a program comes from."""

    package: str
    version: str | None = None  # None: what tests/cluster/go.mod says


SOURCES = {
    **{
        name: Source(package=f"k8s.io/kubernetes/cmd/{name}")
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        )
    },
    "etcd": Source(package="go.etcd.io/etcd/server/v3"),
    "ends": Source(package="./ends"),
    "gpus": Source(package="./gpus"),
    "pause": Source(package="./pause"),
    "coredns": Source(package="github.com/coredns/coredns", version="v1.12.4"),
    "helm": Source(package="helm.sh/helm/v3/cmd/helm", version="v3.19.5"),
    "kubeconform": Source(package="github.com/yannh/kubeconform/cmd/kubeconform", version="v0.7.0"),
    "kwok": Source(package="sigs.k8s.io/kwok/cmd/kwok", version="v0.7.0"),
    "versitygw": Source(package="github.com/versity/versitygw/cmd/versitygw", version="v1.8.0"),
}


def program(name: str) -> Path:
    """The path of a program, which is built when it is not there.

    Raises: KeyError for a name that is not in SOURCES, subprocess.CalledProcessError when Go
    cannot build it, FileNotFoundError without Go.
    """
    source = SOURCES[name]
    path = CACHE / "programs" / f"{name}-{key(source, sums(source))}" / name
    if not path.exists():
        _build_once(name, source, path)
    return path


def link(folder: Path = CACHE / "bin", names: Iterable[str] = SOURCES) -> Path:
    """Fills a folder for PATH with links to the programs that are built; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        source = SOURCES[name]
        path = CACHE / "programs" / f"{name}-{key(source, sums(source))}" / name
        if path.exists():
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(path)
    return folder


def key(source: Source, built_of: bytes) -> str:
    """What tells one build of a program from another: its version, or what it was built of."""
    if source.version is not None:
        return source.version
    return f"{KUBERNETES}-{hashlib.sha256(built_of).hexdigest()[:12]}"


def sums(source: Source) -> bytes:
    """What a program is built of: our module's list of sums, and our own code where it is ours."""
    own = sorted((MODULE / source.package).glob("*.go")) if source.package.startswith("./") else []
    return b"".join(path.read_bytes() for path in (MODULE / "go.mod", MODULE / "go.sum", *own))


def build_order(source: Source, output: Path) -> list[str]:
    """The command that builds a program as the file `output`, or installs it into that folder."""
    if source.version is not None:
        order = ["go", "install", "-trimpath", "-ldflags", "-s -w"]
        return [*order, f"{source.package}@{source.version}"]
    return ["go", "build", "-trimpath", "-ldflags", flags(), "-o", str(output), source.package]


def flags() -> str:
    """What the linker writes into the programs of Kubernetes: their own version."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    told = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor}
    words = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items()]
    return " ".join(["-s", "-w", *words])


def _build_once(name: str, source: Source, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent / "lock"):
        if not path.exists():
            print(f"Building {name} (once)", file=sys.stderr, flush=True)
            _build(source, path)
    _forget_older(name, path.parent)


def _build(source: Source, path: Path) -> None:
    """Builds beside the final place, so that half a program is never found."""
    if shutil.which("go") is None:
        raise FileNotFoundError(NO_GO)
    folder = path.parent / "building"
    environment = os.environ | {"CGO_ENABLED": "0", "GOBIN": str(folder)}
    built = folder / path.name
    subprocess.run(build_order(source, built), cwd=MODULE, env=environment, check=True)
    built.replace(path)
    shutil.rmtree(folder)


def _forget_older(name: str, kept: Path) -> None:
    for folder in kept.parent.glob(f"{name}-v*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
