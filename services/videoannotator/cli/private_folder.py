"""The folder of a private server: gone when its owner is, at the latest with the next one's start.

Its owners are the command and the server. Both hold a lock on one file in it, which ends with them
however they end; so a folder whose lock is free is nobody's any more.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from videoannotator.cli.output import say
from videoannotator.client.saving import typed_errors

PREFIX = ".videoannotator-"
OWNER = "owner.lock"


class PrivateFolder:
    """A folder that is locked as long as this process, or one that has the lock from it, lives."""

    def __init__(self, path: Path, lock: IO[bytes]) -> None:
        """`lock` is the open file that holds the lock."""
        self.path = path
        self._lock = lock
        self.kept = False

    @property
    def lock(self) -> int:
        """The descriptor of the lock, for a process that shall own the folder, too."""
        return self._lock.fileno()

    def keep(self) -> None:
        """Leaves the folder to people: nobody removes it."""
        (self.path / OWNER).unlink(missing_ok=True)
        self.kept = True


@contextmanager
def private_folder(output: Path) -> Iterator[PrivateFolder]:
    """A new folder in `output`, removed in the end unless it is kept.

    Removes before what earlier calls left there that were killed. Raises: StorageError.
    """
    with typed_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        remove_abandoned(output)
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=output)).absolute()
        lock = _owned(path)
    with lock:
        folder = PrivateFolder(path, lock)
        try:
            yield folder
        finally:
            if not folder.kept:
                shutil.rmtree(path, ignore_errors=True)


def remove_abandoned(output: Path) -> None:
    """Removes the private folders in `output` whose owners are gone, and tells of it."""
    for path in sorted(output.glob(f"{PREFIX}*")):
        if not path.is_symlink() and _removed(path):
            say(f"Removed {path}, which a command that was killed had left.")


def _owned(path: Path) -> IO[bytes]:
    """A lock on the folder; it gets its name when it is held, so nobody finds it without a holder.

    A file system that knows no locks gets none: the folder is then never taken for abandoned.
    """
    new = path / f".{OWNER}"
    file = new.open("wb")
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.replace(path / OWNER)
    return file


def _removed(path: Path) -> bool:
    """Whether `path` was nobody's and is gone."""
    with suppress(OSError), (path / OWNER).open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()
    return False
