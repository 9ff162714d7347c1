"""Runs an image as a cluster would: by runc, as its own user, with nothing to write but /tmp."""

import json
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "localhost/videoannotator"
SECONDS = 120
#: Mount points that every container has; the API server's defaults, in runc's words.
MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "mode=755"],
    },
    {
        "destination": "/dev/shm",
        "type": "tmpfs",
        "source": "shm",
        "options": ["nosuid", "nodev", "noexec", "mode=1777"],
    },
    {
        "destination": "/tmp",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "nodev", "mode=1777"],
    },
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A built image, with its files in a folder of this machine."""

    name: str
    root: Path
    config: dict[str, Any]  #: as in the standard for images: User, Env, Entrypoint, Labels
    history: list[dict[str, Any]]

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in it, without a network, a capability or a way to gain one."""
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder)
            spec = json.dumps(self._spec(command, variables))
            (bundle / "config.json").write_text(spec, encoding="utf-8")
            return subprocess.run(
                ["runc", "run", "--bundle", folder, f"image-test-{uuid.uuid4().hex[:12]}"],
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )

    def _spec(self, command: tuple[str, ...], variables: dict[str, str]) -> dict[str, Any]:
        uid, gid = (int(part) for part in self.config["User"].split(":"))
        given = [f"{name}={value}" for name, value in variables.items()]
        kinds = ("pid", "network", "ipc", "uts", "mount")
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": uid, "gid": gid},
                "args": list(command),
                "env": [*self.config["Env"], *given],
                "cwd": self.config.get("WorkingDir") or "/",
                "noNewPrivileges": True,
            },
            "root": {"path": str(self.root), "readonly": True},
            "mounts": MOUNTS,
            "linux": {"namespaces": [{"type": kind} for kind in kinds]},
        }


@contextmanager
def opened(target: str, tag: str) -> Iterator[Image]:
    """The image of a target that was built with buildah."""
    name = f"{PREFIX}/{target}:{tag}"
    container = _buildah("from", "--pull-never", name)
    try:
        described = json.loads(_buildah("inspect", "--type", "image", name))["OCIv1"]
        root = Path(_buildah("mount", container))
        yield Image(name=name, root=root, config=described["config"], history=described["history"])
    finally:
        _buildah("rm", container)


def _buildah(*arguments: str) -> str:
    result = subprocess.run(
        ["buildah", *arguments], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
