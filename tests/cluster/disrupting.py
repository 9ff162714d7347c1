"""What disturbs everybody on the cluster is done by one test at a time, and mended afterwards."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.given import GivenCluster

LOCK = Path("/tmp/va-cluster.disrupt")


@contextmanager
def disrupting(cluster: GivenCluster) -> Iterator[GivenCluster]:
    """The cluster alone; every component runs again at the end."""
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield cluster
        finally:
            cluster.mend()
