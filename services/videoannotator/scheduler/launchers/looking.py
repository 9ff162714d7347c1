"""What can be told of one local worker from its lock, its files and the table of processes."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Worker, WorkerState
from videoannotator.scheduler.launchers import memory, sessions
from videoannotator.scheduler.launchers.endings import Ending, failure_of
from videoannotator.scheduler.launchers.folders import WorkerFolder
from videoannotator.scheduler.launchers.interface import Observation, Sight

KILL_PATIENCE_SECONDS = 0.5  #: for killed processes to end, in one look
FAILURE_LOG_LINES = 20
STILL_ENDING = "what it started is still ending"


def look(folder: WorkerFolder, worker: Worker, socket: Path, status: int | None) -> Observation:
    """Looks at one worker and kills what is left of it when its own process has ended.

    `status` is its exit status where that is known. Blocks for KILL_PATIENCE_SECONDS at most.

    Raises: OSError when the folder cannot be read or written.
    """
    if folder.buried:
        return Observation(sight=Sight.GONE, failure=_failure(folder, folder.tombstone()))
    if not folder.known:
        if not _to_be_buried(worker):
            return _no_trace(worker)
        folder.make()
    with folder.lock() as handle:
        if handle is None:
            return _held(folder, socket, status)
        return _over(folder, worker, status)


def own_process(folder: WorkerFolder, pid: int) -> sessions.Process | None:
    """The worker's own process; None when it has ended, its number used again or not.

    Only while somebody holds the lock: what is seen first is then surely the worker.
    """
    process = sessions.process(pid)
    if process is None or process.session != pid:
        return None
    seen = folder.first_seen()
    if seen is None:
        with suppress(OSError):  # a full disk must not hide it
            folder.note_seen(process.name)
    return process if seen in (None, process.name) else None


def end_left_over(pid: int, patience_seconds: float) -> bool:
    """Ends the session of a process that has ended; a number used again is left alone."""
    return sessions.process(pid) is not None or sessions.end_session(pid, patience_seconds)


def _to_be_buried(worker: Worker) -> bool:
    """It shall end and was never seen: the tombstone makes sure that it never starts."""
    return worker.state is WorkerState.STOPPING and worker.identity is None


def _no_trace(worker: Worker) -> Observation:
    if worker.identity is None:
        return Observation(sight=Sight.UNSEEN)
    return Observation(sight=Sight.UNKNOWN, detail="its files are not there any more")


def _held(folder: WorkerFolder, socket: Path, status: int | None) -> Observation:
    """The lock is held: by the worker, by what it left behind, or by another look."""
    place, pid = folder.started_at(), folder.pid()
    if place is None or pid is None:
        return Observation(sight=Sight.ALIVE, detail="starts")
    if not sessions.here().sees(place):
        return Observation(sight=Sight.ALIVE, detail="runs on another machine or in a container")
    process = own_process(folder, pid)
    if process is None:
        end_left_over(pid, 0.0)
        return _ended(folder, _facts(folder, status))
    return Observation(
        sight=Sight.ALIVE,
        address=f"unix:{socket}" if socket.is_socket() else None,
        identity=f"{place.boot}:{process.name}",
    )


def _over(folder: WorkerFolder, worker: Worker, status: int | None) -> Observation:
    """We hold the lock: the worker's own process has ended, or there never was one."""
    if not folder.begun:
        return _never_started(folder, worker)
    place, here = folder.started_at(), sessions.here()
    if place is None or not (here.sees(place) or here.rebooted_since(place)):
        return Observation(
            sight=Sight.UNKNOWN, detail="it was started on another machine or in a container"
        )
    facts = _facts(folder, status)
    if here.sees(place) and not _session_ended(folder):
        return _ended(folder, facts)
    with suppress(OSError):  # a full disk must not keep it: it cannot be started again anyway
        folder.bury(facts)
    return Observation(sight=Sight.GONE, failure=_failure(folder, facts))


def _ended(folder: WorkerFolder, facts: Mapping[str, Any]) -> Observation:
    return Observation(sight=Sight.ENDED, failure=_failure(folder, facts), detail=STILL_ENDING)


def _never_started(folder: WorkerFolder, worker: Worker) -> Observation:
    """Nothing was begun: a create may still come, unless the worker shall end."""
    if not _to_be_buried(worker):
        return _no_trace(worker)
    folder.bury({"status": 0})
    return Observation(sight=Sight.GONE)


def _session_ended(folder: WorkerFolder) -> bool:
    """Ends what is left of the session of a worker whose lock we hold."""
    pid = folder.pid()
    if pid is None:
        return True  # the shell did not come so far as to start anything
    process = sessions.process(pid)
    if process is not None and process.name == folder.first_seen():
        return sessions.end_session(pid, KILL_PATIENCE_SECONDS)  # it closed its lock and runs on
    return end_left_over(pid, KILL_PATIENCE_SECONDS)


def _facts(folder: WorkerFolder, status: int | None) -> dict[str, Any]:
    """What the tombstone keeps about the end."""
    before, now = folder.started().get("oom_kills"), memory.kills()
    out_of_memory = isinstance(before, int) and now is not None and now > before
    asked = folder.asked_at() is not None
    return {"status": status, "asked": asked, "out_of_memory": out_of_memory}


def _failure(folder: WorkerFolder, facts: Mapping[str, Any]) -> Failure | None:
    status = facts.get("status")
    return failure_of(
        Ending(
            status=status if isinstance(status, int) else None,
            asked=facts.get("asked") is True,
            out_of_memory=facts.get("out_of_memory") is True,
            words=folder.last_words(),
            log_tail=tuple(folder.log_tail(FAILURE_LOG_LINES)),
        )
    )
