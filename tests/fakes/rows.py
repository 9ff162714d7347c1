"""Rows of jobs at every station of their life, and a way to let decisions follow each other."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.world import apply
from videoannotator.domain.failures import Code, Failure, RetryPolicy
from videoannotator.domain.jobs import (
    Attempt,
    AttemptOutcome,
    Job,
    Run,
    RunState,
    Wants,
    Worker,
    WorkerState,
    job_state,
)
from videoannotator.domain.videos import Video
from videoannotator.scheduler import changes
from videoannotator.scheduler.actions import Action, Launch
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.observed import Observed
from videoannotator.scheduler.policy import Policy
from videoannotator.scheduler.reconcile import reconcile
from videoannotator.store.rows import Changes, JobRows

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATE, GRACE, MARGIN = 75.0, 600.0, 90.0
POLICY = Policy(
    late_create_seconds=LATE,
    orphan_grace_seconds=GRACE,
    gone_margin_seconds=MARGIN,
    retry=RetryPolicy(infrastructure_failures=2, pipeline_failures=0, jitter=0.0),
)
BROKE = Failure(code=Code.PIPELINE_ERROR, message="It broke.")
MOST_ROUNDS = 20

#: state of the run, state of its worker, its attempt is open, a create was sent
STATIONS: Mapping[str, tuple[RunState, WorkerState | None, bool, bool]] = {
    "waiting": (RunState.PENDING, None, False, False),
    "launched": (RunState.STARTING, WorkerState.LAUNCHING, True, False),
    "created": (RunState.STARTING, WorkerState.LAUNCHING, True, True),
    "at work": (RunState.RUNNING, WorkerState.UP, True, True),
    "given up": (RunState.RUNNING, WorkerState.STOPPING, True, True),
    "reported": (RunState.RUNNING, WorkerState.STOPPING, False, True),
    "gone": (RunState.RUNNING, WorkerState.GONE, False, True),
    "never started": (RunState.STARTING, WorkerState.GONE, False, True),
    "waiting again": (RunState.PENDING, WorkerState.GONE, False, True),
    "waiting, old one ends": (RunState.PENDING, WorkerState.STOPPING, False, True),
    "cancelling": (RunState.CANCELLING, WorkerState.STOPPING, True, True),
    "cancelling, never sent": (RunState.CANCELLING, WorkerState.STOPPING, True, False),
    "cancelling, reported": (RunState.CANCELLING, WorkerState.STOPPING, False, True),
    "cancelling, gone": (RunState.CANCELLING, WorkerState.GONE, False, True),
    "cancelled": (RunState.CANCELLED, WorkerState.GONE, False, True),
    "succeeded": (RunState.SUCCEEDED, WorkerState.GONE, False, True),
    "succeeded, worker ends": (RunState.SUCCEEDED, WorkerState.STOPPING, False, True),
    "failed": (RunState.FAILED, WorkerState.GONE, False, True),
}


def ago(seconds: float) -> datetime:
    """So many seconds before NOW."""
    return NOW - timedelta(seconds=seconds)


def ahead(seconds: float) -> datetime:
    """So many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def a_run(job_id: str = "j", position: int = 0, **fields: Any) -> Run:
    """A run that waits."""
    values: dict[str, Any] = {"id": f"{job_id}r{position}", "pipeline": "p", "created_at": ago(100)}
    return Run(**{**values, "job_id": job_id, "position": position, **fields})


def a_worker(run: Run, **fields: Any) -> Worker:
    """A worker of a run that has just been written down."""
    values: dict[str, Any] = {"id": f"{run.id}w1", "run_id": run.id, "job_id": run.job_id}
    values |= {"attempt": 1, "launcher": "simulated", "token_sha256": "", "created_at": ago(90)}
    return Worker(**{**values, "resources": run.resources, **fields})


def a_job(*runs: Run, **fields: Any) -> JobRows:
    """A job of these runs, of "ada"; one waiting run when none is given."""
    runs = runs or (a_run(),)
    values: dict[str, Any] = {"id": runs[0].job_id, "owner_id": "ada", "video_id": "v"}
    job = Job(**{**values, "created_at": ago(100), "updated_at": ago(100), **fields})
    video = Video(
        id="v",
        owner_id=job.owner_id,
        display_name="clip.mp4",
        key="videos/ada/v/source",
        size_bytes=1,
        sha256="0",
        created_at=ago(200),
    )
    return JobRows(job=replace(job, state=job_state(runs, job.wants)), video=video, runs=runs)


def at(station: str, job_id: str = "j", **worker_fields: Any) -> JobRows:
    """A job with one run at a station of its life."""
    run_state, worker_state, is_open, sent = STATIONS[station]
    run = a_run(job_id, state=run_state, started_at=None if worker_state is None else ago(90))
    rows = a_job(run)
    if worker_state is None:
        return rows
    worker = replace(a_worker(run), **{**_times(worker_state, sent), **worker_fields})
    attempt = Attempt(run_id=run.id, number=1, worker_id=worker.id, opened_at=ago(90))
    if not is_open:
        attempt = replace(attempt, over_at=ago(1), outcome=AttemptOutcome.FAILED, failure=BROKE)
    return replace(rows, attempts=(attempt,), workers=(worker,))


def _times(state: WorkerState, sent: bool) -> dict[str, Any]:
    """A worker's times, as they are in that state."""
    values: dict[str, Any] = {"state": state}
    if sent:
        values["create_sent_at"] = ago(89)
    if state is not WorkerState.LAUNCHING and sent:
        values |= {"identity": "p1", "up_at": ago(80), "last_contact_at": ago(80)}
    if state in (WorkerState.STOPPING, WorkerState.GONE):
        values["stopping_at"] = ago(10)
    if state is WorkerState.GONE:
        values["gone_at"] = ago(1)
    return values


def wanting(rows: JobRows, *, cancel: bool = False, delete: bool = False) -> JobRows:
    """The same rows after a user has asked for the end of the job."""
    wants = Wants(
        cancel_requested_at=NOW if cancel else None, delete_requested_at=NOW if delete else None
    )
    job = replace(rows.job, wants=wants, state=job_state(rows.runs, wants))
    return replace(rows, job=job)


def abandoned(rows: JobRows) -> JobRows:
    """The same rows after an administrator has given every worker up."""
    workers = tuple(replace(worker, abandon_requested_at=NOW) for worker in rows.workers)
    return replace(rows, workers=workers)


def seeing(sight: Sight | None, *, identity: str = "p1", **fields: Any) -> Observed:
    """What a leader sees who has led for an hour; `sight` is that of the worker of `at`."""
    sights = {}
    if sight is not None:
        address = "unix:/p1" if sight is Sight.ALIVE else None
        sights["jr0w1"] = Observation(sight=sight, address=address, identity=identity)
    return Observed(**{"leader_since": ago(3600), "sights": sights, **fields})


def kinds(actions: list[Action]) -> list[str]:
    """The names of actions, in order."""
    return [type(action).__name__ for action in actions]


def decided(action: Action, rows: JobRows, now: datetime = NOW) -> Changes | None:
    """What an action does to rows, a launch included."""
    if isinstance(action, Launch):
        run = changes.run_of(rows, action.run_id)
        assert run is not None
        number = changes.next_attempt(rows, run.id)
        worker = a_worker(run, id=f"{run.id}w{number}", attempt=number, created_at=now)
        return changes.launch(rows, worker, now)
    return changes.decide(action, rows, POLICY.retry, now, 0.5)


def follow(
    rows: JobRows, see: Observed | Callable[[JobRows], Observed], now: datetime = NOW
) -> tuple[JobRows, list[str]]:
    """Decides and applies until nothing changes; tells also which actions were asked for."""
    asked: list[str] = []
    for _ in range(MOST_ROUNDS):
        observed = see(rows) if callable(see) else see
        actions = reconcile(observed, (rows,), POLICY, now)
        asked += kinds(actions)
        before = rows
        for action in actions:
            made = decided(action, rows, now)
            rows = rows if made is None else apply(rows, made, now)
        if rows == before:
            return rows, asked
    raise AssertionError(f"it never rests: {asked}")
