"""What to do next: a pure function of what is seen and what is written down.

Level-triggered: whoever calls it again with the same view gets the same actions, and an action that
is carried out twice
changes nothing the second time (`changes` looks again under the locks).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TypeGuard

from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import RUN_FINAL, Attempt, Run, RunState, Worker, WorkerState
from videoannotator.scheduler.actions import (
    Action,
    Attach,
    BeginCancel,
    Call,
    Create,
    EndAttempt,
    Examine,
    GiveUp,
    Launch,
    MarkGone,
    MarkUnproven,
    MarkUp,
    Purge,
    Settle,
    Terminate,
    Wait,
)
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.observed import Contact, Observed
from videoannotator.scheduler.policy import Policy
from videoannotator.scheduler.waiting import admit, ordered, used, waiting
from videoannotator.store.rows import JobRows

UNSEEN = Observation(sight=Sight.UNSEEN)
NO_CONTACT = Contact()


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
    return [*actions, *_queue(observed, rows, policy, now)]


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
        yield from _forward(job, worker, observed)


def _forward(job: JobRows, worker: Worker, observed: Observed) -> Iterator[Action]:
    """The next step of a worker that shall work."""
    contact = observed.contacts.get(worker.id)
    seen = observed.sights.get(worker.id, UNSEEN)
    if worker.state is WorkerState.LAUNCHING and seen.sight is Sight.UNSEEN:
        if worker.id not in observed.busy and observed.launching:
            yield Create(job_id=job.job.id, worker_id=worker.id)
    elif seen.sight is Sight.ALIVE and seen.address is not None and seen.identity is not None:
        if worker.identity not in (None, seen.identity):
            return  # another process than the one written down is never called
        if contact is None:
            yield Call(
                job_id=job.job.id,
                worker_id=worker.id,
                address=seen.address,
                identity=seen.identity,
            )
        elif contact.described and worker.state is WorkerState.LAUNCHING:
            yield MarkUp(job_id=job.job.id, worker_id=worker.id, identity=seen.identity)
        elif contact.described and not contact.attached:
            yield Attach(job_id=job.job.id, worker_id=worker.id)


def fault(
    job: JobRows, worker: Worker, observed: Observed, policy: Policy, now: datetime
) -> Failure | None:
    """Why a worker that shall work must be given up; None while there is no reason."""
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    if unwanted := contact.create_failure or _unwanted(worker, observed):
        return unwanted
    seen = observed.sights.get(worker.id)
    if seen is not None and seen.sight in (Sight.ENDED, Sight.GONE):
        return lost(seen)
    if _vanished(worker, observed, policy, now):
        return Failure(code=Code.POD_VANISHED, message="The worker is not there any more.")
    if worker.state is WorkerState.LAUNCHING:
        return _slow_start(worker, seen, observed, policy, now)
    return _slow_work(job, worker, observed, policy, now)


def _unwanted(worker: Worker, observed: Observed) -> Failure | None:
    """Somebody wants the worker to end, not the run."""
    if observed.ending:
        return Failure(code=Code.DRAINED, message="The service was stopped.")
    if worker.abandon_requested_at is not None:
        return Failure(code=Code.UNREACHABLE, message="An administrator abandoned the worker.")
    return None


def _seen_gone(seen: Observation | None) -> TypeGuard[Observation]:
    return seen is not None and seen.sight is Sight.GONE


def lost(seen: Observation) -> Failure:
    """What to say of a worker that ended without a word of its own."""
    return seen.failure or Failure(
        code=Code.KILLED_UNKNOWN, message="The worker ended without a word."
    )


def _vanished(worker: Worker, observed: Observed, policy: Policy, now: datetime) -> bool:
    """It was there, and two looks apart it was not."""
    since = observed.unseen_since.get(worker.id)
    return since is not None and _passed(since, policy.second_look_seconds, now)


def _slow_start(
    worker: Worker, seen: Observation | None, observed: Observed, policy: Policy, now: datetime
) -> Failure | None:
    """Waiting for a place is not held against it: the clock runs while its process does."""
    sent = worker.create_sent_at
    if sent is None or (seen is not None and seen.sight is Sight.WAITING):
        return None
    unseen = seen is None or seen.sight is Sight.UNSEEN  # then a repeated create is no new start
    since = max(worker.created_at if unseen else sent, observed.leader_since)
    if _passed(since, policy.start_timeout_seconds, now):
        return Failure(code=Code.START_TIMEOUT, message="The worker did not answer in time.")
    return None


def _slow_work(
    job: JobRows, worker: Worker, observed: Observed, policy: Policy, now: datetime
) -> Failure | None:
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    began = worker.up_at or worker.created_at
    since = max(began, observed.leader_since)
    if _passed(contact.answered_at or since, policy.unreachable_seconds, now):
        return Failure(code=Code.UNREACHABLE, message="The worker stopped answering.")
    if _passed(began, longest_seconds(job, worker), now):
        return Failure(code=Code.DEADLINE, message="The run took longer than allowed.")
    if _passed(max(contact.progressed_at or since, since), policy.no_progress_seconds, now):
        return Failure(code=Code.NO_PROGRESS, message="The pipeline made no progress.")
    return None


def longest_seconds(job: JobRows, worker: Worker) -> float:
    """The time limit of an attempt, scaled by the duration of the video where that is known."""
    limit = worker.body.get("time_limit", {})
    duration = job.video.probe.duration_seconds if job.video.probe else 0.0
    return float(limit.get("seconds", 3600.0)) + duration * float(limit.get("per_media_second", 0))


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
        yield MarkUnproven(job_id=job.job.id, worker_id=worker.id, unproven=doubtful)
    if worker.id not in observed.busy:
        yield Terminate(job_id=job.job.id, worker_id=worker.id)


def _open(job: JobRows, worker: Worker) -> bool:
    return any(attempt.worker_id == worker.id and attempt.open for attempt in job.attempts)


def proved_gone(
    worker: Worker, seen: Observation | None, observed: Observed, policy: Policy, now: datetime
) -> bool:
    """Whether nothing of the worker can run, now or later.

    Nothing was ever sent; or the launcher proved it and no create can still land; or nobody saw it
    and this leader has watched since before the first create, which is why the worker's launch
    counts and not a create that was repeated; or it was called once and has ended by its own rule
    by now. A 404 alone proves nothing.
    """
    sent = worker.create_sent_at
    if sent is None:
        return worker.id not in observed.busy
    if seen is None or not _passed(sent, policy.late_create_seconds, now):
        return False
    if seen.sight is Sight.GONE:
        return True
    if seen.sight is Sight.UNSEEN and observed.leader_since < worker.created_at:
        return worker.id not in observed.busy
    if seen.sight in (Sight.UNSEEN, Sight.UNKNOWN):
        return _ended_by_rule(worker, observed, policy, now)
    return False


def _ended_by_rule(worker: Worker, observed: Observed, policy: Policy, now: datetime) -> bool:
    """Once called, it ends itself after the orphan grace; else by the backstop in its body."""
    if worker.identity is None:
        backstop = worker.body.get("active_deadline_seconds")
        since = worker.stopping_at or worker.created_at
        return backstop is not None and _passed(
            since, float(backstop) + policy.gone_margin_seconds, now
        )
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    last = max(
        contact.answered_at or observed.leader_since,
        worker.last_contact_at or observed.leader_since,
        worker.stopping_at or observed.leader_since,  # calls without an answer may have been heard
        observed.leader_since,
    )
    return _passed(last, policy.orphan_grace_seconds + policy.gone_margin_seconds, now)


def _passed(since: datetime, seconds: float, now: datetime) -> bool:
    return now - since >= timedelta(seconds=seconds)


# --- the queue


def _queue(
    observed: Observed, rows: tuple[JobRows, ...], policy: Policy, now: datetime
) -> Iterator[Action]:
    use = used(rows, observed)
    closed = ""
    if observed.draining or observed.ending:
        closed = "the scheduler is draining: nothing new is started"
    elif not observed.launching:
        closed = "the scheduler does not see its workers at the moment"
    line = ordered(waiting(rows), use, policy, now)
    admitted, held = admit(line, use, policy, now, closed=closed)
    for go in admitted:
        yield Launch(job_id=go.waiting.job.id, run_id=go.waiting.run.id, gpus=go.gpus)
    for wait in held:
        run = wait.waiting.run
        if (run.queue_position, run.waiting_reason) != (wait.position, wait.reason):
            yield Wait(job_id=run.job_id, run_id=run.id, position=wait.position, reason=wait.reason)
