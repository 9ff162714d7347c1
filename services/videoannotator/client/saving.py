"""Saving: a file is there whole, under its name, or not at all."""

import errno
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from videoannotator.domain.errors import StorageDenied, StorageError, StorageFull

#: Called with the bytes so far and all of them (0: unknown).
Report = Callable[[int, int], None]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def save(chunks: Iterable[bytes], path: Path, sha256: str = "") -> Path:
    """Writes `chunks` to `path` by way of a temporary file beside it.

    Raises: StorageError when they are not those of `sha256` (hexadecimal, empty: not checked),
    StorageFull, StorageDenied.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    with typed_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _check(_write(chunks, part), sha256, path)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return path


def _write(chunks: Iterable[bytes], part: Path) -> str:
    digest = hashlib.sha256()
    with part.open("xb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _check(found: str, expected: str, path: Path) -> None:
    if expected and found != expected.lower():
        raise StorageError(
            f"{path.name} was damaged on its way: its SHA-256 is not what the server says.",
            hint="Download it again.",
        )


@contextmanager
def typed_errors(path: Path) -> Iterator[None]:
    """The operating system's errors as ours. Raises: StorageFull, StorageDenied, StorageError."""
    try:
        yield
    except OSError as error:
        raise _typed(error, path) from error


def _typed(error: OSError, path: Path) -> StorageError:
    if error.errno in FULL:
        return StorageFull(f"There is no room for {path.name}.", hint="Free space and try again.")
    hint = "Is the path right, and may you read or write there?"
    kind = StorageDenied if error.errno in DENIED else StorageError
    return kind(f"{path}: {error.strerror or error}.", hint=hint)


def local_name(name: str, taken: Iterable[str] = ()) -> str:
    """A safe name for a file that the server calls `name`: no folder, nothing hidden, not `taken`.

    A name that is taken gets a number: `a.json`, `a-2.json`.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = "".join(each for each in last if each.isprintable()).lstrip(".").strip() or "file"
    path = Path(clean[-200:])
    numbered = (f"{path.stem}-{number}{path.suffix}" for number in range(2, 1_000_000))
    used = set(taken)
    return path.name if path.name not in used else next(n for n in numbered if n not in used)


class WatchedFile:
    """A file that tells how much of it was read; httpx streams it in blocks of 64 KiB."""

    def __init__(self, file: IO[bytes], size_bytes: int, report: Report) -> None:
        """Reports at every block that is read from `file`."""
        self._file = file
        self._size_bytes = size_bytes
        self._report = report

    def read(self, size: int = -1) -> bytes:
        """The next bytes of the file."""
        block = self._file.read(size)
        self._report(self._file.tell(), self._size_bytes)
        return block

    def seek(self, offset: int) -> int:
        """Goes to a place in the file."""
        return self._file.seek(offset)

    def fileno(self) -> int:
        """The descriptor, by which httpx learns the size without reading."""
        return self._file.fileno()
