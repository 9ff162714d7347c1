"""When a leader last called, and who may call: the highest epoch and the orphan rule."""

import time
from collections.abc import Callable

from videoannotator.domain.errors import NotLeader


class Contact:
    """Remembers the calls that were accepted. Safe to read from any thread."""

    def __init__(
        self,
        grace_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_admit: Callable[[], None] = lambda: None,
    ) -> None:
        """`grace_seconds`: a worker that nobody calls for so long is an orphan."""
        self.grace_seconds = grace_seconds
        self.called = False  #: by anybody, ever
        self._epoch = 0
        self._clock = clock
        self._on_admit = on_admit
        self._last = clock()

    def admit(self, epoch: int) -> None:
        """Takes a call into account. A refused call keeps nobody alive.

        Raises: NotLeader when a leader with a higher epoch has called before.
        """
        if epoch < self._epoch:
            raise NotLeader(
                "A later leader has called this worker.", hint="Read the leader row again."
            )
        self._epoch = epoch
        self._last = self._clock()
        self.called = True
        self._on_admit()

    @property
    def left_seconds(self) -> float:
        """Until the worker is an orphan; 0 or less when it is one."""
        return self._last + self.grace_seconds - self._clock()
