"""Debian packages that the cluster needs: installed where that is possible."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

#: What shows that a package is there, by the package's name.
CLUSTER: Mapping[str, str] = {
    "conntrack": "conntrack",
    "containerd": "containerd",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iproute2": "ip",
    "nftables": "nft",
    "openssl": "openssl",
    "runc": "runc",
}
BASE_IMAGE: Mapping[str, str] = {"debootstrap": "debootstrap"}
IMAGES: Mapping[str, str] = {"buildah": "buildah", **BASE_IMAGE}
SYSTEM = "/usr/sbin:/sbin"  # not in everybody's PATH


class Missing(RuntimeError):
    """A package is not there and cannot be installed; says what to do."""


def see_to(packages: Mapping[str, str]) -> None:
    """Installs the packages that are missing, as root on Debian and its relatives.

    Raises: Missing when that is not possible.
    """
    missing = lacking(packages)
    if not missing:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _install(missing)
    missing = lacking(packages)
    if missing:
        order = "apt-get install --no-install-recommends " + " ".join(missing)
        raise Missing(f"Not installed: {', '.join(missing)}. On Debian: {order}")


def lacking(packages: Mapping[str, str]) -> list[str]:
    """The packages that are not there, in the order of their names."""
    return sorted(name for name, shown_by in packages.items() if not _present(shown_by))


def _present(shown_by: str) -> bool:
    if shown_by.startswith("/"):
        return Path(shown_by).exists()
    return shutil.which(shown_by, path=f"{os.environ.get('PATH', '')}:{SYSTEM}") is not None


def _install(names: Sequence[str]) -> None:
    print(f"Installing {', '.join(names)}", file=sys.stderr, flush=True)
    if not _quietly("install", "--yes", "--no-install-recommends", *names):
        _quietly("update")
        _quietly("install", "--yes", "--no-install-recommends", *names)


def _quietly(*words: str) -> bool:
    """Runs apt-get; RUNLEVEL=1: the services of new packages are not started."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    order = ["apt-get", "--quiet", "--option=DPkg::Lock::Timeout=300", *words]
    done = subprocess.run(order, env=environment, stdout=subprocess.DEVNULL, check=False)
    return done.returncode == 0
