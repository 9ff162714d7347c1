"""Processes of this machine: what names one for good, and how a whole session is ended."""

import functools
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

DEAD_STATES = frozenset("ZXx")  #: of /proc/<pid>/stat: waits to be reaped, or is over
LOOK_AGAIN_SECONDS = 0.01
EMPTY_LOOKS = 2  #: a process that forks while the table is read can be missed once


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where process ids mean the same: one boot of one machine, one table of processes."""

    host: str
    boot: str
    table: str = ""  #: of a container; another one numbers its processes anew

    def rebooted_since(self, other: "Place") -> bool:
        """This is the machine of `other`, started again: nothing of that time runs."""
        return self.host == other.host and self.boot != other.boot

    def sees(self, other: "Place") -> bool:
        """A process id of `other` means the same process here."""
        return self.boot == other.boot and self.table == other.table


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that has not ended."""

    pid: int
    session: int
    started: str  #: unit and zero differ between systems; stays the same while it lives

    @property
    def name(self) -> str:
        """Names this process and no other of this boot."""
        return f"{self.pid}:{self.started}"


@functools.cache
def here() -> Place:
    """The place of this process."""
    return Place(host=_host(), boot=_boot(), table=_table())


def _host() -> str:
    machine = ""
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    return f"{socket.gethostname()}/{machine}"


def _boot() -> str:
    if sys.platform == "linux":
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    asked = subprocess.run(
        ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or str(int(psutil.boot_time()))


def _table() -> str:
    """The name of a container's table of processes is used again; the start of its init is not."""
    if sys.platform != "linux":
        return ""
    init = _from_proc(1)
    began = init.started if init else ""
    with suppress(OSError):
        return f"{Path('/proc/self/ns/pid').readlink()}/{began}"
    return began


def process(pid: int) -> Process | None:
    """The process with that number; None when there is none or it is a zombie."""
    return _from_proc(pid) if sys.platform == "linux" else _from_psutil(pid)


def _from_proc(pid: int) -> Process | None:
    """The kernel's own clock ticks since boot: no step of the wall clock changes them."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = line.rpartition(")")[2].split()
    if fields[0] in DEAD_STATES:
        return None
    return Process(pid=pid, session=int(fields[3]), started=fields[19])


def _from_psutil(pid: int) -> Process | None:
    try:
        seen = psutil.Process(pid)
        if seen.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None
        return Process(pid=pid, session=os.getsid(pid), started=f"{seen.create_time():.6f}")
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None


def members(session: int) -> list[int]:
    """The processes of a session that have not ended. Reads the whole table."""
    return [pid for pid in psutil.pids() if _session(pid) == session and process(pid)]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def ask_to_end(pid: int) -> None:
    """Sends SIGTERM to one process, which may be gone by now."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def kill_session(session: int) -> bool:
    """Kills what is in a session at this moment; whether anything was.

    What we may not kill is another user's, and so never a worker's.
    """
    found = False
    for pid in members(session):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            found = True
    return found


def end_session(session: int, patience_seconds: float) -> bool:
    """Kills a session and waits until nothing of it is left; False when something still is."""
    if session == os.getsid(0):
        return True  # the number came round to our own session: it is not the worker's
    deadline = time.monotonic() + patience_seconds
    empty = 0
    while empty < EMPTY_LOOKS:
        if not kill_session(session):
            empty += 1
        elif time.monotonic() > deadline:
            return False
        else:
            empty = 0
            time.sleep(LOOK_AGAIN_SECONDS)
    return True
