"""When a worker is proved gone: pure. The rule is design and promise: nothing of it can run."""

from datetime import datetime, timedelta

from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.observed import Contact, Observed
from videoannotator.scheduler.policy import Policy

NO_CONTACT = Contact()


def proved_gone(
    worker: Worker, seen: Observation | None, observed: Observed, policy: Policy, now: datetime
) -> bool:
    """Whether nothing of the worker can run, now or later.

    Nothing was ever sent; or the launcher proved it and no create can still land, because each was
    answered or the time for it has passed; or nobody saw it
    run and this leader has missed nothing since before the first create, which is why the worker's
    launch counts and not a create that was repeated; or a leader saw its end, and nothing of it has
    come since; or it was called once and has ended by its own rule by now. A 404 alone proves
    nothing.
    """
    sent = worker.create_sent_at
    if sent is None:
        return worker.id not in observed.busy
    late = 0.0 if _answered(worker, observed) else policy.late_create_seconds
    if seen is None or not passed(sent, late, now):
        return False
    if seen.sight is Sight.GONE:
        return True
    if not _in_doubt(seen) or not observed.launching:
        return False
    if _never_ran(worker, seen) and _saw_all(worker, observed, policy, now):
        return worker.id not in observed.busy
    seen_before = worker.end_seen_at is not None and passed(
        sent, late, observed.complete_until or now
    )
    return seen_before or _ended_by_rule(worker, observed, policy, now)


def _answered(worker: Worker, observed: Observed) -> bool:
    """Whether every create of the worker was sent by this leader, and answered."""
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    mine = observed.leader_since < worker.created_at
    return mine and contact.landed and worker.id not in observed.busy


def _in_doubt(seen: Observation) -> bool:
    """Nothing of it is there that could still begin to run."""
    return seen.sight in (Sight.UNSEEN, Sight.UNKNOWN) or seen.never_ran


def _never_ran(worker: Worker, seen: Observation) -> bool:
    """No process of it was ever seen or called."""
    return worker.identity is None and (seen.sight is Sight.UNSEEN or seen.never_ran)


def _saw_all(worker: Worker, observed: Observed, policy: Policy, now: datetime) -> bool:
    """Nothing was missed from before the first create until no create could land any more."""
    sent = worker.create_sent_at or now
    until = observed.complete_until or now
    return observed.complete_since < worker.created_at and passed(
        sent, policy.late_create_seconds, until
    )


def _ended_by_rule(worker: Worker, observed: Observed, policy: Policy, now: datetime) -> bool:
    """Once called, it ends itself after the orphan grace; else by the backstop in its body."""
    if worker.identity is None:
        return _past_backstop(worker, observed, policy, now)
    contact = observed.contacts.get(worker.id, NO_CONTACT)
    last = max(
        contact.answered_at or observed.leader_since,
        worker.last_contact_at or observed.leader_since,
        worker.stopping_at or observed.leader_since,  # calls without an answer may have been heard
        observed.leader_since,
    )
    return passed(last, policy.orphan_grace_seconds + policy.gone_margin_seconds, now)


def _past_backstop(worker: Worker, observed: Observed, policy: Policy, now: datetime) -> bool:
    """Counts from when it was last seen to be there: until then its process may not have begun."""
    backstop, unseen = (
        worker.body.get("active_deadline_seconds"),
        observed.unseen_since.get(worker.id),
    )
    if backstop is None or unseen is None:
        return False
    since = max(worker.stopping_at or worker.created_at, unseen)
    return passed(since, float(backstop) + policy.gone_margin_seconds, now)


def passed(since: datetime, seconds: float, now: datetime) -> bool:
    """Whether so many seconds have gone by."""
    return now - since >= timedelta(seconds=seconds)
