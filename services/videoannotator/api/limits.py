"""How often one caller may do something."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from fastapi.exceptions import RequestValidationError

from videoannotator.domain.errors import Conflict, Forbidden, InvalidRequest, LimitReached, NotFound

WINDOW_SECONDS = 60.0
REFUSALS = (InvalidRequest, Forbidden, NotFound, Conflict, RequestValidationError)


class PerMinute:
    """A sliding window for each caller. Each process counts for itself."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        """`limit` 0: none. `clock` is monotonic, in seconds."""
        self._limit = limit
        self._clock = clock
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)

    def count(self, caller: str) -> float:
        """Counts one; when that was. Raises: LimitReached, and counts nothing then."""
        now = self._clock()
        if self._limit == 0:
            return now
        self._forget(now)
        times = self._times[caller]
        if len(times) >= self._limit:
            wait = times[0] + WINDOW_SECONDS - now
            raise LimitReached(
                f"More than {self._limit} uploads in a minute.",
                hint=f"Try again in {wait:.0f} s.",
                retry_after_seconds=wait,
            )
        times.append(now)
        return now

    @contextmanager
    def unless_refused(self, caller: str, counted: float) -> Iterator[None]:
        """Takes back what was counted then, when the request is refused: nothing of it is kept.

        A request that meets another limit has been counted for good.
        """
        try:
            yield
        except REFUSALS:
            with suppress(ValueError):  # there is no limit, or it is out of the window by now
                self._times.get(caller, deque()).remove(counted)
            raise

    def _forget(self, now: float) -> None:
        for caller, times in list(self._times.items()):
            while times and times[0] <= now - WINDOW_SECONDS:
                times.popleft()
            if not times:
                del self._times[caller]
