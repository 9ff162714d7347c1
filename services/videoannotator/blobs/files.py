"""Blobs as plain files below one folder."""

import asyncio
import errno
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from videoannotator.blobs import keys
from videoannotator.blobs.interface import CHUNK_BYTES, Stored
from videoannotator.domain.errors import (
    BlobNotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    TooLarge,
)

#: Begins the name of a file that a put has not finished. No key may hold such a part.
PARTIAL = ".partial-"
#: After a power cut nobody looks here for what an upload brought; its move is what must last.
INCOMING = "incoming"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})

T = TypeVar("T")


class FileBlobs:
    """A blob store in a folder. A put is written under a temporary name and renamed."""

    def __init__(self, root: Path) -> None:
        """`root` is made at the first put if it is missing."""
        self._root = root.absolute()

    def path(self, key: str) -> Path:
        """Where the bytes of `key` are, for programs on this machine.

        Raises: StorageDenied for a key that could lead out of the folder.
        """
        path = self._root.joinpath(*keys.parts_of(key))
        self._check_inside(path)
        return path

    def _check_inside(self, path: Path) -> None:
        # A link inside the folder must not lead out of it, whoever made it.
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise StorageDenied("This storage key leads out of the storage folder.")

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int | None = None
    ) -> Stored:
        """Writes `chunks` under `key`, whole or not at all, hashing on the way.

        Raises: TooLarge at the chunk that passes `max_bytes`; nothing is left behind then.
        """
        writing = _Writing(partial(self.path, key))
        try:
            rest: list[bytes] = []
            async for batch in _batches(chunks, max_bytes, rest):
                await writing.begin(batch)
            await writing.settle()
            return await _in_thread(lambda: writing.finish(rest))
        finally:
            if not writing.finished:
                await writing.settle(quietly=True)
                await _in_thread(writing.discard)

    async def move(self, source: str, target: str) -> None:
        """Renames. Raises: BlobNotFound."""
        await _in_thread(lambda: _move(self.path(source), self.path(target)))

    async def size(self, key: str) -> int:
        """Size in bytes. Raises: BlobNotFound."""
        return await _in_thread(lambda: self.path(key).stat().st_size)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes [start, end) in chunks. Raises: BlobNotFound, at the first chunk."""
        file = await _in_thread(lambda: _open_at(self.path(key), start))
        try:
            left = (1 << 62) if end is None else end - start
            while left > 0 and (chunk := await _in_thread(_reader(file, left))):
                left -= len(chunk)
                yield chunk
        finally:
            file.close()

    async def sha256(self, key: str) -> str:
        """SHA-256 of the bytes, hexadecimal. Raises: BlobNotFound."""
        return await _in_thread(lambda: _sha256(self.path(key)))

    async def list(self, prefix: str) -> list[str]:
        """Keys below the folder `prefix`, sorted; an empty prefix means all."""
        return await _in_thread(lambda: sorted(self._keys(prefix)))

    def _keys(self, prefix: str) -> Iterator[str]:
        for path in _files(self._folder(prefix)):
            if not path.name.startswith(PARTIAL):
                yield path.relative_to(self._root).as_posix()

    def _folder(self, prefix: str) -> Path:
        return self.path(prefix) if prefix else self._root

    async def older(self, prefix: str, seconds: float, limit: int) -> Sequence[str]:
        """Up to `limit` keys below the folder `prefix` that were last written so long ago."""
        before = time.time() - seconds
        return await _in_thread(lambda: self._older(prefix, before, limit))

    def _older(self, prefix: str, before: float, limit: int) -> Sequence[str]:
        named = (key for key in self._keys(prefix) if _written(self._root / key) < before)
        return tuple(islice(named, limit))

    async def delete_prefix(self, prefix: str) -> int:
        """Deletes all below the folder `prefix`, and the folder, or the one blob of that name.

        Returns the number of blobs; none is no error.
        """
        return await _in_thread(lambda: _delete(self.path(prefix)))

    async def sweep(self, prefix: str, *, older_than_seconds: float, limit: int) -> int:
        """Deletes up to `limit` blobs below `prefix` that were last written so long ago.

        What broken puts left behind goes in the same way. Returns how many were deleted.
        """
        before = time.time() - older_than_seconds
        return await _in_thread(lambda: _sweep(self._folder(prefix), before, limit))


class _Writing:
    """One unfinished put: at most one batch is with a thread while the next one is gathered."""

    def __init__(self, target: Callable[[], Path]) -> None:
        self._place = target  # asked for in the thread: it looks at every folder on the way
        self._target = self._partial = Path()
        self._file: BinaryIO | None = None
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._busy: asyncio.Future[None] | None = None
        self.finished = False  #: the bytes have their name

    async def begin(self, batch: list[bytes]) -> None:
        """Waits for the batch before, then hands this one to a thread."""
        await self.settle()
        self._busy = asyncio.get_running_loop().run_in_executor(None, self._write, batch)

    async def settle(self, *, quietly: bool = False) -> None:
        """Waits for the batch in hand; `quietly` without its error."""
        busy, self._busy = self._busy, None
        if busy is not None:
            await _done(busy)
            if not quietly or busy.exception() is None:
                busy.result()

    def _write(self, batch: list[bytes]) -> None:
        with storage_errors():
            file = self._opened()
            for piece in batch:
                file.write(piece)
                self._sha256.update(piece)
                self._size += len(piece)

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._target = self._place()
            self._partial = self._target.parent / f"{PARTIAL}{uuid.uuid4().hex}"
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("xb")
        return self._file

    def finish(self, rest: list[bytes]) -> Stored:
        """Writes what is left, makes the bytes lasting and gives them their name."""
        self._write(rest)
        file = self._opened()
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self._partial.replace(self._target)
        self.finished = True
        if self._target.parent.name != INCOMING:
            _sync_folder(self._target.parent)
        return Stored(size_bytes=self._size, sha256=self._sha256.hexdigest())

    def discard(self) -> None:
        """Leaves nothing of an unfinished put; nothing to do after `finish`."""
        if self._file is not None:
            with suppress(OSError):  # a full disk may refuse the last buffered bytes once more
                self._file.close()
            self._partial.unlink(missing_ok=True)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns what the operating system says into our errors, without paths."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        if error.errno in _DENIED:
            raise StorageDenied from error
        if error.errno in _MISSING:
            raise BlobNotFound from error
        raise StorageError(f"The storage failed: {error.strerror}.") from error


async def _in_thread(work: Callable[[], T]) -> T:
    """Runs `work` in a thread and does not return before it has ended, also when cancelled."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    with storage_errors():
        await _done(future)
        return future.result()


async def _done(future: asyncio.Future[T]) -> None:
    # A thread cannot be cancelled: what it holds may be closed only when it has ended.
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        future.exception()
        raise cancelled


async def _batches(
    chunks: AsyncIterator[bytes], max_bytes: int | None, rest: list[bytes]
) -> AsyncIterator[list[bytes]]:
    """Gathers chunks to batches of about CHUNK_BYTES: a hop into a thread costs more than a copy.

    What is left in the end goes into `rest`. Raises: TooLarge.
    """
    batch: list[bytes] = []
    waiting = total = 0
    async for chunk in chunks:
        total += len(chunk)
        if max_bytes is not None and total > max_bytes:
            raise TooLarge(f"More than {max_bytes} bytes.")
        batch.append(chunk)
        waiting += len(chunk)
        if waiting >= CHUNK_BYTES:
            yield batch
            batch, waiting = [], 0
    rest += batch


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    # Without it a new name may be lost with the power.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_at(path: Path, start: int) -> BinaryIO:
    if path.is_dir():
        raise BlobNotFound
    file = path.open("rb", buffering=0)
    file.seek(start)
    return file


def _reader(file: BinaryIO, most: int) -> Callable[[], bytes]:
    return lambda: file.read(min(most, CHUNK_BYTES))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _delete(path: Path) -> int:
    if not path.is_dir():
        existed = path.exists()
        path.unlink(missing_ok=True)
        return int(existed)
    count = sum(not file.name.startswith(PARTIAL) for file in _files(path))
    while path.exists():
        # Api and scheduler delete the bytes of the same video at the same time.
        with suppress(FileNotFoundError):
            shutil.rmtree(path)
    return count


def _sweep(folder: Path, before: float, limit: int) -> int:
    old = [path for path in _files(folder) if _written(path) < before][:limit]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # finished or deleted meanwhile
        return float("inf")
