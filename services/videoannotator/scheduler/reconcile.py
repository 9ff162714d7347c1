"""What to do next: a pure function of what is seen and what is written down.

Level-triggered: whoever calls it again with the same view gets the same actions, and an action that
is carried out twice
changes nothing the second time (`changes` looks again under the locks).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeGuard

from videoannotator.domain.jobs import RUN_FINAL, Attempt, Run, RunState, Worker, WorkerState
from videoannotator.scheduler.actions import (
    Action,
    Attach,
    BeginCancel,
    Call,
    Create,
    Dismiss,
    EndAttempt,
    Examine,
    GiveUp,
    Launch,
    MarkEnded,
    MarkGone,
    MarkUnproven,
    MarkUp,
    Purge,
    Settle,
    Terminate,
    Wait,
)
from videoannotator.scheduler.faults import fault, lost
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.observed import Observed
from videoannotator.scheduler.policy import Policy
from videoannotator.scheduler.proof import NO_CONTACT, passed, proved_gone
from videoannotator.scheduler.waiting import admit, ordered, used, waiting
from videoannotator.store.rows import JobRows

UNSEEN = Observation(sight=Sight.UNSEEN)


def reconcile(
    observed: Observed, rows: tuple[JobRows, ...], policy: Policy, now: datetime
) -> list[Action]:
    """Compares what is wanted with what is, and returns the steps that bring them together.

    `observed` must have been read before `rows`: a worker that the rows do not know yet is then
    never taken for a
    stranger. `now` is the database's clock.
    """
    actions: list[Action] = []
    for job in rows:
        actions += _ends(job, observed, policy, now)
        for worker in job.workers:
            if worker.state is not WorkerState.GONE:
                actions += _of_worker(job, worker, observed, policy, now)
    return [*actions, *_launches(rows, observed), *_queue(observed, rows, policy, now)]


# --- jobs and runs


def _ends(job: JobRows, observed: Observed, policy: Policy, now: datetime) -> Iterator[Action]:
    """The steps of a job's runs towards their end."""
    if job.job.wants.stop and _to_cancel(job):
        yield BeginCancel(job_id=job.job.id)
    for run in job.runs:
        if run.state not in RUN_FINAL and run.state is not RunState.PENDING:
            yield from _settle(job, run, observed)
    if job.job.wants.delete_requested_at is not None and purgeable(job):
        yield Purge(job_id=job.job.id)


def _to_cancel(job: JobRows) -> bool:
    before = (RunState.PENDING, RunState.STARTING, RunState.RUNNING)
    return any(run.state in before for run in job.runs)


def purgeable(job: JobRows) -> bool:
    """Rows may go when every run has ended and every worker is GONE; abandoned is not GONE."""
    return all(run.state in RUN_FINAL for run in job.runs) and all(
        worker.state is WorkerState.GONE for worker in job.workers
    )


def _settle(job: JobRows, run: Run, observed: Observed) -> Iterator[Action]:
    """Once the last attempt is over its manifest is looked for, and only then the run changes."""
    last = last_attempt(job, run.id)
    if last is None or last.open:
        if run.state is RunState.CANCELLING and stopped(job, run.id):
            yield Settle(job_id=job.job.id, run_id=run.id, examined=None)
        return
    key = (run.id, last.number)
    examined = observed.examined.get(key)
    if examined is None:
        if key not in observed.examining:
            yield Examine(
                job_id=job.job.id, run_id=run.id, attempt=last.number, worker_id=last.worker_id
            )
    elif run.state is not RunState.CANCELLING or examined.found or stopped(job, run.id):
        yield Settle(job_id=job.job.id, run_id=run.id, examined=examined)


def last_attempt(job: JobRows, run_id: str) -> Attempt | None:
    """The newest attempt of a run."""
    own = [attempt for attempt in job.attempts if attempt.run_id == run_id]
    return max(own, key=lambda attempt: attempt.number, default=None)


def stopped(job: JobRows, run_id: str) -> bool:
    """Nothing of the run holds a slot: every worker is GONE, or an admin abandoned it."""
    return not any(worker.charged for worker in job.workers if worker.run_id == run_id)


# --- workers


def _of_worker(
    job: JobRows, worker: Worker, observed: Observed, policy: Policy, now: datetime
) -> Iterator[Action]:
    if worker.state is WorkerState.STOPPING:
        yield from _stopping(job, worker, observed, policy, now)
        return
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    seen = observed.sights.get(worker.id)
    if contact.ended is not None:
        yield EndAttempt(job_id=job.job.id, worker_id=worker.id, ended=contact.ended)
    elif _seen_gone(seen) and proved_gone(worker, seen, observed, policy, now):
        yield MarkGone(job_id=job.job.id, worker_id=worker.id, failure=lost(seen))
    elif failure := fault(job, worker, observed, policy, now):
        yield GiveUp(job_id=job.job.id, worker_id=worker.id, failure=failure)
    elif not job.job.wants.stop:
        yield from _forward(job, worker, observed, now)


def _forward(job: JobRows, worker: Worker, observed: Observed, now: datetime) -> Iterator[Action]:
    """The next step of a worker that shall work."""
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    seen = observed.sights.get(worker.id, UNSEEN)
    if worker.state is WorkerState.LAUNCHING and seen.sight is Sight.UNSEEN:
        again = contact.create_again_at is None or contact.create_again_at <= now
        if worker.id not in observed.busy and observed.launching and again:
            yield Create(job_id=job.job.id, worker_id=worker.id)
    elif seen.sight is Sight.ALIVE and seen.address is not None and seen.identity is not None:
        if worker.identity not in (None, seen.identity):
            return  # another process than the one written down is never called
        if contact.identity != seen.identity:
            yield Call(
                job_id=job.job.id,
                worker_id=worker.id,
                address=seen.address,
                identity=seen.identity,
            )
        elif contact.described and worker.state is WorkerState.LAUNCHING:
            # Of the one that answered, which need not be the one that is seen now.
            yield MarkUp(job_id=job.job.id, worker_id=worker.id, identity=contact.identity)
        elif contact.described and not contact.attached:
            yield Attach(job_id=job.job.id, worker_id=worker.id)


def _seen_gone(seen: Observation | None) -> TypeGuard[Observation]:
    return seen is not None and seen.sight is Sight.GONE


def _stopping(
    job: JobRows, worker: Worker, observed: Observed, policy: Policy, now: datetime
) -> Iterator[Action]:
    """A worker that shall end: GONE when that is proved, else told to end, again and again."""
    seen = observed.sights.get(worker.id)
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    if proved_gone(worker, seen, observed, policy, now):
        failure = None if seen is None else seen.failure
        yield MarkGone(job_id=job.job.id, worker_id=worker.id, failure=worker.failure or failure)
        return
    if contact.ended is not None and _open(job, worker):
        yield EndAttempt(job_id=job.job.id, worker_id=worker.id, ended=contact.ended)
    doubtful = seen is not None and seen.sight is Sight.UNKNOWN
    if doubtful != (worker.unproven_since is not None):
        detail = "" if seen is None else seen.detail
        yield MarkUnproven(job_id=job.job.id, worker_id=worker.id, unproven=doubtful, detail=detail)
    if _seen_gone(seen) and worker.end_seen_at is None and worker.create_sent_at is not None:
        yield MarkEnded(job_id=job.job.id, worker_id=worker.id)
    elif worker.id in observed.busy:
        return
    elif _ends_by_itself(job, worker, seen, policy, now):
        yield Dismiss(job_id=job.job.id, worker_id=worker.id)
    else:
        yield Terminate(job_id=job.job.id, worker_id=worker.id)


def _ends_by_itself(
    job: JobRows, worker: Worker, seen: Observation | None, policy: Policy, now: datetime
) -> bool:
    """It told its end and is there: its end will be seen, and then a later leader knows it."""
    if seen is None or seen.sight not in (Sight.ALIVE, Sight.ENDED):
        return False
    if job.job.wants.stop or worker.failure is not None or _open(job, worker):
        return False
    return not passed(worker.stopping_at or now, policy.own_end_seconds, now)


def _open(job: JobRows, worker: Worker) -> bool:
    return any(attempt.worker_id == worker.id and attempt.open for attempt in job.attempts)


# --- what runs wait for


def _launches(rows: tuple[JobRows, ...], observed: Observed) -> Iterator[Action]:
    """What a run with a worker that cannot be called yet waits for, where the launcher knows."""
    for job in rows:
        workers = {worker.run_id: worker for worker in job.workers if worker.charged}
        for run in job.runs:
            worker = workers.get(run.id)
            if run.state is not RunState.STARTING or worker is None:
                continue
            seen = observed.sights.get(worker.id)
            if seen is not None and seen.phase is not None and seen.detail != run.waiting_reason:
                yield Wait(job_id=run.job_id, run_id=run.id, position=None, reason=seen.detail)


def _queue(
    observed: Observed, rows: tuple[JobRows, ...], policy: Policy, now: datetime
) -> Iterator[Action]:
    use = used(rows, observed, policy)
    closed = ""
    if observed.draining or observed.ending:
        closed = "the scheduler is draining: nothing new is started"
    elif not observed.launching:
        closed = f"nothing new is started: {observed.trouble}"
    line = ordered(waiting(rows), use, policy, now)
    admitted, held = admit(line, use, policy, now, closed=closed)
    for go in admitted:
        yield Launch(job_id=go.waiting.job.id, run_id=go.waiting.run.id, gpus=go.gpus)
    for wait in held:
        run = wait.waiting.run
        if (run.queue_position, run.waiting_reason) != (wait.position, wait.reason):
            yield Wait(job_id=run.job_id, run_id=run.id, position=wait.position, reason=wait.reason)
