"""Does as it is told, and keeps the journal that tests judge by."""

import ctypes
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from videoannotator.domain.errors import InvalidConfig, MediaError, Stopped, StorageFull
from videoannotator.pipelines.interface import Context, Outcome
from videoannotator_journal.spec import JournalParameters

STEP_SECONDS = 0.02  # of work between two checkpoints


class OutOfMemoryError(RuntimeError):
    """Named as torch's error of a full GPU."""


FAULTS: dict[str, BaseException] = {
    "bug": ZeroDivisionError("a bug in /secret/place"),
    "exit": SystemExit(0),
    "media": MediaError("The picture is broken.", second=1.5),
    "memory": MemoryError(),
    "gpu_memory": OutOfMemoryError("CUDA out of memory"),
    "storage_full": StorageFull(),
    "disk_full": OSError(errno.ENOSPC, "No space left on device", "/secret/place"),
    "request": InvalidConfig("This cannot be asked for.", hint="Ask for something else."),
    "stopped": Stopped(),
}


class JournalPipeline:
    """One life: load, work, end."""

    def load(self, context: Context) -> None:
        """Nothing to load: the time of loading is spent in `annotate`, which has the parameters."""

    def annotate(self, context: Context, parameters: JournalParameters) -> Outcome:
        """Works, between a `started` and an `ended` line."""
        with journaled(context, parameters.journal):
            held = bytearray(parameters.allocate_bytes)
            disturb(parameters)
            work(context, parameters)
            fail(context, parameters)
            write_files(context, parameters)
        return Outcome(
            summary={"events": 2},
            provenance={"engine": "journal", "held_bytes": len(held)},
        )


@contextmanager
def journaled(context: Context, path: str) -> Iterator[None]:
    """Writes `started`, and `ended` however it ends but for a kill."""
    with alone(context, path):
        note(context, path, "started", "")
        outcome = "failed"
        try:
            yield
            outcome = "completed"
        except Stopped:
            outcome = "stopped"
            raise
        finally:
            note(context, path, "ended", outcome)


@contextmanager
def alone(context: Any, path: str) -> Iterator[None]:
    """Writes `overlap` when another process works on the same run at this moment.

    The lock goes with the process, however it ends: no clock and no process id is needed to judge.
    """
    if not path:
        yield
        return
    handle = os.open(f"{path}.{context.run_id}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note(context, path, "overlap", "")
    try:
        yield
    finally:
        os.close(handle)


def note(context: Any, path: str, event: str, outcome: str) -> None:
    """One line, in one write, so that lines of many processes never mix."""
    if not path:
        return
    line = {
        "event": event,
        "outcome": outcome,
        "run": context.run_id,
        "attempt": context.attempt,
        "pid": os.getpid(),
        "time": time.time(),
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)


def disturb(parameters: JournalParameters) -> None:
    """Makes the process hard to end."""
    libc = ctypes.CDLL(None)
    if parameters.ignore_sigterm:
        libc.signal(int(signal.SIGTERM), ctypes.c_void_p(1))  # SIG_IGN, below Python's handler
    if parameters.child_seconds:
        sleep = f"import time; time.sleep({parameters.child_seconds})"
        subprocess.Popen(
            [sys.executable, "-c", sleep], start_new_session=parameters.child_new_session
        )
    time.sleep(parameters.load_seconds)
    if parameters.freeze_seconds:
        # Called without giving the interpreter back: no other thread runs meanwhile.
        ctypes.PyDLL(None).sleep(parameters.freeze_seconds)
    time.sleep(parameters.hang_seconds)


def work(context: Context, parameters: JournalParameters) -> None:
    """Spends the time, and tells how far it is as if the video passed by evenly."""
    for number in range(parameters.log_lines):
        context.log(f"line {number + 1}")
    began = time.monotonic()
    context.progress("working", 0.0)
    while (passed := time.monotonic() - began) < parameters.seconds:
        share = passed / parameters.seconds
        context.progress("working", share * context.probe.duration_seconds)
        time.sleep(STEP_SECONDS)
    while parameters.until and not Path(parameters.until).exists():
        context.checkpoint()
        time.sleep(STEP_SECONDS)
    context.checkpoint()


def fail(context: Any, parameters: JournalParameters) -> None:
    """Fails as asked."""
    if context.attempt > parameters.fault_attempts:
        return
    if parameters.die_signal:
        os.kill(os.getpid(), parameters.die_signal)
    if parameters.fault:
        raise FAULTS[parameters.fault]


def write_files(context: Context, parameters: JournalParameters) -> None:
    """The declared outputs, and what else was asked for."""
    if not parameters.leave_out:
        (context.folder / "journal.json").write_text('{"schema": "journal/1"}\n')
    for number in range(1, parameters.files + 1):
        (context.folder / f"extra-{number}.bin").write_bytes(bytes(parameters.file_bytes))
    if parameters.undeclared:
        (context.folder / "stranger.txt").write_text("not declared\n")
