"""What `reconcile` may ask for.

An action is a record; `changes` turns it into rows, `shell` into calls.
"""

from dataclasses import dataclass

from videoannotator.domain.failures import Failure
from videoannotator.scheduler.observed import Ended, Examined


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One step for one job."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch(Action):
    """Write an attempt and its worker."""

    run_id: str
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Action):
    """Record the create, then send it."""

    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Action):
    """Ask a worker what it is."""

    worker_id: str
    address: str
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkUp(Action):
    """The worker answered: write down which process is called, and no other will be."""

    worker_id: str
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach(Action):
    """Annotate, or re-attach to the work in hand."""

    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAttempt(Action):
    """The worker reported its end."""

    worker_id: str
    ended: Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp(Action):
    """The worker shall end; its attempt stays open until it did."""

    worker_id: str
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginCancel(Action):
    """Stop everything of the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate(Action):
    """Ask a stopping worker to end, or make it."""

    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismiss(Action):
    """Ask a worker that told its end to end by itself."""

    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkEnded(Action):
    """Nothing of the worker runs: write that down before what shows it is deleted."""

    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkGone(Action):
    """The worker is proved gone."""

    worker_id: str
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkUnproven(Action):
    """The worker cannot be proved gone, or can again."""

    worker_id: str
    unproven: bool
    detail: str = ""  #: what is seen instead of its end, for people


@dataclass(frozen=True, slots=True, kw_only=True)
class Examine(Action):
    """Look for the manifest of an attempt that is over."""

    run_id: str
    attempt: int
    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle(Action):
    """Decide what a run becomes, its last attempt being over (or its worker abandoned)."""

    run_id: str
    examined: Examined | None  #: None: only when a cancel ends over an abandoned worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge(Action):
    """Delete the rows and bytes of a deleted job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Action):
    """Tell why a run waits, and where in the queue; none once it has a worker."""

    run_id: str
    position: int | None
    reason: str  #: empty: it waits no more
