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

    Nothing was ever sent; or the launcher proved it and no create can still land; or nobody saw it
    run and this leader has missed nothing since before the first create, which is why the worker's
    launch counts and not a create that was repeated; or it was called once and has ended by its own
    rule by now. A 404 alone proves nothing.
    """
    sent = worker.create_sent_at
    if sent is None:
        return worker.id not in observed.busy
    if seen is None or not passed(sent, policy.late_create_seconds, now):
        return False
    if seen.sight is Sight.GONE:
        return True
    if _never_ran(worker, seen) and observed.complete_since < worker.created_at:
        return worker.id not in observed.busy
    if seen.sight in (Sight.UNSEEN, Sight.UNKNOWN):
        return _ended_by_rule(worker, observed, policy, now)
    return False


def _never_ran(worker: Worker, seen: Observation) -> bool:
    """Nothing of it that could run was seen, and nothing of it is there."""
    if worker.identity is not None:
        return False
    return seen.sight is Sight.UNSEEN or (seen.never_ran and seen.sight is Sight.ENDED)


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
    backstop = worker.body.get("active_deadline_seconds")
    since = max(
        worker.stopping_at or worker.created_at,
        observed.unseen_since.get(worker.id, worker.created_at),
    )
    return backstop is not None and passed(since, float(backstop) + policy.gone_margin_seconds, now)


def passed(since: datetime, seconds: float, now: datetime) -> bool:
    """Whether so many seconds have gone by."""
    return now - since >= timedelta(seconds=seconds)
