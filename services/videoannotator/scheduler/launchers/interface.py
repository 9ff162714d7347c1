"""The interface of a launcher, and what it tells."""

from collections.abc import Callable, Collection, Mapping
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


class Phase(StrEnum):
    """How far a worker that was created has come; each has a time limit of its own."""

    PLACING = "placing"  #: waits for a place; never held against it
    PULLING = "pulling"  #: has a place; its image is fetched, its volumes are mounted
    STARTING = "starting"  #: its process runs and has not answered yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at one worker."""

    sight: Sight
    address: str | None = None  #: gRPC target, when it can be called
    identity: str | None = None  #: the process or pod seen
    #: why it ended; of one that has not ended: why it never will work, so that it is given up
    failure: Failure | None = None
    detail: str = ""  #: for people: "waits for an image"
    phase: Phase | None = None  #: None where the launcher knows no phases
    never_ran: bool = False  #: no process of it was ever seen; UNSEEN says so by itself
    unsure: bool = False  #: UNKNOWN, and not looked for by its name since
    node_silent: bool = False  #: the cluster does not hear its node: it may run on, unheard


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """What is left of a worker that is GONE or forgotten; it is cleared away."""

    worker_id: str
    running: bool = False  #: something of it may run: it still holds its place
    gpus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How well a launcher sees at the moment."""

    #: why workers cannot be seen or started, one sentence for people; empty: they can
    trouble: str = ""
    #: nothing that happened in the last so many seconds was missed; None: looks miss nothing
    gapless_seconds: float | None = None
    lag_seconds: float = 0.0  #: what has happened in the last so many may not have been told yet
    strays: tuple[Stray, ...] = ()


class Launcher(Protocol):
    """Starts, observes and terminates workers. Every method may be repeated."""

    name: str  #: process | kubernetes
    late_create_seconds: float  #: a create that was sent may still land for so long
    leaves_within_seconds: float  #: of the begin of `create`: a create leaves so soon, or never

    async def start(self, ring: Callable[[], None]) -> None:
        """Begins to watch; `ring` is called whenever another look is worth while."""
        ...

    def watch(self) -> Watch:
        """How well it sees at the moment; asked just before `observe`."""
        ...

    async def create(self, worker: Worker) -> None:
        """Starts the worker from its stored body; finds the first one when called again.

        Raises: StorageError, Unavailable (the outcome is unknown), InvalidRequest (it can never
        start), LimitReached (there is no room for it now), Conflict (its name is taken), Forbidden
        (we may not; `watch` tells the operator).
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

    async def clear(self, worker_id: str) -> None:
        """Ends and removes what is left of a worker that is GONE or forgotten; may be repeated.

        Raises: Unavailable, StorageError, Forbidden.
        """
        ...

    async def close(self) -> None:
        """Ends what belongs to the launcher itself; workers run on."""
        ...
