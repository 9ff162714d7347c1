"""Why a worker that shall work must be given up: pure."""

from datetime import datetime

from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Worker, WorkerState
from videoannotator.scheduler.launchers.interface import Observation, Phase, Sight
from videoannotator.scheduler.observed import Observed
from videoannotator.scheduler.policy import Policy
from videoannotator.scheduler.proof import NO_CONTACT, passed
from videoannotator.store.rows import JobRows

VANISHED = Failure(code=Code.POD_VANISHED, message="The worker is not there any more.")


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
    if observed.launching:  # else what is not seen or heard now is no fault of the worker's
        missed = _missed(worker, seen, observed, policy, now)
        if missed is not None:
            return missed
    return _slow_work(job, worker, observed, policy, now)


def _missed(
    worker: Worker, seen: Observation | None, observed: Observed, policy: Policy, now: datetime
) -> Failure | None:
    """What a leader that sees and hears well holds against a worker."""
    if _vanished(worker, seen, observed, policy, now):
        return (seen and seen.failure) or VANISHED
    if seen is not None and seen.failure is not None and seen.sight is not Sight.UNKNOWN:
        return seen.failure
    if worker.state is WorkerState.LAUNCHING:
        return _slow_start(worker, seen, observed, policy, now)
    return _silent(worker, seen, observed, policy, now)


def lost(seen: Observation) -> Failure:
    """What to say of a worker that ended without a word of its own."""
    return seen.failure or Failure(
        code=Code.KILLED_UNKNOWN, message="The worker ended without a word."
    )


def _unwanted(worker: Worker, observed: Observed) -> Failure | None:
    """Somebody wants the worker to end, not the run."""
    if observed.ending:
        return Failure(code=Code.DRAINED, message="The service was stopped.")
    if worker.abandon_requested_at is not None:
        return Failure(code=Code.UNREACHABLE, message="An administrator abandoned the worker.")
    return None


def _vanished(
    worker: Worker, seen: Observation | None, observed: Observed, policy: Policy, now: datetime
) -> bool:
    """It was there, and two looks apart it was not."""
    if seen is None or seen.sight is not Sight.UNKNOWN or seen.unsure:
        return False
    since = observed.unseen_since.get(worker.id)
    return since is not None and passed(since, policy.second_look_seconds, now)


def _slow_start(
    worker: Worker, seen: Observation | None, observed: Observed, policy: Policy, now: datetime
) -> Failure | None:
    """Waiting for a place is not held against it, and what comes then has a clock of its own."""
    sent = worker.create_sent_at
    if sent is None or (seen is not None and seen.sight is Sight.WAITING):
        return None
    unseen = seen is None or seen.sight is Sight.UNSEEN  # then a repeated create is no new start
    began = worker.created_at if unseen else observed.phase_since.get(worker.id, sent)
    since = max(began, observed.judging_since)
    if seen is not None and seen.phase is Phase.PULLING:
        return _slow_pull(since, policy, now)
    if passed(since, policy.start_timeout_seconds, now):
        return Failure(code=Code.START_TIMEOUT, message="The worker did not answer in time.")
    return None


def _slow_pull(since: datetime, policy: Policy, now: datetime) -> Failure | None:
    if passed(since, policy.pull_timeout_seconds, now):
        return Failure(
            code=Code.START_TIMEOUT,
            message="The worker's image and volumes were not there in time.",
            hint="The operator must check the registry, the node and its volumes.",
        )
    return None


def _silent(
    worker: Worker, seen: Observation | None, observed: Observed, policy: Policy, now: datetime
) -> Failure | None:
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    since = max(worker.up_at or worker.created_at, observed.judging_since)
    if not passed(max(contact.answered_at or since, since), policy.unreachable_seconds, now):
        return None
    if seen is not None and seen.node_silent:
        return Failure(code=Code.NODE_LOST, message="Neither the worker nor its node answers.")
    return Failure(code=Code.UNREACHABLE, message="The worker stopped answering.")


def _slow_work(
    job: JobRows, worker: Worker, observed: Observed, policy: Policy, now: datetime
) -> Failure | None:
    if worker.state is not WorkerState.UP:
        return None
    began = worker.up_at or worker.created_at
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    since = max(began, observed.judging_since)
    if passed(began, longest_seconds(job, worker), now):
        return Failure(code=Code.DEADLINE, message="The run took longer than allowed.")
    if passed(max(contact.progressed_at or since, since), policy.no_progress_seconds, now):
        return Failure(code=Code.NO_PROGRESS, message="The pipeline made no progress.")
    return None


def longest_seconds(job: JobRows, worker: Worker) -> float:
    """The time limit of an attempt, scaled by the duration of the video where that is known."""
    limit = worker.body.get("time_limit", {})
    duration = job.video.probe.duration_seconds if job.video.probe else 0.0
    return float(limit.get("seconds", 3600.0)) + duration * float(limit.get("per_media_second", 0))
