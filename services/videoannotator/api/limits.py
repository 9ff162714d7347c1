"""How often one caller may do something."""

from collections import defaultdict, deque
from collections.abc import Callable

from videoannotator.domain.errors import LimitReached

WINDOW_SECONDS = 60.0


class PerMinute:
    """A sliding window for each caller. Each process counts for itself."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        """`limit` 0: none. `clock` is monotonic, in seconds."""
        self._limit = limit
        self._clock = clock
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)

    def count(self, caller: str) -> None:
        """Counts one. Raises: LimitReached, and counts nothing then."""
        if self._limit == 0:
            return
        now = self._clock()
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

    def _forget(self, now: float) -> None:
        for caller, times in list(self._times.items()):
            while times and times[0] <= now - WINDOW_SECONDS:
                times.popleft()
            if not times:
                del self._times[caller]
