"""What changed, told to logs and metrics after it was written."""

from collections import Counter
from datetime import datetime

from videoannotator.domain.jobs import RUN_FINAL, Run, RunState, Worker, WorkerState
from videoannotator.store.rows import Changes, JobRows
from videoannotator.telemetry import get_logger, metrics

log = get_logger(__name__)


def show(rows: tuple[JobRows, ...], epoch: int) -> None:
    """Sets the gauges from one look."""
    metrics.LEADER.set(1)
    metrics.EPOCH.set(epoch)
    runs = Counter(run.state for job in rows for run in job.runs if run.state not in RUN_FINAL)
    workers = Counter(worker.state for job in rows for worker in job.workers)
    del workers[WorkerState.GONE]
    metrics.show_runs(runs)
    metrics.show_workers(workers)


def stand_by() -> None:
    """Takes back what only a leader knows: sums over all schedulers would count it twice."""
    metrics.LEADER.set(0)
    metrics.show_runs({})
    metrics.show_workers({})


def tell(rows: JobRows, changes: Changes, now: datetime) -> None:
    """Counts and logs the changes of one transaction; `rows` are those before it."""
    before = {run.id: run for run in rows.runs}
    for run in changes.runs:
        if before[run.id].state is not run.state:
            _tell_run(before[run.id], run, now)
    states = {worker.id: worker.state for worker in rows.workers}
    pipelines = {run.id: run.pipeline for run in rows.runs}
    for worker in changes.workers:
        if states.get(worker.id) is not worker.state:
            _tell_worker(rows, worker, pipelines[worker.run_id], now)


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


def _tell_worker(rows: JobRows, worker: Worker, pipeline: str, now: datetime) -> None:
    log.info(
        "worker.changed",
        worker_id=worker.id,
        run_id=worker.run_id,
        attempt=worker.attempt,
        new=worker.state,
        code=worker.failure.code if worker.failure else "",
    )
    if worker.state is not WorkerState.GONE:
        return
    held = _seconds(worker.created_at, now) * worker.resources.gpus
    metrics.GPU_SECONDS.labels(pipeline).inc(held)
    asked = rows.job.wants.cancel_requested_at or rows.job.wants.delete_requested_at
    if asked is not None:
        metrics.CANCEL_TO_SLOT_FREE.observe(_seconds(asked, now))


def _seconds(since: datetime, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0)
