"""Workers as processes of this machine.

Each is a session of its own that holds a lock on a file. Lock held: it lives. Lock obtained: what
is left of its session is killed, and then it is GONE. The lock also makes a create and the proof
that there will be none exclude each other, so no create can land late.
"""

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from videoannotator.domain.errors import InvalidRequest, InvalidSetting, Unavailable
from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers import memory, sessions
from videoannotator.scheduler.launchers.commands import Command, command_of
from videoannotator.scheduler.launchers.faults import storage_faults
from videoannotator.scheduler.launchers.folders import MODE, WorkerFolder
from videoannotator.scheduler.launchers.interface import Observation, Sight, Watch
from videoannotator.scheduler.launchers.looking import end_left_over, look, own_process

#: The process id is on the disk before the program starts: no process is ever unknown.
SHIM = 'echo "$$" > pid || exit 74; exec "$@"'
LONGEST_SOCKET_BYTES = 103  #: of a Unix socket's path, on macOS; Linux takes four more
WORKER_ID = re.compile(r"[a-z0-9]{1,32}")
LOCK_PATIENCE_SECONDS = 2.0  #: for somebody who only looks at a worker that was never started
TOMBSTONE_KEPT_SECONDS = 24 * 3600.0  #: after `forget`, against a create that comes very late


class ProcessLauncher:
    """Starts, observes and terminates local processes."""

    name = "process"
    late_create_seconds = 0.0
    leaves_within_seconds = 0.0

    def __init__(
        self, folder: Path, sockets: Path, stop_grace_seconds: float, inherited: Mapping[str, str]
    ) -> None:
        """Keeps each worker's files in `folder` and its socket in `sockets`, a short path.

        `stop_grace_seconds` passes between asking and killing; `inherited` is the scheduler's own
        environment, of which workers get a few harmless names.

        Raises: InvalidSetting when `sockets` is too long or not ours alone; StorageError.
        """
        self._folder = folder.absolute()
        self._sockets = sockets.absolute()
        self._stop_grace_seconds = stop_grace_seconds
        self._inherited = dict(inherited)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._asked: dict[str, float] = {}  #: when each was asked to end, monotonic
        with storage_faults():
            self._folder.mkdir(mode=MODE, parents=True, exist_ok=True)
            self._made_sockets = not self._sockets.exists()
            prepare_sockets(self._sockets)

    async def start(self, ring: Callable[[], None]) -> None:
        """Nothing rings: every look reads the machine itself."""

    def watch(self) -> Watch:
        """A look misses nothing."""
        return Watch()

    async def create(self, worker: Worker) -> None:
        """Starts the worker, once and for all: a repeated create finds the first or its end.

        Raises: StorageError, Unavailable (try again), InvalidRequest (it can never start).
        """
        with storage_faults():
            await asyncio.to_thread(self._create, worker)

    async def observe(self, workers: Collection[Worker]) -> Mapping[str, Observation]:
        """Looks at each worker; kills what is left of those whose own process has ended."""
        return await asyncio.to_thread(self._observe, list(workers)) if workers else {}

    async def terminate(self, worker: Worker) -> None:
        """Sends SIGTERM to the worker, and SIGKILL to all of its session after the grace."""
        with storage_faults():
            await asyncio.to_thread(self._terminate, worker)

    async def logs(self, worker: Worker, lines: int) -> list[str]:
        """The last lines of what the worker printed."""
        with storage_faults():
            return await asyncio.to_thread(self._of(worker.id).log_tail, lines)

    async def forget(self, worker_id: str) -> None:
        """Removes the files of a worker that is GONE; of any other nothing."""
        with storage_faults():
            await asyncio.to_thread(self._forget, worker_id)

    async def clear(self, worker_id: str) -> None:
        """Nothing is ever left of a worker that is GONE."""

    async def close(self) -> None:
        """Lets go of the processes that were started; they run on."""
        for child in self._children.values():
            if child.poll() is None:
                child.returncode = 0  # not ours to wait for any more: no warning about it
        self._children.clear()
        if self._made_sockets:
            with suppress(OSError):  # somebody else still has a socket there
                self._sockets.rmdir()

    def _create(self, worker: Worker) -> None:
        folder, socket = self._of(worker.id), self._socket(worker.id)
        command = command_of(worker, self._inherited, f"unix:{socket}", folder.termination_path)
        folder.make()
        with _lock_to_start(folder) as lock:
            if lock is not None and not folder.buried and not folder.begun:
                self._start(worker.id, folder, command, lock)

    def _start(self, worker_id: str, folder: WorkerFolder, command: Command, lock: int) -> None:
        prepare_sockets(self._sockets)
        self._socket(worker_id).unlink(missing_ok=True)
        folder.begin(sessions.here(), {"oom_kills": memory.kills()})
        try:
            self._children[worker_id] = _spawn(folder, command, lock)
        except OSError:
            folder.unbegin()
            raise

    def _observe(self, workers: list[Worker]) -> dict[str, Observation]:
        return {worker.id: self._look(worker) for worker in workers}

    def _look(self, worker: Worker) -> Observation:
        try:
            status = self._reap(worker.id)
            return look(self._of(worker.id), worker, self._socket(worker.id), status)
        except OSError:
            return Observation(sight=Sight.UNKNOWN, detail="its folder cannot be read or written")

    def _reap(self, worker_id: str) -> int | None:
        """The exit status when the worker is our own child and has ended. Leaves no zombie."""
        child = self._children.get(worker_id)
        return None if child is None else child.poll()

    def _terminate(self, worker: Worker) -> None:
        folder = self._of(worker.id)
        self._reap(worker.id)
        if folder.buried or not folder.known:
            return
        with folder.lock() as lock:
            if lock is not None:
                return  # it has ended; the next look kills what is left
        place, pid = folder.started_at(), folder.pid()
        if place is not None and pid is not None and sessions.here().sees(place):
            self._end(folder, worker.id, pid)

    def _end(self, folder: WorkerFolder, worker_id: str, pid: int) -> None:
        if own_process(folder, pid) is None:
            end_left_over(pid, 0.0)
            return
        asked = self._asked_at(folder, worker_id)
        if asked is None:
            sessions.ask_to_end(pid)
            self._asked[worker_id] = time.monotonic()
            with suppress(OSError):  # a full disk must not keep a worker alive
                folder.note_asked(self._asked[worker_id])
        elif time.monotonic() - asked >= self._stop_grace_seconds:
            sessions.kill_session(pid)

    def _asked_at(self, folder: WorkerFolder, worker_id: str) -> float | None:
        """When it was asked to end, also by a scheduler before us: one boot has one such clock."""
        if worker_id not in self._asked:
            noted = folder.asked_at()
            if noted is None:
                return None
            self._asked[worker_id] = min(noted, time.monotonic())
        return self._asked[worker_id]

    def _forget(self, worker_id: str) -> None:
        folder = self._of(worker_id)
        if not folder.buried:
            return
        self._reap(worker_id)
        self._children.pop(worker_id, None)
        self._asked.pop(worker_id, None)
        folder.clear()
        self._socket(worker_id).unlink(missing_ok=True)
        self._remove_old_tombstones()

    def _remove_old_tombstones(self) -> None:
        for path in self._folder.iterdir():
            WorkerFolder(path).remove_when_forgotten(TOMBSTONE_KEPT_SECONDS)

    def _of(self, worker_id: str) -> WorkerFolder:
        if not WORKER_ID.fullmatch(worker_id):
            raise InvalidRequest("A worker's id has only small letters and digits.")
        return WorkerFolder(self._folder / worker_id)

    def _socket(self, worker_id: str) -> Path:
        return self._sockets / f"{worker_id}.sock"


def fits_a_socket(sockets: Path) -> bool:
    """Whether the path of a worker's socket in this folder is short enough for the system."""
    return _longest(sockets) <= LONGEST_SOCKET_BYTES


def _longest(sockets: Path) -> int:
    return len(os.fsencode(sockets / f"{'x' * 12}.sock"))


def prepare_sockets(sockets: Path) -> None:
    """Makes the folder, or checks the one that is there.

    Raises: InvalidSetting when a socket there has too long a path, or others could reach it.
    """
    longest = _longest(sockets)
    if longest > LONGEST_SOCKET_BYTES:
        raise InvalidSetting(
            f"A socket's path would have {longest} bytes; {LONGEST_SOCKET_BYTES} is the most.",
            hint="Choose a folder for sockets with a shorter path, as one under /tmp.",
        )
    sockets.mkdir(mode=MODE, parents=True, exist_ok=True)
    facts = sockets.lstat()
    if sockets.is_symlink() or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise InvalidSetting(
            "The folder for sockets is not ours alone.",
            hint="It must be owned by the user of this program and have the mode 0700.",
        )


@contextmanager
def _lock_to_start(folder: WorkerFolder) -> Iterator[int | None]:
    """Holds the lock, or None when the worker has been started or is gone.

    Raises: Unavailable when somebody holds it without having started anything.
    """
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        with folder.lock() as lock:
            if lock is not None or folder.begun or folder.buried:
                yield lock
                return
        if time.monotonic() > deadline:
            raise Unavailable("Somebody else is about to start this worker.")
        time.sleep(0.01)


def _spawn(folder: WorkerFolder, command: Command, lock: int) -> subprocess.Popen[bytes]:
    """Starts the command in a session of its own that holds the lock."""
    with folder.log() as log:
        return subprocess.Popen(
            ["/bin/sh", "-c", SHIM, "worker", *command.arguments],
            cwd=folder.path,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
        )
