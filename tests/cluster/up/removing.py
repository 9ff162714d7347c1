"""Takes the cluster down with every trace, however far its start came."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.up import cgroups, links, processes, record
from tests.cluster.up.images import FOLDER as IMAGES
from tests.cluster.up.places import KUBECONFIG, NAME, PLACES

#: containerd's shims listen here, whatever containerd's own folders are.
SHIM_SOCKETS = Path("/run/containerd/s")
#: Notes of CNI about each pod.
CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_LOGS = Path("/var/log/containers")


def down() -> bool:
    """Removes processes, mounts, links, tables, cgroups and folders; False when there were none.

    Raises: processes.Failed, OSError.
    """
    present = PLACES.state.exists() or PLACES.run.exists() or bool(cgroups.members())
    sockets = _shim_sockets()
    processes.kill_all()
    unmount(PLACES.state, PLACES.run, IMAGES)
    if present:
        links.remove()
    cgroups.remove()
    _remove_foreign(sockets)
    _put_back()
    for folder in (PLACES.run, PLACES.state):  # the record last
        shutil.rmtree(folder, ignore_errors=not folder.exists())
    KUBECONFIG.unlink(missing_ok=True)
    return present


def unmount(*folders: Path) -> None:
    """Unmounts everything below the folders."""
    while points := mount_points(cgroups.MOUNTS.read_text(), folders):
        for point in points:
            subprocess.run(["umount", "--lazy", point], check=True, capture_output=True)


def mount_points(mounts: str, folders: Iterable[Path]) -> list[str]:
    """The mount points below the folders, the innermost and latest first, from mountinfo."""
    points = [_unescaped(line.split()[4]) for line in mounts.splitlines()]
    return [
        point
        for point in reversed(points)
        if any(Path(point).is_relative_to(folder) for folder in folders)
    ]


def _unescaped(point: str) -> str:
    """mountinfo writes a space as backslash 040."""
    return point.encode("latin-1", "backslashreplace").decode("unicode_escape")


def _shim_sockets() -> set[Path]:
    """The sockets that our pods' shims wrote down; the shims leave them when they are killed."""
    notes = PLACES.run.glob("containerd/io.containerd.runtime.v2.task/*/*/address")
    return {Path(note.read_text().strip().removeprefix("unix://")) for note in notes}


def _remove_foreign(sockets: Iterable[Path]) -> None:
    """Removes what the programs wrote outside our folders."""
    for path in sockets:
        path.unlink(missing_ok=True)
    for path in CNI_RESULTS.glob(f"{NAME}-*"):
        path.unlink()
    for path in CONTAINER_LOGS.glob("*.log"):
        if path.is_symlink() and path.readlink().is_relative_to(PLACES.pod_logs):
            path.unlink()


def _put_back() -> None:
    """The machine's settings, and what was absent of the system's folders."""
    told = record.read()
    if told is None:
        return
    links.put_back(told.sysctls)
    for name in told.absent:
        path = Path(name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
