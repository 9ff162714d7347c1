"""Bytes to and from signed addresses, over HTTP.

An address is a secret and ends: it is asked for anew before every request, and never told.
"""

import asyncio
import hashlib
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any, TypeVar

import httpx

from videoannotator.domain.errors import (
    BlobNotFound,
    Stopped,
    StorageDenied,
    StorageError,
    StorageFull,
)
from videoannotator.formats.manifest import storage_errors

CHUNK_BYTES = 1024 * 1024
LARGEST_PUT_BYTES = 5 * 1024**3  # in one request, says S3
STOP_LOOK_SECONDS = 0.2  # between two looks whether the work shall stop
#: For one step of a request, not for all of it: a large video takes its time.
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
NO_ANSWER_HINT = "The operator must check that workers reach the storage server."
REFUSED_HINT = (
    "The operator must check the storage's keys, that the clocks of the machines agree, and "
    "the settings storage.signed_seconds and storage.resign_seconds."
)

T = TypeVar("T")
Address = Callable[[], str]  # the newest one


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a transfer is tried without any byte that moves. Seconds."""

    answer_seconds: float = 120.0  #: a server or a network that fails
    address_seconds: float = 30.0  #: an address that is refused: a newer one may be on its way
    pause_seconds: float = 0.5  #: before the second try; each later one doubles it
    longest_pause_seconds: float = 5.0


PATIENCE = Patience()


class _NoSuccess(Exception):
    """The server answered, and it may answer better later."""

    def __init__(self, status: int) -> None:
        """`status` is that of HTTP."""
        super().__init__(f"HTTP status {status}")
        self.refused = 400 <= status < 500 and status not in (408, 425, 429)


def client() -> httpx.AsyncClient:
    """What makes the requests; proxies and authorities are taken from the environment."""
    return httpx.AsyncClient(timeout=TIMEOUT, headers={"Accept-Encoding": "identity"})


def stoppable(work: Coroutine[Any, Any, T], stop_wanted: Callable[[], bool]) -> T:
    """Does `work` in this thread. Raises: Stopped, soon after that is wanted."""
    return asyncio.run(_until_stopped(work, stop_wanted))


async def _until_stopped(work: Coroutine[Any, Any, T], stop_wanted: Callable[[], bool]) -> T:
    task = asyncio.ensure_future(work)
    while not task.done():
        if stop_wanted():
            task.cancel()
            await asyncio.wait([task])
            raise Stopped
        await asyncio.wait([task], timeout=STOP_LOOK_SECONDS)
    return task.result()


async def patiently(
    attempt: Callable[[str], Awaitable[T]],
    address: Address,
    patience: Patience,
    moved: Callable[[], int] = lambda: 0,
) -> T:
    """Repeats `attempt`, each time with the newest address, while it may yet succeed.

    `moved` tells how many bytes have come through so far. Raises: StorageError, StorageDenied.
    """
    before, since, tries = moved(), time.monotonic(), 0
    while True:
        try:
            return await attempt(address())
        except (httpx.TransportError, _NoSuccess) as error:
            if moved() != before:
                before, since, tries = moved(), time.monotonic(), 0
            _check_patience(error, time.monotonic() - since, patience)
        await asyncio.sleep(min(patience.pause_seconds * 2**tries, patience.longest_pause_seconds))
        tries += 1


def _check_patience(error: Exception, passed_seconds: float, patience: Patience) -> None:
    if isinstance(error, _NoSuccess) and error.refused:
        if passed_seconds >= patience.address_seconds:
            raise StorageDenied(
                "The storage refused an address that was signed for this worker.",
                hint=REFUSED_HINT,
            ) from error
    elif passed_seconds >= patience.answer_seconds:
        raise StorageError("The storage does not answer.", hint=NO_ANSWER_HINT) from error


def _check(status: int) -> None:
    """Raises for every answer that is no success."""
    if status == httpx.codes.NOT_FOUND:
        raise BlobNotFound("The bytes are not in the storage.")
    if status == httpx.codes.INSUFFICIENT_STORAGE:
        raise StorageFull
    if not 200 <= status < 300:
        raise _NoSuccess(status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the bytes of a download must be."""

    size_bytes: int
    sha256: str  #: hexadecimal


class Download:
    """One file on its way here; goes on where it was when the network fails."""

    def __init__(
        self, expected: Expected, target: Path, tell: Callable[[int], None] = lambda done: None
    ) -> None:
        """`tell` hears how many bytes are there."""
        self._expected = expected
        self._target = target
        self._tell = tell
        self._done = 0
        self._sha256 = hashlib.sha256()

    async def run(self, address: Address, patience: Patience = PATIENCE) -> None:
        """Fetches all of it.

        Raises: BlobNotFound, StorageFull for no room here, StorageDenied, StorageError also when
        the bytes are not those that are expected.
        """
        with _room_errors():
            file = self._target.open("wb", buffering=0)  # a full disk tells at the write
        with file:
            async with client() as requests:
                await patiently(
                    lambda url: self._some(requests, url, file),
                    address,
                    patience,
                    lambda: self._done,
                )
        if self._done != self._expected.size_bytes:
            raise self._wrong_size(self._done)
        if self._sha256.hexdigest() != self._expected.sha256:
            raise StorageError("The video in the storage is not the one that was stored.")

    async def _some(self, requests: httpx.AsyncClient, url: str, file: RawIOBase) -> None:
        rest = {"Range": f"bytes={self._done}-"} if self._done else {}
        async with requests.stream("GET", url, headers=rest) as answer:
            _check(answer.status_code)
            if answer.status_code != httpx.codes.PARTIAL_CONTENT:
                self._begin_again(file)
            self._check_announced(answer.headers.get("Content-Length", ""))
            async for chunk in answer.aiter_raw():
                self._take(chunk, file)

    def _begin_again(self, file: RawIOBase) -> None:
        if not self._done:
            return
        self._done = 0
        self._sha256 = hashlib.sha256()
        with _room_errors():
            file.seek(0)
            file.truncate()

    def _check_announced(self, length: str) -> None:
        """A wrong size is told before all of it was fetched."""
        if length.isdigit() and self._done + int(length) != self._expected.size_bytes:
            raise self._wrong_size(self._done + int(length))

    def _take(self, chunk: bytes, file: RawIOBase) -> None:
        rest = memoryview(chunk)
        with _room_errors():
            while rest:
                rest = rest[file.write(rest) or 0 :]
        self._sha256.update(chunk)
        self._done += len(chunk)
        self._tell(self._done)

    def _wrong_size(self, found: int) -> StorageError:
        stored = self._expected.size_bytes
        return StorageError(f"The video has {found} bytes in the storage; {stored} were stored.")


def no_room() -> StorageFull:
    """The worker's own disk is full."""
    return StorageFull(
        "The worker has no room for the video.",
        hint="The operator must give workers more ephemeral storage.",
    )


@contextmanager
def _room_errors() -> Iterator[None]:
    try:
        with storage_errors():
            yield
    except StorageFull as error:
        raise no_room() from error


async def fetch_small(address: Address, most_bytes: int, patience: Patience = PATIENCE) -> bytes:
    """A small file, at most one byte more than `most_bytes` of it.

    Raises: BlobNotFound, StorageDenied, StorageError.
    """
    async with client() as requests:
        return await patiently(lambda url: _small(requests, url, most_bytes), address, patience)


async def _small(requests: httpx.AsyncClient, url: str, most_bytes: int) -> bytes:
    content = bytearray()
    async with requests.stream("GET", url) as answer:
        _check(answer.status_code)
        async for chunk in answer.aiter_raw():
            content += chunk
            if len(content) > most_bytes:
                break
    return bytes(content[: most_bytes + 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file on its way to its address."""

    source: Path
    size_bytes: int
    tell: Callable[[int], None]  #: hears how many bytes have left

    async def run(self, address: Address, patience: Patience = PATIENCE) -> None:
        """Writes it, whole or not at all. Raises: StorageFull, StorageDenied, StorageError."""
        if self.size_bytes > LARGEST_PUT_BYTES:
            raise StorageError(
                f"The result file {self.source.name} is too large: {self.size_bytes} bytes.",
                hint=f"An S3 server takes {LARGEST_PUT_BYTES} bytes at a time.",
            )
        # Tried: without the MD5 a server kept the half that a killed worker had sent.
        headers = {"Content-Length": str(self.size_bytes), "Content-MD5": await self._md5()}
        async with client() as requests:
            await patiently(lambda url: self._put(requests, url, headers), address, patience)

    async def _md5(self) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        async for piece in self._pieces():
            digest.update(piece)
            await asyncio.sleep(0)  # the work may be asked to stop
        return b64encode(digest.digest()).decode()

    async def _put(self, requests: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> None:
        answer = await requests.put(url, content=self._told(), headers=headers)
        _check(answer.status_code)

    async def _told(self) -> AsyncIterator[bytes]:
        done = 0
        async for piece in self._pieces():
            yield piece
            done += len(piece)
            self.tell(done)

    async def _pieces(self) -> AsyncIterator[bytes]:
        with storage_errors(), self.source.open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                yield piece
