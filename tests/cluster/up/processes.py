"""The cluster's components as processes: started, stopped, frozen and killed one by one."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import psutil

from tests.cluster.up import cgroups, components
from tests.cluster.up.places import PLACES, Places

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
POLL_SECONDS = 0.05
STOP_SECONDS = 20.0
KILL_SECONDS = 30.0
LAST_LINES = 15

#: Writes its process id into the files before `--`, then becomes the command after it. So the
#: component and everything it starts is in our cgroup from the first moment.
BECOME = 'set -e; while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@"'


class Failed(RuntimeError):
    """The cluster did not do what it was told."""


def start(component: str, program: Path, places: Places = PLACES) -> None:
    """Starts a component that does not run, as a child of nobody."""
    if running(component, places) is not None:
        return
    order = components.order(component, places, program)
    noted = [places.pid(component), cgroups.make() / "cgroup.procs"]
    with places.log(component).open("ab") as log:
        subprocess.run(
            ["setsid", "--fork", "sh", "-c", BECOME, component, *map(str, noted), "--", *order],
            env=_environment(places),
            cwd=places.state,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )
    until(f"{component} starts", lambda: running(component, places) is not None, 10.0)


def _environment(places: Places) -> dict[str, str]:
    return {"PATH": PATH, "HOME": str(places.state), "LANG": "C.UTF-8"}


def running(component: str, places: Places = PLACES) -> psutil.Process | None:
    """The process of a component; None when there is none."""
    try:
        process = psutil.Process(int(places.pid(component).read_text()))
        alive = process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
    return process if alive and process.pid in cgroups.members() else None


def stop(component: str, places: Places = PLACES) -> None:
    """Ends a component as an administrator does, and by force when it does not listen."""
    process = running(component, places)
    if process is None:
        return
    process.terminate()
    if not _gone(process, STOP_SECONDS):
        kill(component, places)


def kill(component: str, places: Places = PLACES) -> None:
    """Ends a component as a crash does."""
    process = running(component, places)
    if process is not None:
        process.kill()
        _gone(process, KILL_SECONDS)


def freeze(component: str, places: Places = PLACES) -> None:
    """Holds a component where it is."""
    _send(component, signal.SIGSTOP, places)


def thaw(component: str, places: Places = PLACES) -> None:
    """Lets a frozen component go on."""
    _send(component, signal.SIGCONT, places)


def _send(component: str, number: signal.Signals, places: Places) -> None:
    process = running(component, places)
    if process is None:
        raise Failed(f"{component} does not run.")
    process.send_signal(number)


def _gone(process: psutil.Process, seconds: float) -> bool:
    """Whether a process ended within a time; its parent may be slow to bury it."""
    deadline = time.monotonic() + seconds
    while _alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_all(places: Places = PLACES) -> None:
    """Ends every process of the cluster, those of pods too.

    Raises: Failed when some do not end.
    """
    until("every process ends", lambda: _kill_once(places), KILL_SECONDS)


def _kill_once(places: Places) -> bool:
    pids = cgroups.members() | _written_down(places)
    for pid in pids:
        _kill(pid)
    return not pids


def _written_down(places: Places) -> set[int]:
    """Components that were not in our cgroup yet when the start was broken off."""
    found = set()
    for path in places.run.glob("*.pid"):
        text = path.read_text().strip()
        if text.isdigit() and _ours(int(text), path.stem, places):
            found.add(int(text))
    return found


def _ours(pid: int, component: str, places: Places) -> bool:
    """Whether a process id, which may be another's by now, is a component of the cluster."""
    try:
        process = psutil.Process(pid)
        words = process.cmdline()
    except psutil.NoSuchProcess:
        return False
    return component in " ".join(words[:4]) and any(str(places.state) in word for word in words)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def until(
    what: str, happened: Callable[[], bool], seconds: float, watched: Iterable[str] = ()
) -> None:
    """Polls until something happened.

    Raises: Failed when it did not in time, or when a component in `watched` ended meanwhile.
    """
    names = tuple(watched)
    deadline = time.monotonic() + seconds
    while not happened():
        ended = [name for name in names if running(name) is None]
        if ended or time.monotonic() > deadline:
            raise Failed(_why(what, ended, names))
        time.sleep(POLL_SECONDS)


def _why(what: str, ended: Sequence[str], watched: Sequence[str]) -> str:
    told = "".join(f"\n--- {name}\n{last_lines(name)}" for name in ended or watched)
    if ended:
        return f"Waited until {what}, but {', '.join(ended)} ended.{told}"
    return f"Waited in vain until {what}.{told}"


def last_lines(component: str, places: Places = PLACES) -> str:
    """The end of what a component said."""
    path = places.log(component)
    if not path.exists():
        return "(it said nothing)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-LAST_LINES:])
