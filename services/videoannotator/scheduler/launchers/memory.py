"""How often the kernel killed something for want of memory, where that can be told cheaply."""

import re
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def kills(own: Path = OWN_CGROUPS, root: Path = CGROUPS) -> int | None:
    """Processes killed for memory in our control group, which our workers share, so far.

    None where it cannot be told: not Linux, or no such count.
    """
    for path in _counts(own, root):
        found = KILLS.search(_text(path))
        if found:
            return int(found[1])
    return None


def _counts(own: Path, root: Path) -> list[Path]:
    """Version 2 first, then version 1, each under our own path and, in a container, at the top."""
    paths: list[Path] = []
    for line in _text(own).splitlines():
        _, controllers, group = line.split(":", 2)
        inside = group.lstrip("/")
        if controllers == "":
            paths += [root / inside / "memory.events", root / "memory.events"]
        elif "memory" in controllers.split(","):
            memory = root / "memory"
            paths += [memory / inside / "memory.oom_control", memory / "memory.oom_control"]
    return paths


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
