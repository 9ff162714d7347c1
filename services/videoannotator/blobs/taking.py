"""Takes bytes in from a source, counted and hashed, and hands them to a library that sends them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from videoannotator.blobs.interface import Stored
from videoannotator.domain.errors import TooLarge

BATCH_BYTES = 1024 * 1024  # handed over at once: a hop between tasks costs more than a copy


class Taking:
    """Reads a source to its end."""

    def __init__(self, chunks: AsyncIterator[bytes], max_bytes: int | None) -> None:
        """More than `max_bytes` are refused; None: no limit."""
        self.ended = False
        self._chunks = chunks
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._sha256 = hashlib.sha256()

    async def batch(self, least_bytes: int) -> bytes:
        """The next bytes, so many or a little more; at the end fewer, or none. Raises: TooLarge."""
        pieces: list[bytes] = []
        size = 0
        while size < least_bytes and not self.ended:
            piece = await anext(self._chunks, None)
            if piece is None:
                self.ended = True
            else:
                self._count(piece)
                pieces.append(piece)
                size += len(piece)
        return b"".join(pieces)

    def _count(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        if self._max_bytes is not None and self._size_bytes > self._max_bytes:
            raise TooLarge(f"More than {self._max_bytes} bytes.")
        self._sha256.update(piece)

    @property
    def stored(self) -> Stored:
        """What was taken in so far."""
        return Stored(size_bytes=self._size_bytes, sha256=self._sha256.hexdigest())


class _BrokenOff(Exception):
    """The source ended early: what was sent so far must not become a blob."""


class Pipe:
    """What a library iterates over. The source is read in the task that has it, not in another."""

    def __init__(self) -> None:
        self._batches: asyncio.Queue[bytes | _BrokenOff | None] = asyncio.Queue(maxsize=1)

    def __aiter__(self) -> "Pipe":
        return self

    async def __anext__(self) -> bytes:
        """The next bytes. Raises what makes the library give the upload up."""
        batch = await self._batches.get()
        if batch is None:
            raise StopAsyncIteration
        if isinstance(batch, _BrokenOff):
            raise batch
        return batch

    async def feed(self, first: bytes, taking: Taking, sending: "asyncio.Future[Any]") -> None:
        """Hands over `first` and the rest of the source; returns when `sending` has succeeded.

        When the source fails, or this is cancelled, `sending` is made to fail and waited for.
        """
        try:
            batch: bytes | None = first
            while batch is not None and await self._give(batch, sending):
                batch = await taking.batch(BATCH_BYTES) or None
            await self._give(None, sending)
            await asyncio.shield(sending)
        finally:
            await self._settle(sending)

    async def _give(self, batch: bytes | None, sending: "asyncio.Future[Any]") -> bool:
        """Hands `batch` over, once there is room; False when nobody takes it any more."""
        giving = asyncio.ensure_future(self._batches.put(batch))
        try:
            await asyncio.wait({giving, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            giving.cancel()
        return not sending.done()

    async def _settle(self, sending: "asyncio.Future[Any]") -> None:
        """Breaks the upload off unless it has ended, and waits for that, also when cancelled."""
        cancelled: asyncio.CancelledError | None = None
        while not sending.done():
            if self._batches.full():
                self._batches.get_nowait()
            self._batches.put_nowait(_BrokenOff())
            try:
                await asyncio.wait([sending])
            except asyncio.CancelledError as error:
                cancelled = error
        if not sending.cancelled():
            sending.exception()  # whoever broke it off has an error of its own
        if cancelled is not None:
            raise cancelled
