"""Each rule of the protocol, by the trace that breaks it when the rule is missing.

Two rules are not the scheduler's to keep: `epoch-check` is the store's (a stale leader changes no
row: the contract tests of the store), and `transaction-timeout` is PostgreSQL's, which ends a
transaction that its client left open. What only the shell can keep is in `test_rules_of_sending`.
"""

from dataclasses import replace
from datetime import datetime

import pytest

from tests.fakes.rows import (
    GRACE,
    LATE,
    MARGIN,
    NOW,
    POLICY,
    a_worker,
    abandoned,
    ago,
    ahead,
    at,
    decided,
    follow,
    kinds,
    seeing,
    wanting,
)
from videoannotator.domain.jobs import Artifact, Run, RunState, Worker, WorkerState
from videoannotator.scheduler import changes
from videoannotator.scheduler.actions import Call, MarkUp
from videoannotator.scheduler.launchers.interface import Sight
from videoannotator.scheduler.observed import Contact, Examined, Observed
from videoannotator.scheduler.proof import proved_gone
from videoannotator.scheduler.reconcile import purgeable, reconcile
from videoannotator.scheduler.waiting import used
from videoannotator.store.rows import JobRows

NOTHING = Examined(artifacts=None)
DESCRIBED = Contact(identity="p1", described=True, answered_at=NOW)


def gone(worker: Worker, observed: Observed, now: datetime = NOW) -> bool:
    """Whether the worker is proved gone."""
    return proved_gone(worker, observed.sights.get(worker.id), observed, POLICY, now)


def a_result(run: Run) -> Examined:
    """The first attempt's manifest is there."""
    file = Artifact(
        id="a",
        job_id=run.job_id,
        run_id=run.id,
        pipeline=run.pipeline,
        attempt=1,
        name="f.json",
        public_name="f.json",
        media_type="application/json",
        size_bytes=1,
        sha256="0",
    )
    return Examined(artifacts=(file,))


# --- one-open-attempt


def test_one_open_attempt_is_not_joined_by_a_retry_while_the_old_process_may_work_on() -> None:
    force_deleted = seeing(Sight.UNKNOWN, examined={("jr0", 1): NOTHING})

    rows, asked = follow(at("given up"), force_deleted)

    assert "Settle" not in asked
    assert "Launch" not in asked
    assert rows.runs[0].state is RunState.RUNNING
    assert [attempt.open for attempt in rows.attempts] == [True]


def test_one_open_attempt_forbids_another_whatever_the_run_says() -> None:
    rows = at("given up")
    waits = replace(rows, runs=(replace(rows.runs[0], state=RunState.PENDING),))
    second = a_worker(waits.runs[0], id="w2", attempt=2)

    assert changes.launch(waits, second, NOW) is None
    assert changes.settle(rows, "jr0", NOTHING, POLICY.retry, NOW, 0.5) is None


# --- sight-or-timeout


@pytest.mark.parametrize("seconds", [LATE, GRACE, GRACE + MARGIN - 1])
def test_sight_or_timeout_a_404_does_not_prove_that_the_process_ended(seconds: float) -> None:
    (worker,) = at("given up", stopping_at=NOW, last_contact_at=NOW).workers
    no_object = seeing(Sight.UNKNOWN, contacts={worker.id: Contact(answered_at=NOW)})

    assert not gone(worker, no_object, ahead(seconds))


def test_sight_or_timeout_seen_terminal_it_is_gone_at_once() -> None:
    (worker,) = at("given up").workers

    assert gone(worker, seeing(Sight.GONE))


@pytest.mark.parametrize("sight", [Sight.ALIVE, Sight.WAITING, Sight.ENDED, None])
def test_sight_or_timeout_what_is_there_is_not_gone_however_old(sight: Sight | None) -> None:
    (worker,) = at("given up").workers

    assert not gone(worker, seeing(sight), ahead(10**6))


# --- wait-75


@pytest.mark.parametrize("sight", [Sight.GONE, Sight.UNSEEN])
@pytest.mark.parametrize(("seconds", "proved"), [(0, False), (LATE - 1, False), (LATE, True)])
def test_wait_75_a_cancel_does_not_end_while_a_create_is_on_its_way(
    sight: Sight, seconds: float, proved: bool
) -> None:
    rows = wanting(at("created", created_at=ago(1), create_sent_at=NOW), cancel=True)
    observed = seeing(sight, examined={("jr0", 1): NOTHING})

    rows, _ = follow(rows, observed, ahead(seconds))

    assert rows.runs[0].state is (RunState.CANCELLED if proved else RunState.CANCELLING)
    assert rows.workers[0].charged is not proved


# --- grace-before-gone


@pytest.mark.parametrize(
    ("seconds", "proved"), [(GRACE + MARGIN - 1, False), (GRACE + MARGIN, True)]
)
@pytest.mark.parametrize("last", ["contact", "earlier leader's contact", "takeover", "give-up"])
def test_grace_before_gone_the_worker_ends_itself_before_it_is_gone_by_time(
    last: str, seconds: float, proved: bool
) -> None:
    (worker,) = at("given up", stopping_at=ago(120), last_contact_at=ago(300)).workers
    answered, since = ago(300), ago(3600)
    if last == "contact":
        answered = NOW
    elif last == "takeover":
        since = NOW
    elif last == "give-up":  # calls that were not answered may have been heard until then
        worker = replace(worker, stopping_at=NOW)
    else:
        worker = replace(worker, last_contact_at=NOW)
    observed = seeing(
        Sight.UNKNOWN, leader_since=since, contacts={worker.id: Contact(answered_at=answered)}
    )

    assert gone(worker, observed, ahead(seconds)) is proved


# --- manifest-last


def test_manifest_last_it_is_looked_for_after_the_attempt_is_over_not_before() -> None:
    rows, asked = follow(at("given up"), seeing(Sight.ALIVE))
    assert "Examine" not in asked

    rows, asked = follow(rows, seeing(Sight.GONE))

    assert asked[-1] == "Examine"
    assert rows.runs[0].state is RunState.RUNNING


@pytest.mark.parametrize("station", ["given up", "created", "cancelling", "at work"])
def test_manifest_last_what_a_lost_worker_finished_is_a_success(station: str) -> None:
    def look(rows: JobRows) -> Observed:
        over = not rows.attempts[0].open
        return seeing(Sight.GONE, examined={("jr0", 1): a_result(rows.runs[0])} if over else {})

    rows, _ = follow(at(station), look)

    assert rows.runs[0].state is RunState.SUCCEEDED


# --- create-recorded


def test_create_recorded_what_was_never_sent_is_gone_at_once() -> None:
    observed = seeing(Sight.UNSEEN, examined={("jr0", 1): NOTHING})

    rows, _ = follow(wanting(at("launched"), cancel=True), observed)

    assert rows.runs[0].state is RunState.CANCELLED
    assert rows.workers[0].state is WorkerState.GONE


# --- unseen-unproven


def test_unseen_unproven_a_new_leader_does_not_believe_that_there_never_was_a_pod() -> None:
    (worker,) = at("cancelling", identity=None).workers
    took_over = seeing(Sight.UNSEEN, leader_since=ago(5))

    assert not gone(worker, took_over, ahead(10**6))


def test_unseen_unproven_a_create_that_it_repeated_does_not_speak_for_the_first_one() -> None:
    (worker,) = at("cancelling", identity=None, created_at=ago(90), create_sent_at=ago(4)).workers
    took_over = seeing(Sight.UNSEEN, leader_since=ago(5))

    assert not gone(worker, took_over, ahead(10**6))


def test_unseen_unproven_who_watched_since_before_the_create_believes_it() -> None:
    (worker,) = at("cancelling", identity=None).workers

    assert gone(worker, seeing(Sight.UNSEEN))
    assert not gone(worker, seeing(Sight.UNSEEN, busy=frozenset({worker.id})))


# --- deadline-if-uncalled


@pytest.mark.parametrize("sight", [Sight.UNKNOWN, Sight.UNSEEN])
@pytest.mark.parametrize(
    ("seconds", "proved"),
    [(GRACE + MARGIN, False), (3000 + MARGIN - 1, False), (3000 + MARGIN, True)],
)
def test_deadline_if_uncalled_a_pod_that_waited_is_gone_only_after_its_own_deadline(
    sight: Sight, seconds: float, proved: bool
) -> None:
    body = {"active_deadline_seconds": 3000}
    (worker,) = at("cancelling", identity=None, stopping_at=NOW, body=body).workers
    took_over = seeing(sight, leader_since=NOW, unseen_since={worker.id: NOW})

    assert gone(worker, took_over, ahead(seconds)) is proved


# --- cancelled-needs-gone


def test_cancelled_needs_gone_not_the_workers_word_that_it_has_ended() -> None:
    reported = seeing(Sight.ALIVE, examined={("jr0", 1): NOTHING})

    rows, _ = follow(wanting(at("cancelling, reported"), cancel=True), reported)

    assert rows.runs[0].state is RunState.CANCELLING
    assert changes.settle(rows, "jr0", NOTHING, POLICY.retry, NOW, 0.5) is None


@pytest.mark.parametrize("station", ["cancelling, reported", "succeeded, worker ends"])
def test_cancelled_needs_gone_and_so_does_a_deletion(station: str) -> None:
    rows = wanting(at(station), delete=True)

    _, asked = follow(rows, seeing(Sight.ALIVE))

    assert "Purge" not in asked
    assert not purgeable(rows)


def test_cancelled_needs_gone_once_it_is_both_end() -> None:
    rows = wanting(at("cancelling, reported"), delete=True)
    observed = seeing(Sight.GONE, examined={("jr0", 1): NOTHING})

    rows, asked = follow(rows, observed)

    assert rows.runs[0].state is RunState.CANCELLED
    assert asked[-1] == "Purge"


# --- abandon-frees-slot


def test_abandon_frees_the_slot_and_lets_a_cancel_end() -> None:
    rows = abandoned(wanting(at("cancelling"), cancel=True))
    lost = seeing(Sight.UNKNOWN)

    rows, _ = follow(rows, lost)

    assert used((rows,), lost, POLICY).workers == 0
    assert rows.runs[0].state is RunState.CANCELLED
    assert rows.workers[0].state is WorkerState.STOPPING


@pytest.mark.parametrize("station", ["at work", "given up"])
def test_abandon_frees_the_slot_and_the_retry_still_waits_for_gone(station: str) -> None:
    rows, asked = follow(abandoned(at(station)), seeing(Sight.UNKNOWN))

    assert rows.runs[0].state is RunState.RUNNING
    assert rows.attempts[0].open
    assert "Launch" not in asked


def test_abandon_frees_the_slot_and_what_is_finished_then_is_not_lost() -> None:
    rows, _ = follow(abandoned(at("at work")), seeing(Sight.UNKNOWN))
    examined = {("jr0", 1): a_result(rows.runs[0])}

    rows, _ = follow(rows, seeing(Sight.GONE, examined=examined))

    assert rows.runs[0].state is RunState.SUCCEEDED


def test_abandon_frees_the_slot_and_a_deletion_still_waits_for_gone() -> None:
    rows = abandoned(wanting(at("cancelling"), delete=True))

    rows, asked = follow(rows, seeing(Sight.UNKNOWN))

    assert rows.runs[0].state is RunState.CANCELLED
    assert "Purge" not in asked


# --- pod-in-row


@pytest.mark.parametrize("contact", [None, Contact(identity="p1", described=True)])
def test_pod_in_row_a_second_pod_of_the_worker_is_not_called(contact: Contact | None) -> None:
    contacts = {} if contact is None else {"jr0w1": replace(contact, answered_at=NOW)}
    second = seeing(Sight.ALIVE, identity="p2", contacts=contacts)

    assert kinds(reconcile(second, (at("at work"),), POLICY, NOW)) == []


def test_pod_in_row_it_is_written_before_anything_is_annotated() -> None:
    described = seeing(Sight.ALIVE, contacts={"jr0w1": DESCRIBED})
    rows = at("created")

    (first,) = reconcile(described, (rows,), POLICY, NOW)
    rows, asked = follow(rows, described)

    assert first == MarkUp(job_id="j", worker_id="jr0w1", identity="p1")
    assert rows.workers[0].identity == "p1"
    assert asked[:2] == ["MarkUp", "Attach"]


def test_pod_in_row_it_is_written_once_and_for_all() -> None:
    rows = at("at work")
    other = MarkUp(job_id="j", worker_id="jr0w1", identity="p2")

    assert decided(other, rows) is None


def test_pod_in_row_a_new_leader_calls_the_one_that_is_written_down() -> None:
    actions = reconcile(seeing(Sight.ALIVE, leader_since=ago(1)), (at("at work"),), POLICY, NOW)

    assert actions == [Call(job_id="j", worker_id="jr0w1", address="unix:/p1", identity="p1")]
