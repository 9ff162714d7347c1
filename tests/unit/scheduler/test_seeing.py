"""What a launcher that watches brings: phases of a start, gaps in what was seen, and blindness."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tests.fakes.rows import LATE, NOW, POLICY, a_job, a_run, ago, ahead, at, seeing
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Resources, Worker
from videoannotator.scheduler.actions import Call, Create, GiveUp, MarkUp
from videoannotator.scheduler.inbox import Answered, CreateEnded
from videoannotator.scheduler.launchers.interface import Observation, Phase, Sight, Stray, Watch
from videoannotator.scheduler.observed import Contact, Observed
from videoannotator.scheduler.proof import proved_gone
from videoannotator.scheduler.reconcile import reconcile
from videoannotator.scheduler.view import LONGEST_PAUSE_SECONDS, Seen, View
from videoannotator.scheduler.waiting import obstacle, shape, used, waiting
from videoannotator.store.rows import JobRows

W = "jr0w1"
BROKE = Failure(code=Code.IMAGE_NAME, message="There is no such image.")
BLIND = Watch(trouble="the cluster does not answer")
PULL, START = POLICY.pull_timeout_seconds, POLICY.start_timeout_seconds


@pytest.fixture
def view() -> View:
    """The memory of a leader who has led for an hour."""
    return View(ago(3600))


def look(
    view: View, rows: JobRows, seen: Observation | None, after: float = 0, **watch: Any
) -> Observed:
    """What the next tick sees."""
    sights = {} if seen is None else {W: seen}
    at_once = Seen(watch=Watch(**watch), sights=sights)
    return view.observed(at_once, (rows,), ahead(after), draining=False, ending=False)


def given_up(observed: Observed, rows: JobRows, after: float) -> Code | None:
    """Why the worker is given up then."""
    actions = reconcile(observed, (rows,), POLICY, ahead(after))
    found = [action.failure.code for action in actions if isinstance(action, GiveUp)]
    return found[0] if found else None


def gone(worker: Worker, observed: Observed, now: datetime = NOW) -> bool:
    """Whether the worker is proved gone."""
    return proved_gone(worker, observed.sights.get(worker.id), observed, POLICY, now)


# --- each phase of a start has a time limit of its own


def starting(phase: Phase) -> Observation:
    """A worker that starts."""
    waits = phase is Phase.PLACING
    return Observation(sight=Sight.WAITING if waits else Sight.ALIVE, phase=phase)


@pytest.mark.parametrize(
    ("phase", "after", "code"),
    [
        (Phase.PLACING, 10**6, None),
        (Phase.PULLING, PULL - 1, None),
        (Phase.PULLING, PULL, Code.START_TIMEOUT),
        (Phase.STARTING, START - 1, None),
        (Phase.STARTING, START, Code.START_TIMEOUT),
    ],
)
def test_each_phase_of_a_start_has_its_own_limit(
    view: View, phase: Phase, after: float, code: Code | None
) -> None:
    rows = at("created", create_sent_at=ago(3000), created_at=ago(3000))
    look(view, rows, starting(phase))

    assert given_up(look(view, rows, starting(phase), after), rows, after) is code


def test_a_phase_begins_when_the_last_one_has_ended(view: View) -> None:
    rows = at("created", create_sent_at=NOW, created_at=NOW)

    look(view, rows, starting(Phase.PLACING))
    look(view, rows, starting(Phase.PULLING), 5000)
    pulled = look(view, rows, starting(Phase.STARTING), 5000 + PULL - 1)
    late = look(view, rows, starting(Phase.STARTING), 5000 + PULL - 1 + START)

    assert pulled.phase_since == {W: ahead(5000 + PULL - 1)}
    assert given_up(pulled, rows, 5000 + PULL - 1) is None
    assert given_up(late, rows, 5000 + PULL - 1 + START) is Code.START_TIMEOUT


@pytest.mark.parametrize("sight", [Sight.WAITING, Sight.ALIVE])
@pytest.mark.parametrize("station", ["created", "at work"])
def test_a_worker_of_which_it_is_known_why_it_never_will_work_is_given_up(
    sight: Sight, station: str
) -> None:
    contacts = {W: Contact(identity="p1", answered_at=NOW, progressed_at=NOW)}
    observed = replace(
        seeing(sight, contacts=contacts), sights={W: Observation(sight=sight, failure=BROKE)}
    )

    assert given_up(observed, at(station), 0) is Code.IMAGE_NAME


# --- what vanished


@pytest.mark.parametrize(("unsure", "code"), [(True, None), (False, Code.JOB_VANISHED)])
def test_what_vanished_is_believed_once_it_was_looked_for_by_its_name(
    unsure: bool, code: Code | None
) -> None:
    told = Failure(code=Code.JOB_VANISHED, message="It is not there.")
    missing = Observation(sight=Sight.UNKNOWN, failure=told, unsure=unsure)
    contacts = {W: Contact(identity="p1", answered_at=ahead(40), progressed_at=ahead(40))}
    observed = replace(
        seeing(Sight.UNKNOWN, unseen_since={W: NOW}, contacts=contacts), sights={W: missing}
    )

    assert given_up(observed, at("at work"), 40) is code


# --- a launcher that does not see


@pytest.mark.parametrize(
    ("station", "seen"),
    [
        ("created", starting(Phase.PULLING)),
        ("created", starting(Phase.STARTING)),
        ("created", Observation(sight=Sight.UNSEEN)),
        ("created", Observation(sight=Sight.ALIVE, failure=BROKE)),
        ("at work", Observation(sight=Sight.UNKNOWN)),
        ("at work", Observation(sight=Sight.ALIVE)),
    ],
)
def test_while_nothing_is_seen_nothing_is_held_against_a_worker(
    view: View, station: str, seen: Observation
) -> None:
    rows = at(station, create_sent_at=ago(9), created_at=ago(9))
    look(view, rows, seen)

    blind = look(view, rows, seen, 3000, trouble=BLIND.trouble)

    assert given_up(blind, rows, 3000) is None


@pytest.mark.parametrize(
    ("station", "seen", "seconds"),
    [
        ("created", starting(Phase.STARTING), START),
        ("at work", Observation(sight=Sight.UNKNOWN), POLICY.second_look_seconds),
        ("at work", Observation(sight=Sight.ALIVE), POLICY.unreachable_seconds),
    ],
)
def test_every_clock_begins_anew_when_it_sees_again(
    view: View, station: str, seen: Observation, seconds: float
) -> None:
    rows = at(station, create_sent_at=ago(9), created_at=ago(9))
    look(view, rows, seen)
    look(view, rows, seen, 3000, trouble=BLIND.trouble)
    look(view, rows, seen, 3001)

    almost = look(view, rows, seen, 3000 + seconds - 1)
    then = look(view, rows, seen, 3001 + seconds)

    assert given_up(almost, rows, 3000 + seconds - 1) is None
    assert given_up(then, rows, 3001 + seconds) is not None


def test_while_nothing_is_seen_nothing_is_created_and_running_work_goes_on(view: View) -> None:
    rows, alive = at("at work"), Observation(sight=Sight.ALIVE, address="a", identity="p1")

    blind = look(view, at("created"), Observation(sight=Sight.UNSEEN), trouble=BLIND.trouble)
    at_work = look(view, rows, alive, trouble=BLIND.trouble)

    assert reconcile(blind, (at("created"),), POLICY, NOW) == []
    assert reconcile(at_work, (rows,), POLICY, NOW) == [
        Call(job_id="j", worker_id=W, address="a", identity="p1")
    ]


def test_the_time_limit_of_a_run_holds_also_while_nothing_is_seen(view: View) -> None:
    rows = at("at work", up_at=NOW)

    blind = look(view, rows, Observation(sight=Sight.ALIVE), 3600, trouble=BLIND.trouble)

    assert given_up(blind, rows, 3600) is Code.DEADLINE


@pytest.mark.parametrize("sight", [Sight.UNKNOWN, Sight.UNSEEN])
def test_while_nothing_is_seen_no_doubt_becomes_a_proof(sight: Sight) -> None:
    (worker,) = at("cancelling", identity=None).workers
    (called,) = at("cancelling", identity="p1").workers
    seen = seeing(sight, leader_since=ago(10**6), trouble=BLIND.trouble)

    assert not gone(worker, seen, ahead(10**6))
    assert not gone(called, seen, ahead(10**6))


# --- gaps in what was seen


@pytest.mark.parametrize(("gapless", "proved"), [(91, True), (90, False), (0, False)])
def test_who_missed_nothing_since_before_the_create_believes_that_there_was_no_pod(
    view: View, gapless: float, proved: bool
) -> None:
    rows = at("cancelling", identity=None, created_at=ago(90), create_sent_at=ago(89))

    observed = look(view, rows, Observation(sight=Sight.UNSEEN), gapless_seconds=gapless)

    assert gone(rows.workers[0], observed) is proved


def test_a_watch_from_before_the_leadership_does_not_count(view: View) -> None:
    rows = at("cancelling", identity=None, created_at=ago(90), create_sent_at=ago(89))
    view.leader_since = ago(80)

    observed = look(view, rows, Observation(sight=Sight.UNSEEN), gapless_seconds=10**6)

    assert not gone(rows.workers[0], observed)


@pytest.mark.parametrize(("lag", "proved"), [(14, True), (15, False)])
def test_what_was_not_told_yet_may_still_be_a_pod(view: View, lag: float, proved: bool) -> None:
    sent = ago(LATE + 14)
    rows = at("cancelling", identity=None, created_at=ago(LATE + 15), create_sent_at=sent)
    seen = Observation(sight=Sight.UNSEEN)

    observed = look(view, rows, seen, gapless_seconds=10**6, lag_seconds=lag)

    assert gone(rows.workers[0], observed) is proved


@pytest.mark.parametrize("sight", [Sight.ENDED, Sight.UNKNOWN])
@pytest.mark.parametrize(("identity", "proved"), [(None, True), ("p1", False)])
def test_a_kubernetes_job_of_which_no_pod_was_ever_seen_is_gone_with_it(
    sight: Sight, identity: str | None, proved: bool
) -> None:
    (worker,) = at("cancelling", identity=identity, last_contact_at=NOW).workers
    observed = replace(seeing(sight), sights={W: Observation(sight=sight, never_ran=True)})

    assert gone(worker, observed) is proved


@pytest.mark.parametrize(("seconds", "proved"), [(3089, False), (3090, True)])
def test_the_backstop_counts_from_when_it_was_last_seen_to_be_there(
    view: View, seconds: float, proved: bool
) -> None:
    body = {"active_deadline_seconds": 3000}
    rows = at("cancelling", identity=None, stopping_at=ago(10**5), body=body)
    doubt = Observation(sight=Sight.UNKNOWN)
    look(view, rows, Observation(sight=Sight.ALIVE), -1)
    look(view, rows, doubt)

    assert gone(rows.workers[0], look(view, rows, doubt, seconds), ahead(seconds)) is proved


# --- creates that were answered


@pytest.mark.parametrize(
    ("ended", "busy", "led_since", "proved"),
    [
        ([{"landed": True}], False, ago(95), True),
        ([{"landed": True}, {"landed": True}], False, ago(95), True),
        ([], False, ago(95), False),
        ([{"again_after_seconds": 0.0}], False, ago(95), False),
        # an earlier or a later one may still be on its way
        ([{"again_after_seconds": 0.0}, {"landed": True}], False, ago(95), False),
        ([{"landed": True}, {"again_after_seconds": 0.0}], False, ago(95), False),
        ([{"landed": True}], True, ago(95), False),
        # the leader before may have sent one
        ([{"landed": True}], False, ago(85), False),
    ],
)
def test_nothing_lands_late_when_this_leader_sent_every_create_and_each_was_answered(
    view: View, ended: list[dict[str, Any]], busy: bool, led_since: datetime, proved: bool
) -> None:
    rows = at("cancelling", created_at=ago(90), create_sent_at=NOW)
    view.leader_since = led_since
    view.fold([CreateEnded(worker_id=W, **each) for each in ended], NOW)
    view.busy |= {W} if busy else set()

    observed = look(view, rows, Observation(sight=Sight.GONE), after=1)

    assert gone(rows.workers[0], observed, ahead(1)) is proved
    assert gone(rows.workers[0], observed, ahead(LATE))


# --- which process answered


def test_the_row_names_the_process_that_answered_not_the_one_that_is_seen_then() -> None:
    contact = Contact(identity="p1", described=True, answered_at=NOW)
    still = seeing(Sight.ALIVE, identity="p1", contacts={W: contact})
    other = seeing(Sight.ALIVE, identity="p2", contacts={W: contact})

    assert reconcile(still, (at("created"),), POLICY, NOW) == [
        MarkUp(job_id="j", worker_id=W, identity="p1")
    ]
    assert reconcile(other, (at("created"),), POLICY, NOW) == [
        Call(job_id="j", worker_id=W, address="unix:/p1", identity="p2")
    ]


def test_an_answer_of_the_process_before_does_not_speak_for_the_one_that_is_called(
    view: View,
) -> None:
    view.called(W, "p1")
    view.called(W, "p2")

    view.fold([Answered(worker_id=W, described_by="p1")], NOW)
    before = view.contacts[W].described
    view.fold([Answered(worker_id=W, described_by="p2")], NOW)

    assert (before, view.contacts[W].described) == (False, True)


# --- creates that were not answered


def test_a_create_without_an_outcome_is_repeated_after_pauses_that_grow(view: View) -> None:
    pauses = []
    for _ in range(9):
        view.fold([CreateEnded(worker_id=W, again_after_seconds=0.0)], NOW)
        again = view.contacts[W].create_again_at
        assert again is not None
        pauses.append((again - NOW).total_seconds())

    assert pauses == [0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS] + [LONGEST_PAUSE_SECONDS] * 2


def test_a_create_waits_as_long_as_the_cluster_asks(view: View) -> None:
    rows, unseen = at("launched"), Observation(sight=Sight.UNSEEN)
    view.fold([CreateEnded(worker_id=W, again_after_seconds=7.0)], NOW)

    early = reconcile(look(view, rows, unseen, 6), (rows,), POLICY, ahead(6))
    then = reconcile(look(view, rows, unseen, 7), (rows,), POLICY, ahead(7))

    assert (early, then) == ([], [Create(job_id="j", worker_id=W)])


# --- what else is charged, and what fits where


def test_what_is_left_of_a_forgotten_worker_is_charged_while_it_may_run() -> None:
    strays = (Stray(worker_id="x", running=True, gpus=1), Stray(worker_id="y"))

    use = used((), seeing(None, strays=strays), POLICY)

    assert (use.workers, use.gpu_workers, use.stopping) == (1, 1, 1)


def test_a_shape_that_finds_no_place_holds_up_no_other() -> None:
    policy = replace(
        POLICY, max_workers=9, unplaced_window=1, shapes={"p": "node=big", "q": "node=small"}
    )
    placing = at("created")
    queue = [a_job(a_run("k", pipeline=name)) for name in ("p", "q")]
    use = used((placing,), seeing(Sight.WAITING), policy)

    reasons = {one.run.pipeline: obstacle(one, use, policy, NOW) for one in waiting(queue)}

    assert reasons == {"p": "waits until the workers before it have a place", "q": ""}


def test_the_site_decides_how_many_gpus_a_worker_gets() -> None:
    policy = replace(POLICY, max_workers=9, max_gpu_workers=0, gpus={"p": 1, "q": 0})
    declared = Resources(gpus=1)
    queue = [
        a_job(a_run("k", pipeline="p")),
        a_job(a_run("l", pipeline="q", resources=declared)),
        a_job(a_run("m", pipeline="r", resources=declared)),
    ]
    use = used((), seeing(None), policy)

    told = [bool(obstacle(one, use, policy, NOW)) for one in waiting(queue)]

    assert told == [True, False, True]
    assert shape("q", declared, policy) == shape("s", Resources(), policy)


def test_a_pipeline_that_has_no_image_waits_and_says_so() -> None:
    policy = replace(POLICY, missing={"p": "It has no image here."})
    use = used((), seeing(None), policy)

    (one,) = waiting([a_job()])

    assert obstacle(one, use, policy, NOW) == "It has no image here."
