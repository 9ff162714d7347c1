"""What this leader knows beside the rows: the launcher's sights and what its own calls told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Artifact, AttemptOutcome
from videoannotator.scheduler.launchers.interface import Observation, Stray


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A worker's own last message."""

    outcome: AttemptOutcome  #: COMPLETED or FAILED
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What this leader's calls to one worker told. Times are ticks, on the database's clock."""

    identity: str | None = None  #: the process or pod that is being driven; None: none
    described: bool = False  #: it answered Describe, to this leader
    attached: bool = False  #: Annotate is under way, or being repeated
    ended: Ended | None = None
    answered_at: datetime | None = None  #: last time it answered anything
    progressed_at: datetime | None = None  #: last time its position moved
    #: every create that this leader sent was answered, so that none can land any more
    landed: bool = False
    create_failure: Failure | None = None  #: the launcher refused it for good
    creates: int = 0  #: that were sent without a known outcome, one after the other
    create_again_at: datetime | None = None  #: the same create is not repeated before


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found of an attempt that is over: the truth is in the storage, not in a message."""

    artifacts: tuple[Artifact, ...] | None  #: None: there is no manifest
    summary: Mapping[str, int] = field(default_factory=dict)
    failure: Failure | None = None  #: the manifest is there and does not fit its files
    log_tail: tuple[str, ...] = ()  #: the worker's last lines, kept when there is no result

    @property
    def found(self) -> bool:
        """There is a result."""
        return self.artifacts is not None


AttemptKey = tuple[str, int]  # run id, attempt number


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything `reconcile` sees that is not a row."""

    leader_since: datetime  #: when this leadership began
    draining: bool = False  #: an operator wants nothing new to start
    ending: bool = False  #: this program ends and takes its workers along
    #: why the launcher sees or starts nothing now, for people; empty: it does
    trouble: str = ""
    #: since when it has seen all workers without a break; None: since the leadership began
    seeing_since: datetime | None = None
    #: nothing was missed since then; None: since the leadership began
    watching_since: datetime | None = None
    #: what has happened since then may not have been seen yet; None: all was seen
    complete_until: datetime | None = None
    strays: tuple[Stray, ...] = ()
    sights: Mapping[str, Observation] = field(default_factory=dict)  #: by worker id
    #: workers that vanished, or of which nothing was ever seen, and since when
    unseen_since: Mapping[str, datetime] = field(default_factory=dict)
    #: workers that start, and since when they have been in their phase
    phase_since: Mapping[str, datetime] = field(default_factory=dict)
    contacts: Mapping[str, Contact] = field(default_factory=dict)  #: by worker id
    examined: Mapping[AttemptKey, Examined] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()  #: workers with a create or a terminate under way
    examining: frozenset[AttemptKey] = frozenset()

    @property
    def launching(self) -> bool:
        """New workers may be created, and what is not seen may be held against a worker."""
        return not self.trouble

    @property
    def judging_since(self) -> datetime:
        """What was not seen or heard before then is not held against a worker."""
        return max(self.leader_since, self.seeing_since or self.leader_since)

    @property
    def complete_since(self) -> datetime:
        """Whatever was created since then was seen."""
        return max(self.leader_since, self.watching_since or self.leader_since)
