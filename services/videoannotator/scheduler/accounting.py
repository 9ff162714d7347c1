"""What changed, told to logs and metrics after it was written."""

from collections.abc import Iterable
from datetime import datetime

from videoannotator.domain.access import owner_hash
from videoannotator.domain.failures import RULES
from videoannotator.domain.jobs import RUN_FINAL, Attempt, Run, RunState, Worker, WorkerState
from videoannotator.scheduler.figures import Figures, Took, waiting_since
from videoannotator.store.rows import Changes, JobRows
from videoannotator.telemetry import get_logger, metrics

log = get_logger(__name__)

NOTHING = Figures()


def show(figures: Figures, epoch: int) -> None:
    """Sets the gauges from one look."""
    metrics.LEADER.set(1)
    metrics.EPOCH.set(epoch)
    _set(figures)


def stand_by() -> None:
    """Takes back what only a leader knows: sums over all schedulers would count it twice."""
    metrics.LEADER.set(0)
    _set(NOTHING)


def tell_phases(ended: Iterable[Took]) -> None:
    """Counts how long workers took for the phases of their launch."""
    for took in ended:
        metrics.LAUNCH_SECONDS.labels(took.pipeline, took.phase).observe(took.seconds)


def _set(figures: Figures) -> None:
    metrics.show_runs(figures.runs)
    metrics.show_workers(figures.workers)
    metrics.show_slots(figures.slots)
    metrics.SLOT_STOPPING_SECONDS.set(figures.slot_stopping_seconds)
    metrics.QUEUE_AGE_SECONDS.set(figures.queue_age_seconds)
    metrics.STUCK_JOBS.set(figures.stuck_jobs)
    metrics.RUNS_WITHOUT_POD.set(figures.runs_without_pod)
    metrics.ORPHAN_PODS.set(figures.orphan_pods)


def tell(rows: JobRows, changes: Changes, now: datetime) -> None:
    """Counts and logs the changes of one transaction; `rows` are those before it."""
    before = {run.id: run for run in rows.runs}
    for run in changes.runs:
        if before[run.id].state is not run.state:
            _tell_run(before[run.id], run, now)
    states = {worker.id: worker.state for worker in rows.workers}
    for worker in changes.workers:
        if states.get(worker.id) is not worker.state:
            _tell_worker(rows, worker, before[worker.run_id], now)
    open_before = {(each.run_id, each.number) for each in rows.attempts if each.open}
    for attempt in changes.attempts:
        if not attempt.open and (attempt.run_id, attempt.number) in open_before:
            _tell_attempt(attempt, before[attempt.run_id].pipeline)


def _tell_run(old: Run, new: Run, now: datetime) -> None:
    code = new.failure.code if new.failure else ""
    log.info(
        "run.changed", run_id=new.id, pipeline=new.pipeline, old=old.state, new=new.state, code=code
    )
    if new.state in RUN_FINAL:
        failed = code if new.state is RunState.FAILED else ""
        metrics.RUNS_ENDED.labels(new.pipeline, new.state.value, failed).inc()
        if new.started_at is not None:
            metrics.RUN_SECONDS.labels(new.pipeline).observe(_seconds(new.started_at, now))
    elif new.state is RunState.PENDING:
        metrics.RETRIES.labels(new.pipeline, code).inc()
    elif new.state is RunState.RUNNING:
        metrics.SUBMIT_TO_START.labels(new.pipeline).observe(_seconds(new.created_at, now))


def _tell_attempt(attempt: Attempt, pipeline: str) -> None:
    code = attempt.failure.code if attempt.failure else None
    budget = RULES[code].budget.value if code else ""
    outcome = attempt.outcome.value if attempt.outcome else ""
    metrics.ATTEMPTS.labels(pipeline, outcome, code.value if code else "", budget).inc()


def _tell_worker(rows: JobRows, worker: Worker, run: Run, now: datetime) -> None:
    log.info(
        "worker.changed",
        worker_id=worker.id,
        run_id=worker.run_id,
        attempt=worker.attempt,
        new=worker.state,
        code=worker.failure.code if worker.failure else "",
    )
    if worker.state is WorkerState.LAUNCHING:
        queued = _seconds(waiting_since(rows, run), now)
        metrics.LAUNCH_SECONDS.labels(run.pipeline, "queued").observe(queued)
    if worker.state is WorkerState.GONE:
        _tell_gone(rows, worker, run, now)


def _tell_gone(rows: JobRows, worker: Worker, run: Run, now: datetime) -> None:
    held = _seconds(worker.created_at, now) * worker.resources.gpus
    metrics.GPU_SECONDS.labels(run.pipeline, owner_hash(rows.job.owner_id)).inc(held)
    if worker.stopping_at is not None:
        ending = _seconds(worker.stopping_at, now)
        metrics.LAUNCH_SECONDS.labels(run.pipeline, "teardown").observe(ending)
    asked = rows.job.wants.cancel_requested_at or rows.job.wants.delete_requested_at
    if asked is not None:
        metrics.CANCEL_TO_SLOT_FREE.observe(_seconds(asked, now))


def _seconds(since: datetime, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0)
