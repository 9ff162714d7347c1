"""The interface of a launcher, and what it tells."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Worker


class Sight(StrEnum):
    """What a launcher knows of a worker.

    Only GONE is proof; the rest needs a rule (see `reconcile`).
    """

    UNSEEN = "unseen"  #: no trace of it and none seen before: not created yet, or on its way
    WAITING = "waiting"  #: created, waits for a place
    ALIVE = "alive"  #: its process may run; it can be called when `address` is set
    ENDED = "ended"  #: its own process has ended; something of it may still be there
    UNKNOWN = "unknown"  #: it was there, and is not seen now: proves nothing
    GONE = "gone"  #: proved: nothing of it runs, and no create of it can still land


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at one worker."""

    sight: Sight
    address: str | None = None  #: gRPC target, when it can be called
    identity: str | None = None  #: the process or pod seen
    failure: Failure | None = None  #: why it ended, when that can be told
    detail: str = ""  #: for people: "waits for an image"


class Launcher(Protocol):
    """Starts, observes and terminates workers. Every method may be repeated."""

    name: str  #: process | kubernetes
    late_create_seconds: float  #: a create that was sent may still land for so long

    async def create(self, worker: Worker) -> None:
        """Starts the worker from its stored body; finds the first one when called again.

        Raises: StorageError, Unavailable (the outcome is unknown), InvalidRequest (it can never
        start).
        """
        ...

    async def observe(self, workers: Collection[Worker]) -> Mapping[str, Observation]:
        """Looks at each of `workers`; an answer for every id."""
        ...

    async def terminate(self, worker: Worker) -> None:
        """Asks the worker to end, and makes it end once its grace has passed.

        Returns at once, may be repeated.
        """
        ...

    async def logs(self, worker: Worker, lines: int) -> list[str]:
        """The worker's last log lines, oldest first; empty when there are none."""
        ...

    async def forget(self, worker_id: str) -> None:
        """Removes what is kept of a worker that is GONE."""
        ...

    async def close(self) -> None:
        """Ends what belongs to the launcher itself; workers run on."""
        ...
