"""What needs the cluster whole waits until nobody disrupts it; many may do so together."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.disrupting import LOCK


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nobody disrupts the cluster inside the block."""
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield
