"""Keys that were looked up a moment ago, so that a burst of requests does not ask for each."""

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from videoannotator.domain.access import Principal
from videoannotator.store.engine import Database

#: A key that another process revoked, or that has expired, is over after this time at the latest;
#: one that this process revoked is over at once.
FRESH_SECONDS = 1.0
MOST = 10_000  # callers of one second; who comes beyond is looked up


class KnownKeys:
    """Who came with which key within the last second. A key is known by its SHA-256."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._known: dict[str, tuple[float, Principal]] = {}
        self.changes = 0  #: how often `forget` was called

    def get(self, sha256: str) -> Principal | None:
        """Whose key it was a moment ago; None when it must be looked up."""
        looked_up_at, principal = self._known.get(sha256, (0.0, None))
        return principal if self._clock() - looked_up_at < FRESH_SECONDS else None

    def keep(self, sha256: str, principal: Principal, changes: int) -> None:
        """Keeps what was looked up, unless rights changed since `changes` was read."""
        if changes != self.changes:
            return
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[sha256] = (self._clock(), principal)

    def forget(self) -> None:
        """Looks up everybody again: somebody's rights have changed."""
        self.changes += 1
        self._known.clear()


_OF: WeakKeyDictionary[Database, KnownKeys] = WeakKeyDictionary()


def known_keys(database: Database) -> KnownKeys:
    """The one memory of all who read `database` in this process."""
    return _OF.setdefault(database, KnownKeys())
