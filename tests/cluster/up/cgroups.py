"""The cgroup below which every process of the cluster is: what it holds, its making and its end."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.cluster.up.places import NAME

MOUNTS = Path("/proc/self/mountinfo")
#: Of version 1, where the processes of the node itself are written down; version 2 has one tree.
TRACKING = "pids"
INHERITED = ("cpuset.cpus", "cpuset.mems")  # empty in a new cgroup of version 1
BUSY_SECONDS = 10.0


def hierarchies(mounts: str) -> tuple[Path, ...]:
    """Where the trees of cgroups are mounted, from the text of mountinfo."""
    found = []
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] in ("cgroup", "cgroup2"):
            found.append(Path(before.split()[4]))
    return tuple(found)


def tracking(trees: Sequence[Path]) -> Path:
    """The tree in which the processes of the node are written down."""
    return next((tree for tree in trees if tree.name == TRACKING), trees[0])


def mounted() -> tuple[Path, ...]:
    """The trees of this machine."""
    return hierarchies(MOUNTS.read_text())


def make() -> Path:
    """Makes our cgroup in every tree; the one for the processes of the node."""
    trees = mounted()
    for tree in trees:
        ours = tree / NAME
        ours.mkdir(exist_ok=True)
        for name in INHERITED:
            if (tree / name).exists():
                (ours / name).write_text((tree / name).read_text())
    system = tracking(trees) / NAME / "system"
    system.mkdir(exist_ok=True)
    return system


def members() -> set[int]:
    """The process ids of everything below our cgroup."""
    found: set[int] = set()
    for folder in _ours():
        found |= processes_in(folder)
    return found


def pods() -> dict[str, set[int]]:
    """The process ids of each pod that has some, by the pod's UID."""
    found: dict[str, set[int]] = {}
    for folder in _below(tracking(mounted()) / NAME):
        uid = pod_of(folder)
        if uid is not None:
            found.setdefault(uid, set()).update(processes_in(folder))
    return {uid: pids for uid, pids in found.items() if pids}


def pod_of(folder: Path) -> str | None:
    """The UID of the pod to which a cgroup belongs; None for any other."""
    for part in folder.parts:
        if part.startswith("pod") and len(part) == len("pod") + 36:
            return part.removeprefix("pod")
    return None


def processes_in(folder: Path) -> set[int]:
    """The processes of one cgroup; none when it is gone."""
    try:
        return {int(line) for line in (folder / "cgroup.procs").read_text().split()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EOPNOTSUPP):
            return set()
        raise


def remove() -> None:
    """Removes our cgroups, which are empty; the kernel may need a moment after their last process.

    Raises: OSError when one stays busy.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    for folder in sorted(_ours(), key=lambda path: len(path.parts), reverse=True):
        _remove(folder, deadline)


def _remove(folder: Path, deadline: float) -> None:
    while True:
        try:
            with contextlib.suppress(FileNotFoundError):
                folder.rmdir()
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _ours() -> Iterator[Path]:
    for tree in mounted():
        yield from _below(tree / NAME)


def _below(folder: Path) -> Iterator[Path]:
    """The folder and those below; one that goes away meanwhile is left out."""
    return (Path(path) for path, _, _ in os.walk(folder))
