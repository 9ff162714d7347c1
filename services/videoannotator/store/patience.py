"""A pool of connections that waits while a server restarts or has no connection free."""

import asyncio
import logging
import random
from contextlib import ExitStack
from itertools import count
from time import monotonic
from typing import Any, cast

from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.pool.base import _ConnectionRecord
from sqlalchemy.util import greenlet_spawn
from sqlalchemy.util.queue import Empty

from videoannotator.store.faults import no_connection_free, refused_for_good

PATIENCE_SECONDS = 10.0  # a restart takes one to five
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
#: So many connections rest. What a burst needed beyond them is closed so long after it, because
#: another process may wait for it.
RESTING = 2
BURST_SECONDS = 3.0


def pause_seconds(tried: int, dice: float) -> float:
    """The pause after `tried` refusals, counted from 1; `dice` is in [0, 1)."""
    longest = min(FIRST_PAUSE_SECONDS * 2.0 ** min(tried, 10), LONGEST_PAUSE_SECONDS)
    return longest * (0.5 + dice / 2)


class PatientPool(AsyncAdaptedQueuePool):
    """Waits for a connection where others fail at the first refusal.

    While the server is away the wait is PATIENCE_SECONDS from the first refusal on: who comes later
    in a long outage is told at once. That the server has no connection free is no fault: one stands
    in line, for one of ours that comes back or for one that another process gives up.
    """

    def __init__(self, *arguments: Any, **how: Any) -> None:
        """As AsyncAdaptedQueuePool."""
        super().__init__(*arguments, **how)
        dialect: Any = self._dialect
        self._refusal: type[Exception] = dialect.loaded_dbapi.OperationalError
        self._refused_at: float | None = None  # the first refusal since a connection was to be had
        self._short_at = monotonic()  # when last none rested for one that was needed
        self._shedding: asyncio.Task[None] | None = None

    def _do_get(self) -> ConnectionPoolEntry:
        ends_at = monotonic() + self._timeout
        wait_seconds = 0.0
        for tried in count(1):
            try:
                record = self._connected(wait_seconds)
            except self._refusal as error:
                self._bear(error, ends_at)
                wait_seconds = pause_seconds(tried, random.random())  # noqa: S311 - no secret
                continue
            if record is not None:
                self._refused_at = None
                return record
            wait_seconds = min(ends_at - monotonic(), PATIENCE_SECONDS)
            if wait_seconds <= 0:
                break
        raise NoConnectionFree("All connections are in use.")

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self.checkedin() > RESTING and self._shedding is None:
            self._shedding = asyncio.ensure_future(self._shed())

    def distrust(self, found_dead: PoolProxiedConnection) -> None:
        """Closes this connection, and before they are used again all that are as old."""
        self._invalidate(found_dead)

    def dispose(self) -> None:
        """Closes what rests."""
        if self._shedding is not None:
            self._shedding.cancel()
        super().dispose()

    async def _shed(self) -> None:
        """Closes surplus connections once the burst is over that needed them."""
        try:
            while (left := self._short_at + BURST_SECONDS - monotonic()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(left)
            await greenlet_spawn(self._close_surplus)
        finally:
            self._shedding = None

    def _close_surplus(self) -> None:
        while self.checkedin() > RESTING:
            record = self._pool.get(False)
            try:
                record.close()
            finally:
                self._dec_overflow()

    def _connected(self, wait_seconds: float) -> ConnectionPoolEntry | None:
        """One that rests or comes back in time, else a new one; None when we may have no more."""
        record = self._returned(wait_seconds)
        if record is None:
            self._short_at = monotonic()
            if not self._inc_overflow():
                return None
        with ExitStack() as in_vain:
            in_vain.callback(self._dec_overflow)
            record = record or cast(_ConnectionRecord, self._create_connection())
            # What was found dead meanwhile connects again, here, where a refusal is borne.
            while record._is_hard_or_soft_invalidated():
                record.get_connection()
            in_vain.pop_all()
        return record

    def _returned(self, wait_seconds: float) -> _ConnectionRecord | None:
        try:
            return cast(_ConnectionRecord, self._pool.get(wait_seconds > 0, wait_seconds))
        except Empty:
            return None

    def _bear(self, refusal: Exception, ends_at: float) -> None:
        """Raises a refusal that no waiting will mend."""
        now = monotonic()
        if self._refused_at is None:
            self._refused_at = now
        outage_ends_at = self._refused_at + PATIENCE_SECONDS
        if no_connection_free(refusal):
            outage_ends_at = ends_at
        if now >= min(outage_ends_at, ends_at) or refused_for_good(refusal):
            raise refusal


# SQLAlchemy tells every coming and going of a connection, and of its own pools keeps that to
# itself. A pool of ours it calls by our name.
logging.getLogger(f"{PatientPool.__module__}.{PatientPool.__qualname__}").setLevel(logging.WARNING)
