"""What a cluster may leave on a machine, to be compared before and after."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tests.cluster.up import cgroups, links, record
from tests.cluster.up.places import NAME

#: Where programs of a cluster make files and folders.
FOLDERS = (
    "/etc",
    "/opt",
    "/run",
    "/run/containerd",
    "/run/netns",
    "/usr/libexec",
    "/var/lib",
    "/var/lib/cni",
    "/var/log",
)
#: The components name our folders in their arguments.
PROGRAMS = frozenset({"containerd-shim-runc-v2", "pause", "runc"})
NAMESPACES = ("mnt", "net", "pid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """A machine as it was at one moment."""

    processes: frozenset[str]
    mounts: frozenset[str]
    links: frozenset[str]
    tables: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]
    sysctls: frozenset[str]


def look() -> Traces:
    """The machine as it is."""
    mounts = (" ".join(line.split()[3:5]) for line in cgroups.MOUNTS.read_text().splitlines())
    return Traces(
        processes=frozenset(_processes()),
        mounts=frozenset(mounts),
        links=frozenset(links.names()),
        tables=frozenset(links.tables()),
        cgroups=frozenset(_cgroups()),
        files=frozenset(str(path) for folder in FOLDERS for path in _listed(Path(folder))),
        sysctls=frozenset(f"{name} = {value}" for name, value in record.sysctls().items()),
    )


def difference(before: Traces, after: Traces) -> dict[str, dict[str, set[str]]]:
    """What came and what went, by kind; empty when nothing did."""
    was, now = asdict(before), asdict(after)
    return {
        kind: {"came": set(now[kind] - was[kind]), "went": set(was[kind] - now[kind])}
        for kind in was
        if was[kind] != now[kind]
    }


def _processes() -> Iterator[str]:
    """Those of a cluster's programs, and all that live in namespaces of their own, as pods do."""
    ours = _namespaces(os.getpid())
    for process in psutil.process_iter():
        try:
            name, words = process.name(), " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        elsewhere = _namespaces(process.pid) not in (ours, ())
        if name in PROGRAMS or NAME in words or (elsewhere and words):
            yield f"{process.pid} {name} {words}"


def _namespaces(pid: int) -> tuple[str, ...]:
    try:
        return tuple(str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in NAMESPACES)
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return ()  # gone, or what runs this machine


def _cgroups() -> Iterator[str]:
    for tree in cgroups.mounted():
        for path, _, _ in os.walk(tree):
            if NAME in path or "kubepods" in path:
                yield path


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
