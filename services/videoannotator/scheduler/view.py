"""The loop's memory: what this leader was told, folded into one record for each tick."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from videoannotator.domain.jobs import Progress, WorkerState
from videoannotator.domain.videos import Probe
from videoannotator.scheduler.inbox import (
    Answered,
    CreateEnded,
    ExamineEnded,
    Finished,
    Message,
    Moved,
    Opened,
    Said,
    TerminateEnded,
)
from videoannotator.scheduler.launchers.interface import Observation, Phase, Sight, Watch
from videoannotator.scheduler.observed import AttemptKey, Contact, Examined, Observed
from videoannotator.store.rows import JobRows

#: Before a create that was not answered is repeated; doubled each time.
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
MOST_LINES = 10_000  # kept while the database takes nothing; the workers' own logs have the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look of the launcher."""

    watch: Watch = field(default_factory=Watch)
    sights: Mapping[str, Observation] = field(default_factory=dict)


Word = TypeVar("Word")


class View:
    """Grows by messages and sights, shrinks with the rows: what no row names is forgotten."""

    def __init__(self, leader_since: datetime) -> None:
        self.leader_since = leader_since
        self.contacts: dict[str, Contact] = {}
        self.examined: dict[AttemptKey, Examined] = {}
        self.examining: set[AttemptKey] = set()
        self.busy: set[str] = set()
        self.seeing_since = leader_since  #: without a break
        self.unseen: dict[str, tuple[Sight, datetime]] = {}  #: UNKNOWN or UNSEEN, since when
        self.phases: dict[str, tuple[Phase, datetime]] = {}  #: of those that have a place
        self.progress: dict[str, Progress] = {}  #: the last told, by worker id
        self.unwritten: set[str] = set()  #: workers whose progress is not written yet
        self.probes: dict[str, Probe] = {}  #: not written yet, by worker id
        self.lines: list[Said] = []  #: not written yet

    def fold(self, messages: Iterable[Message], now: datetime) -> None:
        """Takes in what tasks learned; `now` is the tick's time."""
        for message in messages:
            self._fold(message, now)

    def _fold(self, message: Message, now: datetime) -> None:
        match message:
            case CreateEnded():
                self._create_ended(message, now)
            case TerminateEnded():
                self.busy.discard(message.worker_id)
            case ExamineEnded(key=key, examined=examined):
                self.examining.discard(key)
                if examined is not None:
                    self.examined[key] = examined
            case _:
                self._hear(message, now)

    def _create_ended(self, message: CreateEnded, now: datetime) -> None:
        """What was not done, or nobody knows, is repeated after a pause that grows."""
        worker_id = message.worker_id
        self.busy.discard(worker_id)
        if message.landed and self._contact(worker_id).creates == 0:
            self._put(worker_id, landed=True)
        if message.failure is not None:
            self._put(worker_id, create_failure=message.failure)
        if message.again_after_seconds is not None:
            count = self._contact(worker_id).creates
            grown = min(FIRST_PAUSE_SECONDS * 2.0**count, LONGEST_PAUSE_SECONDS)
            pause = timedelta(seconds=max(grown, message.again_after_seconds))
            again = {"creates": min(count + 1, 30), "create_again_at": now + pause}
            self._put(worker_id, landed=False, **again)

    def _hear(self, message: Message, now: datetime) -> None:
        """Takes in what the worker itself told."""
        worker_id = message.worker_id
        self._put(worker_id, answered_at=now)
        match message:
            case Answered(described_by=str() as identity):
                self._put(worker_id, described=identity == self._contact(worker_id).identity)
            case Opened(probe=probe):
                self.probes[worker_id] = probe
                self._put(worker_id, progressed_at=now)
            case Moved(progress=progress):
                self._move(worker_id, progress, now)
            case Said():
                self.lines.append(message)
                del self.lines[:-MOST_LINES]
            case Finished(ended=ended):
                self._put(worker_id, ended=ended)

    def _contact(self, worker_id: str) -> Contact:
        return self.contacts.get(worker_id, Contact())

    def _put(self, worker_id: str, **changes: Any) -> None:
        self.contacts[worker_id] = replace(self._contact(worker_id), **changes)

    def _move(self, worker_id: str, progress: Progress, now: datetime) -> None:
        before = self.progress.get(worker_id, Progress())
        self.progress[worker_id] = progress
        self.unwritten.add(worker_id)
        place = (progress.stage, progress.position_seconds)
        if place != (before.stage, before.position_seconds):
            self._put(worker_id, progressed_at=now)

    def written(self, moved: Iterable[str], lines: int) -> None:
        """Progress of the workers `moved` and the first `lines` log lines are in the database."""
        self.unwritten -= set(moved)
        del self.lines[:lines]

    def called(self, worker_id: str, identity: str) -> None:
        """This process of the worker is being driven from now on, and no other."""
        self._put(worker_id, identity=identity, described=False, attached=False)

    def attached(self, worker_id: str) -> None:
        """Annotate is under way."""
        self._put(worker_id, attached=True)

    def observed(
        self,
        seen: Seen,
        rows: tuple[JobRows, ...],
        now: datetime,
        *,
        draining: bool,
        ending: bool,
    ) -> Observed:
        """What `reconcile` sees in this tick; `now` was read after `seen`."""
        self._look(seen, now)
        self._forget(rows)
        gapless = seen.watch.gapless_seconds
        return Observed(
            leader_since=self.leader_since,
            draining=draining,
            ending=ending,
            trouble=seen.watch.trouble,
            seeing_since=self.seeing_since,
            watching_since=None if gapless is None else now - timedelta(seconds=gapless),
            complete_until=now - timedelta(seconds=seen.watch.lag_seconds),
            strays=seen.watch.strays,
            sights=seen.sights,
            unseen_since={worker_id: since for worker_id, (_, since) in self.unseen.items()},
            phase_since={worker_id: since for worker_id, (_, since) in self.phases.items()},
            contacts=dict(self.contacts),
            examined=dict(self.examined),
            busy=frozenset(self.busy),
            examining=frozenset(self.examining),
        )

    def _look(self, seen: Seen, now: datetime) -> None:
        """While the launcher does not see, every clock about what it sees stands still."""
        if seen.watch.trouble:
            self.seeing_since = now
            self.unseen.clear()
            return
        for worker_id, sight in seen.sights.items():
            doubtful = sight.sight in (Sight.UNKNOWN, Sight.UNSEEN) or sight.never_ran
            _since(self.unseen, worker_id, sight.sight if doubtful else None, now)
            placed = sight.sight is Sight.ALIVE
            _since(self.phases, worker_id, sight.phase or Phase.STARTING if placed else None, now)

    def _forget(self, rows: tuple[JobRows, ...]) -> None:
        live = {
            worker.id
            for job in rows
            for worker in job.workers
            if worker.state is not WorkerState.GONE
        }
        runs = {run.id for job in rows for run in job.runs}
        for known in (self.contacts, self.unseen, self.phases, self.progress, self.probes):
            for worker_id in known.keys() - live:
                del known[worker_id]
        self.unwritten &= live
        for key in [key for key in self.examined if key[0] not in runs]:
            del self.examined[key]


def _since(
    known: dict[str, tuple[Word, datetime]], worker_id: str, word: Word | None, now: datetime
) -> None:
    """Notes since when `word` is true of a worker; None: nothing is."""
    if word is None:
        known.pop(worker_id, None)
    elif worker_id not in known or known[worker_id][0] != word:
        known[worker_id] = (word, now)
