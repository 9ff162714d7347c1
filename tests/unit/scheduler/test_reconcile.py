"""What is seen and what is written down, and the steps that follow."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.rows import (
    BROKE,
    NOW,
    POLICY,
    STATIONS,
    a_job,
    a_run,
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
from tests.fakes.world import apply, artifact
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import AttemptOutcome, RunState, WorkerState
from videoannotator.domain.videos import Probe
from videoannotator.scheduler.actions import (
    Action,
    Create,
    Examine,
    GiveUp,
    Launch,
    MarkGone,
    MarkUnproven,
    Settle,
    Wait,
)
from videoannotator.scheduler.faults import longest_seconds
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.observed import Contact, Ended, Examined, Observed
from videoannotator.scheduler.reconcile import reconcile
from videoannotator.store.rows import JobRows

W, KEY = "jr0w1", ("jr0", 1)
NOTHING = Examined(artifacts=None)
FOUND = Examined(artifacts=(artifact("jr0", 1),))
CALLED = Contact(identity="p1", answered_at=NOW)
DESCRIBED = replace(CALLED, described=True)
ATTACHED = replace(DESCRIBED, attached=True, progressed_at=NOW)
ENDED = replace(ATTACHED, ended=Ended(outcome=AttemptOutcome.COMPLETED))
REFUSED = Contact(create_failure=BROKE)
BUSY = frozenset({W})


def steps(observed: Observed, *rows: JobRows, now: datetime = NOW) -> list[Action]:
    """The actions of one look."""
    return reconcile(observed, rows, POLICY, now)


def look(sight: Sight | None, contact: Contact | None = None, **fields: Any) -> Observed:
    """One worker as it is seen, and what its calls told."""
    contacts = {} if contact is None else {W: contact}
    return seeing(sight, contacts=contacts, **fields)


@pytest.mark.parametrize(
    ("station", "observed", "expected"),
    [
        ("waiting", look(None), ["Launch"]),
        ("waiting again", look(None), ["Launch"]),
        ("launched", look(Sight.UNSEEN), ["Create"]),
        ("launched", look(None), ["Create"]),
        ("launched", look(Sight.UNSEEN, busy=BUSY), []),
        ("launched", look(Sight.UNSEEN, trouble="the cluster does not answer"), []),
        ("launched", look(Sight.UNSEEN, REFUSED), ["GiveUp"]),
        ("created", look(Sight.UNSEEN), ["Create"]),
        ("created", look(Sight.WAITING), []),
        ("created", look(Sight.ALIVE), ["Call"]),
        ("created", look(Sight.ALIVE, CALLED), []),
        ("created", look(Sight.ALIVE, DESCRIBED), ["MarkUp"]),
        ("created", look(Sight.ENDED), ["GiveUp"]),
        ("created", look(Sight.GONE), ["MarkGone"]),
        ("created", look(Sight.UNKNOWN), []),
        ("at work", look(Sight.ALIVE), ["Call"]),
        ("at work", look(Sight.ALIVE, CALLED), []),
        ("at work", look(Sight.ALIVE, DESCRIBED), ["Attach"]),
        ("at work", look(Sight.ALIVE, ATTACHED), []),
        ("at work", look(Sight.ALIVE, ENDED), ["EndAttempt"]),
        ("at work", look(Sight.GONE, ENDED), ["EndAttempt"]),
        ("at work", look(Sight.GONE, ATTACHED), ["MarkGone"]),
        ("at work", look(Sight.ENDED, ATTACHED), ["GiveUp"]),
        ("at work", look(Sight.UNKNOWN, ATTACHED), []),
        ("at work", look(Sight.ALIVE, ATTACHED, ending=True), ["GiveUp"]),
        ("at work", look(Sight.ALIVE, ATTACHED, draining=True), []),
        ("given up", look(Sight.ALIVE), ["Terminate"]),
        ("given up", look(Sight.ALIVE, busy=BUSY), []),
        ("given up", look(Sight.ALIVE, ENDED), ["EndAttempt", "Terminate"]),
        ("given up", look(Sight.UNKNOWN), ["MarkUnproven", "Terminate"]),
        ("given up", look(Sight.GONE), ["MarkGone"]),
        ("reported", look(Sight.ALIVE), ["Examine", "Terminate"]),
        ("reported", look(Sight.ALIVE, examining=frozenset({KEY})), ["Terminate"]),
        ("reported", look(Sight.ALIVE, examined={KEY: FOUND}), ["Settle", "Terminate"]),
        ("reported", look(Sight.ALIVE, examined={KEY: NOTHING}), ["Settle", "Terminate"]),
        ("gone", look(None), ["Examine"]),
        ("gone", look(None, examined={KEY: NOTHING}), ["Settle"]),
        ("cancelling", look(Sight.ALIVE), ["Terminate"]),
        ("cancelling, never sent", look(None), ["MarkGone"]),
        ("cancelling, never sent", look(None, busy=BUSY), []),
        ("cancelling, reported", look(Sight.ALIVE, examined={KEY: NOTHING}), ["Terminate"]),
        (
            "cancelling, reported",
            look(Sight.ALIVE, examined={KEY: FOUND}),
            ["Settle", "Terminate"],
        ),
        ("cancelling, gone", look(None, examined={KEY: NOTHING}), ["Settle"]),
        ("cancelled", look(None), []),
        ("succeeded", look(None), []),
        ("succeeded, worker ends", look(Sight.ALIVE), ["Terminate"]),
        ("failed", look(None), []),
    ],
)
def test_what_is_seen_and_written_down_decides_the_steps(
    station: str, observed: Observed, expected: list[str]
) -> None:
    assert kinds(steps(observed, at(station))) == expected


@pytest.mark.parametrize(
    ("station", "observed", "expected"),
    [
        ("waiting", look(None), ["BeginCancel"]),
        ("launched", look(Sight.UNSEEN), ["BeginCancel"]),
        ("created", look(Sight.ALIVE, DESCRIBED), ["BeginCancel"]),
        ("at work", look(Sight.ALIVE, DESCRIBED), ["BeginCancel"]),
        ("at work", look(Sight.ALIVE, ENDED), ["BeginCancel", "EndAttempt"]),
        ("reported", look(Sight.ALIVE), ["BeginCancel", "Examine", "Terminate"]),
        ("cancelling", look(Sight.ALIVE), ["Terminate"]),
        ("cancelled", look(None), []),
    ],
)
def test_a_cancel_begins_nothing_and_ends_what_is_there(
    station: str, observed: Observed, expected: list[str]
) -> None:
    assert kinds(steps(observed, wanting(at(station), cancel=True))) == expected


@pytest.mark.parametrize(
    ("station", "purged"),
    [
        ("succeeded", True),
        ("failed", True),
        ("cancelled", True),
        ("succeeded, worker ends", False),
        ("cancelling, gone", False),
        ("at work", False),
        ("waiting", False),
    ],
)
def test_a_deleted_job_goes_when_its_runs_have_ended_and_its_workers_are_gone(
    station: str, purged: bool
) -> None:
    rows = at(station)

    assert ("Purge" in kinds(steps(look(None), wanting(rows, delete=True)))) is purged
    assert "Purge" not in kinds(steps(look(None), wanting(rows, cancel=True)))


# --- why a worker is given up


def given_up(observed: Observed, rows: JobRows, now: datetime = NOW) -> Code | None:
    """The code of the worker's failure, None when it is left alone."""
    return next(
        (a.failure.code for a in steps(observed, rows, now=now) if isinstance(a, GiveUp)), None
    )


LONG_AGO, LED = ago(10**5), ago(10**6)


@pytest.mark.parametrize(
    ("seconds", "contact", "since", "code"),
    [
        (119, {}, LED, None),
        (120, {}, LED, Code.UNREACHABLE),
        (300, {"answered_at": ahead(181)}, LED, None),
        (300, {"answered_at": ahead(180)}, LED, Code.UNREACHABLE),
        (300, {}, ahead(250), None),
        (599, {"answered_at": ahead(599)}, LED, None),
        (600, {"answered_at": ahead(600)}, LED, Code.NO_PROGRESS),
        (600, {"answered_at": ahead(600), "progressed_at": ahead(1)}, LED, None),
        (601, {"answered_at": ahead(601), "progressed_at": ahead(1)}, LED, Code.NO_PROGRESS),
        (900, {"answered_at": ahead(900)}, ahead(700), None),
        (3599, {"answered_at": ahead(3599), "progressed_at": ahead(3599)}, LED, None),
        (3600, {"answered_at": ahead(3600), "progressed_at": ahead(3600)}, LED, Code.DEADLINE),
        (3600, {"answered_at": ahead(3600)}, ahead(3599), Code.DEADLINE),
    ],
)
def test_a_worker_at_work_is_given_up_for_silence_standstill_or_its_time_limit(
    seconds: float, contact: dict[str, datetime], since: datetime, code: Code | None
) -> None:
    rows = at("at work", up_at=NOW, created_at=LONG_AGO)
    observed = look(
        Sight.ALIVE, Contact(identity="p1", described=True, **contact), leader_since=since
    )

    assert given_up(observed, rows, ahead(seconds)) is code


def test_a_silent_worker_on_a_silent_node_is_the_fault_of_the_node() -> None:
    rows = at("at work", up_at=NOW, created_at=LONG_AGO)
    sight = Observation(sight=Sight.ALIVE, address="10.0.0.7:1", identity="p1", node_silent=True)
    told = Contact(identity="p1", described=True, answered_at=ahead(60))
    observed = look(None, told, leader_since=LED, sights={W: sight})

    assert given_up(observed, rows, ahead(179)) is None
    assert given_up(observed, rows, ahead(180)) is Code.NODE_LOST


@pytest.mark.parametrize(
    ("seconds", "sight", "since", "code"),
    [
        (599, Sight.ALIVE, LED, None),
        (600, Sight.ALIVE, LED, Code.START_TIMEOUT),
        (600, Sight.UNSEEN, LED, Code.START_TIMEOUT),
        (10**6, Sight.WAITING, LED, None),
        (700, Sight.ALIVE, ahead(101), None),
    ],
)
def test_a_worker_that_does_not_start_is_given_up_but_waiting_for_a_place_costs_nothing(
    seconds: float, sight: Sight, since: datetime, code: Code | None
) -> None:
    rows = at("created", create_sent_at=NOW)

    assert given_up(look(sight, leader_since=since), rows, ahead(seconds)) is code


def test_a_create_that_is_repeated_for_ever_ends_by_the_start_time_limit() -> None:
    rows = at("created", created_at=NOW, create_sent_at=ahead(599))

    assert given_up(look(Sight.UNSEEN), rows, ahead(600)) is Code.START_TIMEOUT


@pytest.mark.parametrize(("seconds", "code"), [(29, None), (30, Code.POD_VANISHED)])
@pytest.mark.parametrize("station", ["created", "at work"])
def test_a_worker_that_vanished_is_believed_gone_only_at_the_second_look(
    station: str, seconds: float, code: Code | None
) -> None:
    observed = look(Sight.UNKNOWN, ATTACHED, unseen_since={W: NOW})

    assert given_up(observed, at(station), ahead(seconds)) is code


@pytest.mark.parametrize("sight", [Sight.ENDED, Sight.GONE])
@pytest.mark.parametrize("told", [None, Failure(code=Code.GPU_OOM, message="No memory.")])
def test_why_a_worker_ended_is_what_the_launcher_says(sight: Sight, told: Failure | None) -> None:
    observed = replace(look(sight), sights={W: Observation(sight=sight, failure=told)})

    action = steps(observed, at("at work"))[0]

    assert isinstance(action, GiveUp | MarkGone)
    assert action.failure is not None
    assert action.failure.code is (told.code if told else Code.KILLED_UNKNOWN)


def test_a_worker_that_ended_while_a_create_may_still_land_is_ended_first() -> None:
    rows = at("created", create_sent_at=ago(74))

    assert kinds(steps(look(Sight.GONE), rows)) == ["GiveUp"]


def test_an_abandoned_worker_is_given_up_and_a_drained_one_costs_nothing() -> None:
    observed = look(Sight.ALIVE, ATTACHED)

    assert given_up(observed, abandoned(at("at work"))) is Code.UNREACHABLE
    assert given_up(replace(observed, ending=True), at("at work")) is Code.DRAINED


def test_the_time_limit_grows_with_the_video_once_its_length_is_known() -> None:
    body = {"time_limit": {"seconds": 60, "per_media_second": 2}}
    rows = at("at work", body=body)
    probed = replace(rows.video, probe=Probe(container="mp4", duration_seconds=100))

    assert longest_seconds(rows, rows.workers[0]) == 60
    assert longest_seconds(replace(rows, video=probed), rows.workers[0]) == 260


# --- the end of a worker


def test_the_mark_of_doubt_follows_what_is_seen() -> None:
    doubted = at("given up", unproven_since=ago(9))

    seen_again = steps(look(Sight.ALIVE), doubted)
    still_in_doubt = steps(look(Sight.UNKNOWN), doubted)

    assert seen_again[0] == MarkUnproven(job_id="j", worker_id=W, unproven=False)
    assert kinds(still_in_doubt) == ["Terminate"]


def test_why_it_was_given_up_wins_over_how_it_ended() -> None:
    rows = at("given up", failure=BROKE)
    killed = Failure(code=Code.KILLED_UNKNOWN, message="Killed.")
    observed = seeing(None, sights={W: Observation(sight=Sight.GONE, failure=killed)})

    assert steps(observed, rows) == [MarkGone(job_id="j", worker_id=W, failure=BROKE)]


def test_the_manifest_of_the_last_attempt_is_looked_for() -> None:
    rows = at("gone")
    second = replace(rows.attempts[0], number=2, worker_id="w2")

    actions = steps(look(None), replace(rows, attempts=(*rows.attempts, second)))

    assert actions == [Examine(job_id="j", run_id="jr0", attempt=2, worker_id="w2")]


# --- the queue


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"draining": True}, "the scheduler is draining: nothing new is started"),
        ({"ending": True}, "the scheduler is draining: nothing new is started"),
        ({"trouble": "no cluster"}, "nothing new is started: no cluster"),
    ],
)
def test_while_nothing_may_start_every_run_is_told_why(fields: dict[str, Any], reason: str) -> None:
    waiting = a_job(a_run(position=0), a_run(position=1))

    assert steps(seeing(None, **fields), waiting) == [
        Wait(job_id="j", run_id="jr0", position=1, reason=reason),
        Wait(job_id="j", run_id="jr1", position=2, reason=reason),
    ]


def test_an_abandoned_worker_makes_room_at_once() -> None:
    stuck = [at("given up", name) for name in ("a", "b")]
    waiting = at("waiting", "c")

    before = steps(seeing(None), *stuck, waiting)
    after = steps(seeing(None), abandoned(stuck[0]), stuck[1], waiting)

    assert not any(isinstance(action, Launch) for action in before)
    assert Launch(job_id="c", run_id="cr0") in after


# --- for any view

stations, sights = st.sampled_from(sorted(STATIONS)), st.sampled_from([None, *Sight])
contacts = st.sampled_from([None, CALLED, DESCRIBED, ATTACHED, ENDED, REFUSED])
examined = st.sampled_from([{}, {KEY: NOTHING}, {KEY: FOUND}])
views = st.builds(
    look,
    sights,
    contacts,
    examined=examined,
    busy=st.sampled_from([frozenset(), BUSY]),
    ending=st.booleans(),
    leader_since=st.sampled_from([ago(3600), ago(5)]),
)
some_rows = st.builds(
    lambda station, cancel, delete, given: (abandoned if given else replace)(
        wanting(at(station), cancel=cancel, delete=delete)
    ),
    stations,
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=150)
@given(views, some_rows)
def test_the_same_view_gives_the_same_steps_and_a_step_done_twice_does_nothing_more(
    observed: Observed, rows: JobRows
) -> None:
    actions = steps(observed, rows)

    assert steps(observed, rows) == actions
    for action in actions:
        made = decided(action, rows)
        if made is not None:
            assert decided(action, apply(rows, made, NOW)) is None


@settings(max_examples=150)
@given(views, some_rows)
def test_what_follows_from_a_view_comes_to_rest(observed: Observed, rows: JobRows) -> None:
    after, _ = follow(rows, observed)

    again, asked = follow(after, observed)

    assert again == after
    assert not {"Settle", "GiveUp", "MarkUp", "MarkGone", "EndAttempt", "BeginCancel"} & set(asked)


@settings(max_examples=150)
@given(views, some_rows)
def test_nothing_new_is_sent_for_a_job_that_shall_stop(observed: Observed, rows: JobRows) -> None:
    actions = steps(observed, wanting(rows, cancel=True))

    begun = {"Launch", "Create", "Call", "MarkUp", "Attach"}
    assert not begun & set(kinds(actions))


@settings(max_examples=150)
@given(views, some_rows)
def test_a_run_is_settled_only_after_its_attempt_or_a_cancel_over_an_abandoned_worker(
    observed: Observed, rows: JobRows
) -> None:
    for action in steps(observed, rows):
        if isinstance(action, Settle) and action.examined is None:
            assert rows.runs[0].state is RunState.CANCELLING
            assert not any(worker.charged for worker in rows.workers)
        elif isinstance(action, Settle):
            assert not any(attempt.open for attempt in rows.attempts)
        elif isinstance(action, Create):
            assert rows.workers[0].state is WorkerState.LAUNCHING
