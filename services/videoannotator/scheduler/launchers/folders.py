"""What is kept of one worker on the disk: its lock, its process id, its log, its tombstone.

The files are the launcher's memory. They are read by a scheduler that was started again, so each is
whole or not there, and what they say is only trusted together with the lock.
"""

import fcntl
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from videoannotator.scheduler.launchers.commands import SCRATCH
from videoannotator.scheduler.launchers.sessions import Place

MODE = 0o700
MESSAGE_BYTES = 4096  #: as much of a termination message as Kubernetes reads
LOG_TAIL_BYTES = 64 * 1024
TOMBSTONE = "gone"
LOCK = "lock"


class WorkerFolder:
    """The files of one worker. Methods block."""

    def __init__(self, path: Path) -> None:
        """Nothing is made yet."""
        self.path = path
        self.log_path = path / "log"
        self.termination_path = path / "termination"

    def make(self) -> None:
        """Makes the folder; nothing happens when it is there."""
        self.path.mkdir(mode=MODE, parents=True, exist_ok=True)

    @property
    def known(self) -> bool:
        """A create, or the proof that there was none, has been here."""
        return (self.path / LOCK).exists()

    @contextmanager
    def lock(self) -> Iterator[int | None]:
        """Tries to take the lock, without waiting, and lets it go at the end.

        Gives a file descriptor, or None while somebody else holds the lock. Whoever inherits the
        descriptor holds the lock until all copies are closed.
        """
        handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield handle if _taken(handle) else None
        finally:
            os.close(handle)

    def begin(self, place: Place, facts: Mapping[str, Any]) -> None:
        """Writes down that a start has begun; from here on there is never a second one."""
        self._write("started", {"place": asdict(place), **facts})

    def unbegin(self) -> None:
        """Takes that back, when nothing was started after all."""
        (self.path / "started").unlink(missing_ok=True)

    @property
    def begun(self) -> bool:
        """A start has begun at some time."""
        return (self.path / "started").exists()

    def started(self) -> dict[str, Any]:
        """What `begin` wrote; empty when that cannot be read."""
        return self._read("started")

    def started_at(self) -> Place | None:
        """Where the process was started; None when that cannot be told."""
        try:
            return Place(**self.started()["place"])
        except (KeyError, TypeError):
            return None

    def pid(self) -> int | None:
        """The worker's process id, written by itself before its program starts."""
        text = self._text("pid")
        return int(text) if re.fullmatch(r"[1-9]\d{0,8}\n", text) and text != "1\n" else None

    def first_seen(self) -> str | None:
        """The name of the process as it was first seen under the lock."""
        return self._text("process") or None

    def note_seen(self, name: str) -> None:
        """Keeps that, so that a number used again is told from it."""
        self._replace("process", name)

    def asked_at(self) -> float | None:
        """When the worker was asked to end, on this boot's monotonic clock."""
        value = self._read("terminating").get("monotonic_seconds")
        return float(value) if isinstance(value, int | float) else None

    def note_asked(self, monotonic_seconds: float) -> None:
        """Keeps that for a scheduler that is started again."""
        self._write("terminating", {"monotonic_seconds": monotonic_seconds})

    @property
    def buried(self) -> bool:
        """It was proved that nothing of the worker runs or ever will."""
        return (self.path / TOMBSTONE).exists()

    def bury(self, facts: Mapping[str, Any]) -> None:
        """Writes the tombstone. Only while holding the lock.

        What a killed worker fetched goes: it may be a whole video.
        """
        shutil.rmtree(self.path / SCRATCH, ignore_errors=True)
        self._write(TOMBSTONE, facts)

    def tombstone(self) -> dict[str, Any]:
        """What `bury` wrote."""
        return self._read(TOMBSTONE)

    def last_words(self) -> dict[str, Any]:
        """The worker's termination message; empty when there is none that can be read."""
        return self._read(self.termination_path.name)

    @contextmanager
    def log(self) -> Iterator[int]:
        """Opens the log for a worker to append to; a file descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        handle = os.open(self.log_path, flags, 0o600)
        try:
            yield handle
        finally:
            os.close(handle)

    def log_tail(self, lines: int) -> list[str]:
        """The last lines of the log, oldest first; what cannot be shown is replaced."""
        try:
            with self.log_path.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(size - LOG_TAIL_BYTES, 0))
                text = log.read(LOG_TAIL_BYTES).decode("utf-8", errors="replace")
        except FileNotFoundError:
            return []
        found = text.removesuffix("\n").split("\n") if text else []
        whole = found[1:] if size > LOG_TAIL_BYTES and len(found) > 1 else found
        return [_shown(line) for line in whole[-lines:]] if lines > 0 else []

    def clear(self) -> None:
        """Removes all but lock and tombstone, which go on refusing a late create."""
        with suppress(FileNotFoundError):
            for path in list(self.path.iterdir()):
                if path.name in (LOCK, TOMBSTONE):
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)

    def remove_when_forgotten(self, after_seconds: float) -> None:
        """Removes the folder when it holds nothing but a tombstone older than that."""
        with suppress(OSError):
            names = {path.name for path in self.path.iterdir()}
            if TOMBSTONE not in names or names - {LOCK, TOMBSTONE}:
                return
            if time.time() - (self.path / TOMBSTONE).stat().st_mtime > after_seconds:
                shutil.rmtree(self.path)

    def _text(self, name: str) -> str:
        try:
            with (self.path / name).open(encoding="utf-8", errors="replace") as file:
                return file.read(MESSAGE_BYTES)
        except FileNotFoundError:
            return ""

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads(self._text(name))
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        self._replace(name, json.dumps(content))

    def _replace(self, name: str, text: str) -> None:
        """Whole or not at all, also after a power cut."""
        part = self.path / f".{name}.{uuid.uuid4().hex}"
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path / name)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _shown(line: str) -> str:
    """A line without control characters: no database or terminal stumbles over it."""
    return "".join(sign if sign.isprintable() or sign == "\t" else "\ufffd" for sign in line)
