"""Holds requests back: so many a second, and so many creates at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from videoannotator.domain.errors import Unavailable
from videoannotator.scheduler.launchers.kubernetes.bucket import Bucket, taken, wait_of

CREATES_AT_A_TIME = 10

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Pacer:
    """The thin shell around the bucket. Requests leave in the order in which they came."""

    def __init__(
        self,
        bucket: Bucket | None = None,
        *,
        creates_at_a_time: int = CREATES_AT_A_TIME,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._sleep = sleep
        self._bucket = bucket or Bucket(at=clock())
        self._creates = asyncio.Semaphore(creates_at_a_time)

    async def turn(self, patience_seconds: float) -> None:
        """Returns when the next request may leave.

        Raises: Unavailable when that would take longer than `patience_seconds`; nothing is sent.
        """
        now = self._clock()
        wait = wait_of(self._bucket, now)
        if wait > patience_seconds:
            raise _busy(wait)
        self._bucket = taken(self._bucket, now)
        if wait > 0.0:
            await self._sleep(wait)

    @asynccontextmanager
    async def create(self, patience_seconds: float) -> AsyncIterator[None]:
        """Holds one of the few places for creates, and gives the turn.

        Raises: Unavailable when that would take longer than `patience_seconds`; nothing is sent.
        """
        started = self._clock()
        try:
            async with asyncio.timeout(patience_seconds):
                await self._creates.acquire()
        except TimeoutError as error:
            raise _busy(patience_seconds) from error
        try:
            await self.turn(patience_seconds - (self._clock() - started))
            yield
        finally:
            self._creates.release()


def _busy(wait_seconds: float) -> Unavailable:
    return Unavailable(
        "Too many requests wait for the API server of Kubernetes; this one was not sent.",
        retry_after_seconds=wait_seconds,
    )
