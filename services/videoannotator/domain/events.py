"""Events: what changed, for those who watch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """The public server's clients listen for these names."""

    UPDATE = "job.update"
    LOG = "job.log"
    COMPLETE = "job.complete"
    ERROR = "job.error"
    CANCELLED = "job.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One state change or log line.

    Carries the new state in full, so that a lost one costs nothing.
    """

    id: int  #: grows; a reader that has seen id n has seen all below
    kind: EventKind
    job_id: str
    owner_id: str
    group_id: str | None = None
    run_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime
