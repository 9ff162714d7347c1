"""Who acts in the simulated world: pods with their processes, and leaders."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.inbox import Message
from videoannotator.scheduler.launchers.interface import Observation
from videoannotator.scheduler.view import View

START = datetime(2026, 1, 1, tzinfo=UTC)
LIVING = ("bound", "idle", "working", "done", "failed")


@dataclass
class Pod:
    """One process of one worker, and the object that stands for it in the cluster."""

    worker_id: str
    run_id: str
    attempt: int
    process: str = "bound"  # bound, idle, working, done, failed, dead
    object: bool = True  # the cluster still shows it
    parent: bool = True  # the object that made it is still there: the name is taken
    deleting: bool = False
    cut: bool = False  # nobody reaches its node
    heard_at: datetime = START
    epoch: int = 0
    created_at: datetime = START
    stopped: bool = False

    @property
    def alive(self) -> bool:
        """Its process exists and may hold a GPU."""
        return self.process in LIVING


@dataclass
class Leader:
    """One leadership, as it sees itself."""

    epoch: int
    view: View
    since: datetime
    frozen: bool = False
    cut: bool = False  # it does not reach the database, nor anything else
    renewed_at: datetime = START
    inbox: list[Message] = field(default_factory=list)
    blind: bool = False  # its watch of the cluster is broken
    sees_since: datetime = START  # without a gap
    sights: dict[str, Observation] = field(default_factory=dict)  # of the last look that saw
    saw: dict[str, str] = field(default_factory=dict)  # worker id -> alive | terminal
    workers: tuple[Worker, ...] = ()
    pending_creates: list[str] = field(default_factory=list)  # recorded, not sent yet
