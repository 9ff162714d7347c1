"""The leader row."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Leadership:
    """Who decides. Judged by the database's clock, the only one compared between processes."""

    holder: str | None  #: name of the process; None when the row was given up
    address: str | None  #: where its SchedulerService answers
    epoch: int  #: number of the leadership; grows with every takeover
    expires_at: datetime | None
    drain_requested_at: datetime | None = None  #: written by the api: launch nothing new
