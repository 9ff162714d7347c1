"""What the figures were taken on."""

import os
import platform
import sqlite3
import subprocess

import psutil

from tests.fakes.postgres import binaries


def machine() -> dict[str, object]:
    """Cores, memory, kernel, versions, and who else uses the machine."""
    return {
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": _postgresql(),
        "load_average_at_start": os.getloadavg(),
    }


def revision() -> str:
    """The commit that was measured, with a mark when files differ from it."""
    return _said("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")


def _postgresql() -> str:
    folder = binaries()
    return _said(str(folder / "postgres"), "--version") if folder else "none"


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
