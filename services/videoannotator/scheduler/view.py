"""The loop's memory: what this leader was told, folded into one record for each tick."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

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
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.observed import AttemptKey, Contact, Examined, Observed
from videoannotator.store.rows import JobRows

MOST_LINES = 10_000  # kept while the database takes nothing; the workers' own logs have the rest


class View:
    """Grows by messages and sights, shrinks with the rows: what no row names is forgotten."""

    def __init__(self, leader_since: datetime) -> None:
        self.leader_since = leader_since
        self.contacts: dict[str, Contact] = {}
        self.examined: dict[AttemptKey, Examined] = {}
        self.examining: set[AttemptKey] = set()
        self.busy: set[str] = set()
        self.unseen_since: dict[str, datetime] = {}
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
            case CreateEnded(failure=failure):
                self.busy.discard(message.worker_id)
                if failure is not None:
                    self._put(message.worker_id, create_failure=failure)
            case TerminateEnded():
                self.busy.discard(message.worker_id)
            case ExamineEnded(key=key, examined=examined):
                self.examining.discard(key)
                if examined is not None:
                    self.examined[key] = examined
            case _:
                self._hear(message, now)

    def _hear(self, message: Message, now: datetime) -> None:
        """Takes in what the worker itself told."""
        worker_id = message.worker_id
        self._put(worker_id, answered_at=now)
        match message:
            case Answered(described=True):
                self._put(worker_id, described=True)
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

    def called(self, worker_id: str) -> None:
        """The worker is being driven from now on."""
        self._put(worker_id)

    def attached(self, worker_id: str) -> None:
        """Annotate is under way."""
        self._put(worker_id, attached=True)

    def observed(
        self,
        sights: Mapping[str, Observation],
        rows: tuple[JobRows, ...],
        now: datetime,
        *,
        draining: bool,
        ending: bool,
    ) -> Observed:
        """What `reconcile` sees in this tick."""
        self._look(sights, now)
        self._forget(rows)
        return Observed(
            leader_since=self.leader_since,
            draining=draining,
            ending=ending,
            sights=sights,
            unseen_since=dict(self.unseen_since),
            contacts=dict(self.contacts),
            examined=dict(self.examined),
            busy=frozenset(self.busy),
            examining=frozenset(self.examining),
        )

    def _look(self, sights: Mapping[str, Observation], now: datetime) -> None:
        for worker_id, seen in sights.items():
            if seen.sight is Sight.UNKNOWN:
                self.unseen_since.setdefault(worker_id, now)
            else:
                self.unseen_since.pop(worker_id, None)

    def _forget(self, rows: tuple[JobRows, ...]) -> None:
        live = {
            worker.id
            for job in rows
            for worker in job.workers
            if worker.state is not WorkerState.GONE
        }
        runs = {run.id for job in rows for run in job.runs}
        for known in (self.contacts, self.unseen_since, self.progress, self.probes):
            for worker_id in known.keys() - live:
                del known[worker_id]
        self.unwritten &= live
        for key in [key for key in self.examined if key[0] not in runs]:
            del self.examined[key]
