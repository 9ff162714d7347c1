"""The leader's own judgement of its lease, by its monotonic clock."""

import time
from collections.abc import Callable

from videoannotator.domain.errors import NotLeader


class Lease:
    """Valid for `seconds` from the *sending* of the last renewal that succeeded.

    Checked right before everything that is sent: past its end the leader sends nothing, whatever
    the database says.
    """

    def __init__(
        self,
        epoch: int,
        seconds: float,
        sent_at: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sent_at` is the clock's reading before the acquisition was sent."""
        self.epoch = epoch
        self.seconds = seconds
        self._sent_at = sent_at
        self._clock = clock
        self._lost = False

    def now(self) -> float:
        """The clock's reading, in seconds."""
        return self._clock()

    def renewed(self, sent_at: float) -> None:
        """A renewal that was sent at `sent_at` succeeded. A lease that was lost stays lost."""
        self._sent_at = max(self._sent_at, sent_at)

    def lose(self) -> None:
        """Another leader took over, or the row was given up."""
        self._lost = True

    @property
    def valid(self) -> bool:
        """This process may act as the leader."""
        return not self._lost and self._clock() - self._sent_at < self.seconds

    def check(self) -> None:
        """Raises: NotLeader when the lease is over; it never becomes valid again then."""
        if not self.valid:
            self._lost = True
            raise NotLeader
