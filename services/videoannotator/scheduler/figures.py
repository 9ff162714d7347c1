"""What one look says about the whole: pure, computed anew each time, never counted up and down."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from videoannotator.domain.jobs import RUN_FINAL, Attempt, Run, RunState, Worker, WorkerState
from videoannotator.scheduler.launchers.interface import Phase, Sight
from videoannotator.scheduler.observed import Contact, Observed
from videoannotator.store.rows import JobRows

UNPROVEN = "unproven"
#: Every time limit but that of the whole run is shorter.
STUCK = timedelta(hours=1)

#: Where a worker is -> the name of the time that it takes there.
PHASES: Mapping[Phase, str] = {
    Phase.PLACING: "placed",
    Phase.PULLING: "pulled",
    Phase.STARTING: "started",
}
FIRST_RESULT = "first_result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Gauges of one look. Times are seconds, 0 where there is nothing to measure."""

    runs: Mapping[RunState, int] = field(default_factory=dict)  #: without those that are over
    workers: Mapping[WorkerState, int] = field(default_factory=dict)  #: without those that are gone
    slots: Mapping[str, int] = field(default_factory=dict)  #: by state of the worker, or UNPROVEN
    slot_stopping_seconds: float = 0.0
    queue_age_seconds: float = 0.0
    stuck_jobs: int = 0
    runs_without_pod: int = 0
    orphan_pods: int = 0


def figures_of(rows: tuple[JobRows, ...], observed: Observed, now: datetime) -> Figures:
    """The figures of one look."""
    workers = [worker for job in rows for worker in job.workers]
    held = [worker for worker in workers if worker.charged]
    return Figures(
        runs=Counter(run.state for job in rows for run in job.runs if run.state not in RUN_FINAL),
        workers=Counter(each.state for each in workers if each.state is not WorkerState.GONE),
        slots=Counter(UNPROVEN if each.unproven_since else str(each.state) for each in held),
        slot_stopping_seconds=_age(_stopping(held), now),
        queue_age_seconds=_age(_waiting(rows, now), now),
        stuck_jobs=sum(_is_stuck(job, observed, now) for job in rows),
        runs_without_pod=sum(_unseen(job, observed) for job in rows),
        orphan_pods=sum(stray.running for stray in observed.strays),
    )


def waiting_since(job: JobRows, run: Run) -> datetime:
    """Since when a run could have started: its submission, or the end of its last try."""
    own = [attempt.over_at for attempt in job.attempts if attempt.run_id == run.id]
    moments = [run.created_at, run.not_before, *own]
    return max(moment for moment in moments if moment is not None)


def _age(moments: Iterable[datetime], now: datetime) -> float:
    oldest = min(moments, default=now)
    return max((now - oldest).total_seconds(), 0.0)


def _stopping(held: Iterable[Worker]) -> Iterator[datetime]:
    for worker in held:
        if worker.state is WorkerState.STOPPING and worker.stopping_at is not None:
            yield worker.stopping_at


def _waiting(rows: Iterable[JobRows], now: datetime) -> Iterator[datetime]:
    for job in rows:
        for run in job.runs:
            if run.state is RunState.PENDING and not job.job.wants.stop:
                yield min(waiting_since(job, run), now)


def _is_stuck(job: JobRows, observed: Observed, now: datetime) -> bool:
    """It holds a slot, and nothing of it has moved for long."""
    held = [worker for worker in job.workers if worker.charged]
    if not held:
        return False
    last = max(_moved_at(worker, observed.contacts.get(worker.id, Contact())) for worker in held)
    return now - max(last, observed.leader_since) >= STUCK


def _moved_at(worker: Worker, contact: Contact) -> datetime:
    moments = (worker.created_at, worker.up_at, worker.stopping_at, contact.progressed_at)
    return max(moment for moment in moments if moment is not None)


def _unseen(job: JobRows, observed: Observed) -> int:
    """Runs at work of whose worker the launcher, which sees, sees nothing."""
    if observed.trouble:
        return 0
    working = {run.id for run in job.runs if run.state is RunState.RUNNING}
    at_work = [each for each in job.workers if each.run_id in working and _works(each, job)]
    sights = [observed.sights.get(worker.id) for worker in at_work]
    return sum(each is None or each.sight in (Sight.UNSEEN, Sight.UNKNOWN) for each in sights)


def _works(worker: Worker, job: JobRows) -> bool:
    attempts: Iterable[Attempt] = job.attempts
    return worker.state is WorkerState.UP and any(
        attempt.open for attempt in attempts if attempt.worker_id == worker.id
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """How long a worker was in one phase of its launch."""

    pipeline: str
    phase: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """In which phase a worker is, and since when."""

    phase: str
    since: datetime


class LaunchClock:
    """Measures the phases of the workers that this leader launched, from one look to the next."""

    def __init__(self) -> None:
        self._stays: dict[str, Stay | None] = {}  #: by worker id; None: measured to the end

    def measure(self, rows: tuple[JobRows, ...], observed: Observed) -> list[Took]:
        """The phases that ended since the last look."""
        live = {
            worker.id: (worker, run)
            for job in rows
            for run in job.runs
            for worker in job.workers
            if worker.run_id == run.id and worker.state is not WorkerState.GONE
        }
        self._stays = {key: stay for key, stay in self._stays.items() if key in live}
        return [
            took
            for worker, run in live.values()
            if worker.created_at >= observed.leader_since
            for took in self._follow(worker, run, observed)
        ]

    def _follow(self, worker: Worker, run: Run, observed: Observed) -> Iterator[Took]:
        first = Stay(phase=PHASES[Phase.PLACING], since=worker.created_at)
        stay = self._stays.setdefault(worker.id, first)
        for following in _path(worker, run, observed):
            if stay is None or following.since < stay.since or following.phase == stay.phase:
                continue
            seconds = (following.since - stay.since).total_seconds()
            yield Took(pipeline=run.pipeline, phase=stay.phase, seconds=seconds)
            stay = None if following.phase == "" else following
        self._stays[worker.id] = stay


def _path(worker: Worker, run: Run, observed: Observed) -> Iterator[Stay]:
    """The phases that a worker is known to have entered, in order; "" is the end."""
    sight, since = observed.sights.get(worker.id), observed.phase_since.get(worker.id)
    if worker.state is WorkerState.LAUNCHING and sight is not None and since is not None:
        yield Stay(phase=PHASES[sight.phase or Phase.STARTING], since=since)
    if worker.state is WorkerState.UP and worker.up_at is not None:
        yield Stay(phase=FIRST_RESULT, since=worker.up_at)
        moved = observed.contacts.get(worker.id, Contact()).progressed_at
        if moved is not None and run.progress.position_seconds > 0:
            yield Stay(phase="", since=moved)
