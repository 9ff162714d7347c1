"""What an action does to the rows: pure functions on rows that were read under their locks.

Each looks again whether the action still applies and returns None when it does not: between the
decision and the lock somebody may have cancelled, or another leader may have acted.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from videoannotator.domain.failures import (
    Code,
    Failure,
    RetryPolicy,
    Verdict,
    backoff_seconds,
    classify,
)
from videoannotator.domain.jobs import (
    RUN_FINAL,
    Attempt,
    AttemptOutcome,
    Progress,
    Run,
    RunState,
    Worker,
    WorkerState,
)
from videoannotator.scheduler.actions import (
    Action,
    BeginCancel,
    EndAttempt,
    GiveUp,
    MarkEnded,
    MarkGone,
    MarkUnproven,
    MarkUp,
    Settle,
)
from videoannotator.scheduler.observed import Ended, Examined
from videoannotator.scheduler.reconcile import last_attempt, stopped
from videoannotator.store.rows import Changes, JobRows


def decide(
    action: Action, rows: JobRows, policy: RetryPolicy, now: datetime, dice: float
) -> Changes | None:
    """What an action that only changes rows does to them; None for the others.

    `dice` is a random number in [0, 1).
    """
    made: Changes | None = None
    match action:
        case MarkUp(worker_id=worker_id, identity=identity):
            made = mark_up(rows, worker_id, identity, now)
        case EndAttempt(worker_id=worker_id, ended=ended):
            made = end_attempt(rows, worker_id, ended, now)
        case GiveUp(worker_id=worker_id, failure=failure):
            made = give_up(rows, worker_id, failure, now)
        case BeginCancel():
            made = begin_cancel(rows, now)
        case MarkGone(worker_id=worker_id, failure=lost):
            made = mark_gone(rows, worker_id, lost, now)
        case MarkEnded(worker_id=worker_id):
            made = mark_ended(rows, worker_id, now)
        case MarkUnproven(worker_id=worker_id, unproven=unproven, detail=detail):
            made = mark_unproven(rows, worker_id, unproven, now, detail)
        case Settle(run_id=run_id, examined=examined):
            made = settle(rows, run_id, examined, policy, now, dice)
    return made


def launch(rows: JobRows, worker: Worker, now: datetime) -> Changes | None:
    """Writes a new attempt and its worker, when the run waits and none of its attempts is open."""
    run = run_of(rows, worker.run_id)
    still_open = any(attempt.open for attempt in rows.attempts if attempt.run_id == worker.run_id)
    if run is None or run.state is not RunState.PENDING or rows.job.wants.stop or still_open:
        return None
    if run.not_before is not None and run.not_before > now:
        return None
    attempt = Attempt(
        run_id=run.id, number=next_attempt(rows, run.id), worker_id=worker.id, opened_at=now
    )
    starting = replace(
        run,
        state=RunState.STARTING,
        started_at=run.started_at or now,
        progress=Progress(),
        waiting_reason="",
        queue_position=None,
        not_before=None,
    )
    return Changes(runs=(starting,), attempts=(attempt,), workers=(worker,))


def next_attempt(rows: JobRows, run_id: str) -> int:
    """Number of the attempt that a launch would open."""
    last = last_attempt(rows, run_id)
    return 1 if last is None else last.number + 1


def before_create(rows: JobRows, worker_id: str, now: datetime) -> Changes | None:
    """Records that a create is about to be sent, unless a cancel came first."""
    worker = worker_of(rows, worker_id)
    if worker is None or worker.state is not WorkerState.LAUNCHING or rows.job.wants.stop:
        return None
    return Changes(workers=(replace(worker, create_sent_at=now),))


def mark_up(rows: JobRows, worker_id: str, identity: str, now: datetime) -> Changes | None:
    """The worker answered. The row names the process that is called, once and for all."""
    worker = worker_of(rows, worker_id)
    if worker is None or worker.state is not WorkerState.LAUNCHING or rows.job.wants.stop:
        return None
    run = run_of(rows, worker.run_id)
    if run is None or run.state is not RunState.STARTING:
        return None
    return Changes(
        runs=(replace(run, state=RunState.RUNNING, waiting_reason=""),),
        workers=(
            replace(
                worker, state=WorkerState.UP, identity=identity, up_at=now, last_contact_at=now
            ),
        ),
    )


def end_attempt(rows: JobRows, worker_id: str, ended: Ended, now: datetime) -> Changes | None:
    """The worker reported its end: the attempt is over, the worker is to go."""
    worker = worker_of(rows, worker_id)
    attempt = attempt_of(rows, worker_id)
    if worker is None or attempt is None or not attempt.open:
        return None
    over = replace(attempt, over_at=now, outcome=ended.outcome, failure=ended.failure)
    return Changes(attempts=(over,), workers=_to_stopping(worker, None, now))


def give_up(rows: JobRows, worker_id: str, failure: Failure, now: datetime) -> Changes | None:
    """The worker is to go; why is kept. Its attempt stays open until it is gone or reports."""
    worker = worker_of(rows, worker_id)
    if worker is None or worker.state not in (WorkerState.LAUNCHING, WorkerState.UP):
        return None
    return Changes(workers=_to_stopping(worker, failure, now))


def _to_stopping(worker: Worker, failure: Failure | None, now: datetime) -> tuple[Worker, ...]:
    if worker.state not in (WorkerState.LAUNCHING, WorkerState.UP):
        return ()
    return (replace(worker, state=WorkerState.STOPPING, stopping_at=now, failure=failure),)


def begin_cancel(rows: JobRows, now: datetime) -> Changes | None:
    """Every run that is not over goes to CANCELLING, or to CANCELLED when nothing of it lives."""
    if not rows.job.wants.stop:
        return None
    before = (RunState.PENDING, RunState.STARTING, RunState.RUNNING)
    runs = tuple(_cancelled(rows, run, now) for run in rows.runs if run.state in before)
    workers = tuple(one for worker in rows.workers for one in _to_stopping(worker, None, now))
    return Changes(runs=runs, workers=workers) if runs or workers else None


def _cancelled(rows: JobRows, run: Run, now: datetime) -> Run:
    ended = run.state is RunState.PENDING and stopped(rows, run.id)
    quiet = replace(run, waiting_reason="", queue_position=None)
    if ended:
        return replace(quiet, state=RunState.CANCELLED, finished_at=now)
    return replace(quiet, state=RunState.CANCELLING)


def mark_gone(
    rows: JobRows, worker_id: str, failure: Failure | None, now: datetime
) -> Changes | None:
    """The worker is proved gone; an attempt that was still open is over without a word."""
    worker = worker_of(rows, worker_id)
    if worker is None or worker.state is WorkerState.GONE:
        return None
    gone = replace(
        worker,
        state=WorkerState.GONE,
        gone_at=now,
        unproven_since=None,
        failure=worker.failure or failure,
    )
    attempt = attempt_of(rows, worker_id)
    if attempt is None or not attempt.open:
        return Changes(workers=(gone,))
    over = replace(
        attempt, over_at=now, outcome=AttemptOutcome.LOST, failure=worker.failure or failure
    )
    return Changes(attempts=(over,), workers=(gone,))


def mark_ended(rows: JobRows, worker_id: str, now: datetime) -> Changes | None:
    """The worker's end was seen. A create of it may still land, so that it is not GONE yet."""
    worker = worker_of(rows, worker_id)
    if worker is None or worker.state is not WorkerState.STOPPING or worker.end_seen_at is not None:
        return None
    return Changes(workers=(replace(worker, end_seen_at=now),))


def mark_unproven(
    rows: JobRows, worker_id: str, unproven: bool, now: datetime, detail: str = ""
) -> Changes | None:
    """Marks since when a worker cannot be proved gone, or takes the mark away.

    The owner is told, with what is seen instead: `detail`.
    """
    worker = worker_of(rows, worker_id)
    if worker is None or worker.state is not WorkerState.STOPPING:
        return None
    if unproven == (worker.unproven_since is not None):
        return None
    marked = replace(worker, unproven_since=now if unproven else None)
    told = f"The worker's end cannot be proved: {detail}".removesuffix(": ") + "."
    logs = ((worker.run_id, "warning", told),) if unproven else ()
    return Changes(workers=(marked,), logs=logs)


def settle(
    rows: JobRows,
    run_id: str,
    examined: Examined | None,
    policy: RetryPolicy,
    now: datetime,
    dice: float,
) -> Changes | None:
    """What a run becomes.

    A verified manifest always wins: finished work is never repeated or called lost.
    """
    run = run_of(rows, run_id)
    if run is None or run.state in RUN_FINAL or run.state is RunState.PENDING:
        return None
    last = last_attempt(rows, run_id)
    if last is None or last.open or examined is None:
        return _end_cancel(rows, run, now)
    if examined.artifacts is not None:
        return _succeeded(run, examined, now)
    if run.state is RunState.CANCELLING:
        return _end_cancel(rows, run, now)
    failure = replace(why(last, examined), log_tail=examined.log_tail)
    return Changes(runs=(_failed(rows, run, failure, policy, now, dice),))


def _end_cancel(rows: JobRows, run: Run, now: datetime) -> Changes | None:
    if run.state is not RunState.CANCELLING or not stopped(rows, run.id):
        return None
    return Changes(runs=(replace(run, state=RunState.CANCELLED, finished_at=now),))


def _succeeded(run: Run, examined: Examined, now: datetime) -> Changes:
    done = replace(run.progress, position_seconds=run.progress.duration_seconds, stage="done")
    succeeded = replace(
        run,
        state=RunState.SUCCEEDED,
        finished_at=now,
        failure=None,
        summary=examined.summary,
        progress=done,
    )
    return Changes(runs=(succeeded,), artifacts=examined.artifacts or ())


def _failed(
    rows: JobRows, run: Run, failure: Failure, policy: RetryPolicy, now: datetime, dice: float
) -> Run:
    ruling = classify(failure, run.infrastructure_failures, run.pipeline_failures, policy)
    paid = replace(
        run,
        failure=failure,
        infrastructure_failures=ruling.infrastructure_failures,
        pipeline_failures=ruling.pipeline_failures,
    )
    if ruling.verdict is Verdict.FAIL:
        return replace(paid, state=RunState.FAILED, finished_at=now)
    if ruling.verdict is Verdict.CANCEL:
        ended = stopped(rows, run.id)
        return replace(
            paid,
            state=RunState.CANCELLED if ended else RunState.CANCELLING,
            finished_at=now if ended else None,
        )
    failures = ruling.infrastructure_failures + ruling.pipeline_failures
    delay = backoff_seconds(failures, policy, dice)
    return replace(paid, state=RunState.PENDING, not_before=now + timedelta(seconds=delay))


def why(last: Attempt, examined: Examined) -> Failure:
    """Why an attempt without a usable manifest failed."""
    if examined.failure is not None:
        return examined.failure
    if last.failure is not None:
        return last.failure
    if last.outcome is AttemptOutcome.COMPLETED:
        return Failure(
            code=Code.MANIFEST_INVALID,
            message="The worker said it had finished, and its manifest is not there.",
        )
    return Failure(code=Code.KILLED_UNKNOWN, message="The worker ended without a word.")


def run_of(rows: JobRows, run_id: str) -> Run | None:
    """The run with that id."""
    return next((run for run in rows.runs if run.id == run_id), None)


def worker_of(rows: JobRows, worker_id: str) -> Worker | None:
    """The worker with that id."""
    return next((worker for worker in rows.workers if worker.id == worker_id), None)


def attempt_of(rows: JobRows, worker_id: str) -> Attempt | None:
    """The attempt that a worker executes."""
    return next((one for one in rows.attempts if one.worker_id == worker_id), None)
