"""What this leader knows beside the rows: the launcher's sights and what its own calls told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Artifact, AttemptOutcome
from videoannotator.scheduler.launchers.interface import Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A worker's own last message."""

    outcome: AttemptOutcome  #: COMPLETED or FAILED
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What this leader's calls to one worker told. Times are ticks, on the database's clock."""

    described: bool = False  #: it answered Describe, to this leader
    attached: bool = False  #: Annotate is under way, or being repeated
    ended: Ended | None = None
    answered_at: datetime | None = None  #: last time it answered anything
    progressed_at: datetime | None = None  #: last time its position moved
    create_failure: Failure | None = None  #: the launcher refused it for good


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
    launching: bool = True  #: False while the launcher's view is stale or the lease is in doubt
    sights: Mapping[str, Observation] = field(default_factory=dict)  #: by worker id
    unseen_since: Mapping[str, datetime] = field(
        default_factory=dict
    )  #: workers that vanished, and when
    contacts: Mapping[str, Contact] = field(
        default_factory=dict
    )  #: by worker id; a key means it is being driven
    examined: Mapping[AttemptKey, Examined] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()  #: workers with a create or a terminate under way
    examining: frozenset[AttemptKey] = frozenset()
