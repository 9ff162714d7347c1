"""The images that the cluster itself needs: pause for every pod, and a small Debian with Python."""

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cluster.up import oci, packages
from tests.cluster.up.places import PAUSE_IMAGE
from tests.cluster.up.programs import CACHE, program

FOLDER = CACHE / "images"
BASE_NAME = "localhost/python-on-debian:bookworm"
RELEASE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-venv")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: What apt can fetch again.
UNNEEDED = ("var/cache/apt", "var/lib/apt/lists", "var/log")


def pause_archive() -> Path:
    """The archive of the image that holds a pod's namespaces."""
    built = program("pause")
    path = FOLDER / f"{built.parent.name}.tar"
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            layer = Path(folder) / "layer"
            oci.layer_of_files(layer, {"/pause": built.read_bytes()})
            oci.archive(path, layer, oci.Image(name=PAUSE_IMAGE, entrypoint=["/pause"]))
    return path


def base_archive() -> Path:
    """The OCI archive of BASE_NAME: Debian's minimum with Python 3.11, made once (about 1 minute).

    Raises: packages.Missing without debootstrap, subprocess.CalledProcessError.
    """
    words = " ".join((RELEASE, platform.machine(), *PACKAGES))
    path = FOLDER / f"base-{hashlib.sha256(words.encode()).hexdigest()[:12]}.tar"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _make_base(path)
    return path


def base_image() -> str:
    """The name of the base image in buildah's own storage, for a Dockerfile's BASE_IMAGE.

    Raises: as base_archive; packages.Missing without buildah.
    """
    packages.see_to(packages.IMAGES)
    archive = base_archive()
    if _buildah("images", "--quiet", BASE_NAME).returncode != 0:
        _buildah("pull", "--quiet", f"oci-archive:{archive}").check_returncode()
    return BASE_NAME


def _buildah(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["buildah", *words], capture_output=True, text=True, check=False)


def _make_base(path: Path) -> None:
    packages.see_to(packages.BASE_IMAGE)
    print(f"Making {BASE_NAME} (once)", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        root, layer = Path(folder) / "root", Path(folder) / "layer"
        _debootstrap(root)
        oci.layer_of_folder(layer, root)
        image = oci.Image(name=BASE_NAME, entrypoint=[], environment=[PATH, "LANG=C.UTF-8"])
        oci.archive(path, layer, image)


def _debootstrap(root: Path) -> None:
    include = f"--include={','.join(PACKAGES)}"
    order = ["debootstrap", "--variant=minbase", include, RELEASE, str(root)]
    with (FOLDER / "debootstrap.log").open("w") as log:
        subprocess.run(order, stdout=log, stderr=log, check=True)
    for name in UNNEEDED:
        shutil.rmtree(root / name)
        (root / name).mkdir()
    for name in ("dev", "proc", "sys"):  # the runtime mounts its own
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(exist_ok=True)
