"""Every change at every station of a run's life: it applies, or it does nothing."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product

import pytest

from tests.fakes.rows import (
    BROKE,
    NOW,
    POLICY,
    STATIONS,
    a_run,
    a_worker,
    abandoned,
    ago,
    ahead,
    at,
    wanting,
)
from tests.fakes.world import apply, artifact
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import (
    AttemptOutcome,
    Progress,
    RunState,
    WorkerState,
)
from videoannotator.scheduler import changes
from videoannotator.scheduler.actions import (
    Action,
    BeginCancel,
    Create,
    EndAttempt,
    GiveUp,
    MarkGone,
    MarkUnproven,
    MarkUp,
    Purge,
    Settle,
    Terminate,
)
from videoannotator.scheduler.observed import Ended, Examined
from videoannotator.store.rows import Changes, JobRows

W, R = "jr0w1", "jr0"
DONE = Ended(outcome=AttemptOutcome.COMPLETED)
FAILED = Ended(outcome=AttemptOutcome.FAILED, failure=BROKE)
NOTHING = Examined(artifacts=None)
FOUND = Examined(artifacts=(artifact(R, 1),), summary={"scenes": 2})
EVERYWHERE = frozenset(STATIONS)
OPEN = {"launched", "created", "at work", "given up", "cancelling", "cancelling, never sent"}
LIVING = {name for name, (_, worker, _, _) in STATIONS.items() if worker is not None} - {
    name for name, (_, worker, _, _) in STATIONS.items() if worker is WorkerState.GONE
}
STOPPING = {name for name, (_, worker, _, _) in STATIONS.items() if worker is WorkerState.STOPPING}
OVER = {"reported", "gone", "never started"}


def settled(examined: Examined | None) -> Callable[[JobRows], Changes | None]:
    return lambda rows: changes.settle(rows, R, examined, POLICY.retry, NOW, 0.5)


def launched(rows: JobRows) -> Changes | None:
    worker = a_worker(rows.runs[0], id="w2", attempt=changes.next_attempt(rows, R))
    return changes.launch(rows, worker, NOW)


#: every change, with the stations at which it applies
CHANGES: Mapping[str, tuple[Callable[[JobRows], Changes | None], set[str]]] = {
    "launch": (launched, {"waiting", "waiting again", "waiting, old one ends"}),
    "before_create": (
        lambda rows: changes.before_create(rows, W, NOW),
        {"launched", "created"},
    ),
    "mark_up": (lambda rows: changes.mark_up(rows, W, "p9", NOW), {"launched", "created"}),
    "end_attempt": (lambda rows: changes.end_attempt(rows, W, DONE, NOW), OPEN),
    "give_up": (
        lambda rows: changes.give_up(rows, W, BROKE, NOW),
        {"launched", "created", "at work"},
    ),
    "begin_cancel": (lambda rows: changes.begin_cancel(rows, NOW), set()),
    "mark_gone": (lambda rows: changes.mark_gone(rows, W, None, NOW), LIVING),
    "mark_unproven": (lambda rows: changes.mark_unproven(rows, W, True, NOW), STOPPING),
    "settle, no manifest": (settled(NOTHING), OVER | {"cancelling, gone"}),
    "settle, a result": (
        settled(FOUND),
        OVER | {"cancelling, gone", "cancelling, reported"},
    ),
    "settle, abandoned": (settled(None), {"cancelling, gone"}),
}
#: the same once a cancel was asked: what begins something does not apply any more
UNWANTED = {
    "launch": set(),
    "before_create": set(),
    "mark_up": set(),
    "begin_cancel": {
        name
        for name, (run, worker, _, _) in STATIONS.items()
        if run in (RunState.PENDING, RunState.STARTING, RunState.RUNNING)
        or worker in (WorkerState.LAUNCHING, WorkerState.UP)
    },
}


@pytest.mark.parametrize("cancel", [False, True], ids=["wanted", "cancelled"])
@pytest.mark.parametrize("station", STATIONS)
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_applies_where_it_should_and_nowhere_else(
    name: str, station: str, cancel: bool
) -> None:
    change, applies = CHANGES[name]
    expected = UNWANTED.get(name, applies) if cancel else applies

    made = change(wanting(at(station), cancel=cancel))

    assert (made is not None) is (station in expected)


@pytest.mark.parametrize("station", STATIONS)
@pytest.mark.parametrize("name", CHANGES)
def test_what_a_change_does_is_legal_and_leaves_at_most_one_attempt_open(
    name: str, station: str
) -> None:
    for cancel, given_up in product([False, True], repeat=2):
        rows = wanting(at(station), cancel=cancel)
        rows = abandoned(rows) if given_up else rows
        made = CHANGES[name][0](rows)

        after = rows if made is None else apply(rows, made, NOW)  # raises what is not legal

        assert sum(attempt.open for attempt in after.attempts) <= 1


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"before_create", "launch"}))
@pytest.mark.parametrize("station", STATIONS)
def test_a_change_that_is_made_twice_changes_nothing_the_second_time(
    name: str, station: str
) -> None:
    rows = wanting(at(station), cancel=name == "begin_cancel")
    made = CHANGES[name][0](rows)
    rows = rows if made is None else apply(rows, made, NOW)

    assert CHANGES[name][0](rows) is None


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_what_is_not_there_does_nothing(name: str) -> None:
    strange = at("at work", "other")

    if name not in ("begin_cancel", "launch"):
        assert CHANGES[name][0](strange) is None


# --- what they do


def test_a_launch_opens_the_next_attempt_and_forgets_what_the_last_one_told() -> None:
    rows = at("waiting again")
    waited = replace(
        rows.runs[0],
        progress=Progress(stage="old", position_seconds=3),
        waiting_reason="a slot",
        queue_position=4,
        not_before=NOW,
    )

    made = launched(replace(rows, runs=(waited,)))

    assert made is not None
    (run,), (attempt,), (worker,) = made.runs, made.attempts, made.workers
    assert run.state is RunState.STARTING
    assert (run.waiting_reason, run.queue_position, run.not_before) == ("", None, None)
    assert run.progress == Progress()
    assert (run.started_at, attempt.opened_at) == (ago(90), NOW)
    assert (attempt.number, attempt.worker_id, worker.attempt) == (2, worker.id, 2)


def test_nothing_is_launched_before_the_back_off_has_passed() -> None:
    rows = at("waiting")
    soon = replace(rows, runs=(replace(rows.runs[0], not_before=ahead(0.1)),))

    assert launched(soon) is None


def test_of_two_launches_of_one_run_the_second_does_nothing() -> None:
    rows = at("waiting")
    made = launched(rows)

    assert made is not None
    assert launched(apply(rows, made, NOW)) is None


def test_a_worker_that_is_up_has_a_name_and_a_time() -> None:
    made = changes.mark_up(at("created"), W, "p9", NOW)

    assert made is not None
    (run,), (worker,) = made.runs, made.workers
    assert run.state is RunState.RUNNING
    assert (worker.identity, worker.up_at, worker.last_contact_at) == ("p9", NOW, NOW)


@pytest.mark.parametrize("ended", [DONE, FAILED])
def test_the_workers_own_end_closes_its_attempt_and_frees_nothing(ended: Ended) -> None:
    made = changes.end_attempt(at("at work"), W, ended, NOW)

    assert made is not None
    (attempt,), (worker,) = made.attempts, made.workers
    assert (attempt.over_at, attempt.outcome, attempt.failure) == (
        NOW,
        ended.outcome,
        ended.failure,
    )
    assert worker.state is WorkerState.STOPPING
    assert worker.charged
    assert made.runs == ()


def test_a_worker_given_up_keeps_why_and_its_attempt_stays_open() -> None:
    made = changes.give_up(at("at work"), W, BROKE, NOW)

    assert made == Changes(
        workers=(
            replace(
                at("at work").workers[0],
                state=WorkerState.STOPPING,
                stopping_at=NOW,
                failure=BROKE,
            ),
        )
    )


@pytest.mark.parametrize(
    ("station", "state"),
    [
        ("waiting", RunState.CANCELLED),
        ("waiting again", RunState.CANCELLED),
        ("waiting, old one ends", RunState.CANCELLING),
        ("launched", RunState.CANCELLING),
        ("at work", RunState.CANCELLING),
        ("reported", RunState.CANCELLING),
    ],
)
def test_a_cancel_ends_at_once_only_what_has_no_living_worker(
    station: str, state: RunState
) -> None:
    made = changes.begin_cancel(wanting(at(station), cancel=True), NOW)

    assert made is not None
    (run,) = made.runs
    assert run.state is state
    assert run.finished_at == (NOW if state is RunState.CANCELLED else None)
    assert all(worker.state is WorkerState.STOPPING for worker in made.workers)


def test_a_cancel_stops_every_run_of_the_job_and_leaves_the_ended_alone() -> None:
    rows = at("at work")
    runs = (rows.runs[0], a_run(position=1), a_run(position=2, state=RunState.SUCCEEDED))

    made = changes.begin_cancel(wanting(replace(rows, runs=runs), cancel=True), NOW)

    assert made is not None
    assert [(run.position, run.state) for run in made.runs] == [
        (0, RunState.CANCELLING),
        (1, RunState.CANCELLED),
    ]


@pytest.mark.parametrize("own", [None, BROKE])
def test_a_worker_that_is_gone_without_a_word_loses_its_attempt(own: Failure | None) -> None:
    killed = Failure(code=Code.OOM_KILLED, message="Killed.")

    made = changes.mark_gone(at("given up", unproven_since=ago(3), failure=own), W, killed, NOW)

    assert made is not None
    (attempt,), (worker,) = made.attempts, made.workers
    assert (worker.state, worker.gone_at, worker.unproven_since) == (WorkerState.GONE, NOW, None)
    assert (attempt.over_at, attempt.outcome) == (NOW, AttemptOutcome.LOST)
    assert attempt.failure == worker.failure == (own or killed)


def test_a_worker_that_reported_and_is_gone_keeps_its_word() -> None:
    made = changes.mark_gone(at("reported"), W, None, NOW)

    assert made is not None
    assert made.attempts == ()


@pytest.mark.parametrize(("marked", "now"), [(None, True), (ago(9), False)])
def test_the_mark_of_doubt_is_set_once_and_taken_away(marked: object, now: bool) -> None:
    rows = at("given up", unproven_since=marked)

    made = changes.mark_unproven(rows, W, now, NOW)

    assert made is not None
    assert made.workers[0].unproven_since == (NOW if now else None)
    assert changes.mark_unproven(rows, W, not now, NOW) is None


# --- what a run becomes


def test_a_result_makes_a_success_whatever_the_worker_said() -> None:
    rows = at("gone")
    known = replace(rows.runs[0], progress=Progress(position_seconds=3, duration_seconds=8))

    made = settled(FOUND)(replace(rows, runs=(replace(known, failure=BROKE),)))

    assert made is not None
    (run,) = made.runs
    assert (run.state, run.failure, run.finished_at) == (RunState.SUCCEEDED, None, NOW)
    assert (run.summary, run.progress.fraction) == ({"scenes": 2}, 1.0)
    assert made.artifacts == FOUND.artifacts


def lost(code: Code, **counts: int) -> JobRows:
    """A run whose attempt ended with `code`."""
    rows = at("gone")
    attempt = replace(rows.attempts[0], failure=Failure(code=code, message="It ended."))
    return replace(rows, attempts=(attempt,), runs=(replace(rows.runs[0], **counts),))


@pytest.mark.parametrize(
    ("code", "before", "state", "after", "delay"),
    [
        (Code.NODE_LOST, (0, 0), RunState.PENDING, (1, 0), 2),
        (Code.NODE_LOST, (1, 0), RunState.PENDING, (2, 0), 4),
        (Code.NODE_LOST, (2, 0), RunState.FAILED, (3, 0), None),
        (Code.PIPELINE_ERROR, (0, 0), RunState.FAILED, (0, 1), None),
        (Code.MEDIA_ERROR, (0, 0), RunState.FAILED, (0, 0), None),
        (Code.DRAINED, (2, 0), RunState.PENDING, (2, 0), 4),
        (Code.PREEMPTED, (0, 0), RunState.PENDING, (0, 0), 2),
        (Code.DELETED_BY_OPERATOR, (0, 0), RunState.CANCELLED, (0, 0), None),
    ],
)
def test_the_code_decides_who_pays_and_what_the_run_becomes(
    code: Code,
    before: tuple[int, int],
    state: RunState,
    after: tuple[int, int],
    delay: float | None,
) -> None:
    rows = lost(code, infrastructure_failures=before[0], pipeline_failures=before[1])

    made = settled(replace(NOTHING, log_tail=("last words",)))(rows)

    assert made is not None
    (run,) = made.runs
    assert (run.state, run.infrastructure_failures, run.pipeline_failures) == (state, *after)
    assert run.not_before == (None if delay is None else ahead(delay))
    assert (run.finished_at is None) is (state is RunState.PENDING)
    assert run.failure is not None
    assert (run.failure.code, run.failure.log_tail) == (code, ("last words",))


def test_what_an_operator_ended_is_cancelled_once_its_worker_is_gone() -> None:
    rows = lost(Code.DELETED_BY_OPERATOR)
    ending = (replace(rows.workers[0], state=WorkerState.STOPPING),)

    made = settled(NOTHING)(replace(rows, workers=ending))

    assert made is not None
    assert made.runs[0].state is RunState.CANCELLING
    assert made.runs[0].finished_at is None


@pytest.mark.parametrize(
    ("outcome", "told", "found", "code"),
    [
        (AttemptOutcome.FAILED, BROKE, None, Code.PIPELINE_ERROR),
        (AttemptOutcome.COMPLETED, None, None, Code.MANIFEST_INVALID),
        (AttemptOutcome.LOST, None, None, Code.KILLED_UNKNOWN),
        (AttemptOutcome.FAILED, BROKE, Code.MANIFEST_INVALID, Code.MANIFEST_INVALID),
    ],
)
def test_why_an_attempt_without_a_result_failed(
    outcome: AttemptOutcome, told: Failure | None, found: Code | None, code: Code
) -> None:
    last = replace(at("gone").attempts[0], outcome=outcome, failure=told)
    damage = None if found is None else Failure(code=found, message="Damaged.")

    assert changes.why(last, replace(NOTHING, failure=damage)).code is code


def test_decide_knows_the_actions_that_only_change_rows_and_leaves_the_others() -> None:
    rows = wanting(at("cancelling"), cancel=True)
    to_decide: dict[Action, JobRows] = {
        MarkUp(job_id="j", worker_id=W, identity="p"): at("created"),
        EndAttempt(job_id="j", worker_id=W, ended=DONE): at("at work"),
        GiveUp(job_id="j", worker_id=W, failure=BROKE): at("at work"),
        BeginCancel(job_id="j"): wanting(at("waiting"), cancel=True),
        MarkGone(job_id="j", worker_id=W, failure=None): rows,
        MarkUnproven(job_id="j", worker_id=W, unproven=True): rows,
        Settle(job_id="j", run_id=R, examined=None): at("cancelling, gone"),
    }
    others = [
        Create(job_id="j", worker_id=W),
        Terminate(job_id="j", worker_id=W),
        Purge(job_id="j"),
    ]

    made = [changes.decide(one, old, POLICY.retry, NOW, 0.5) for one, old in to_decide.items()]

    assert None not in made
    assert [changes.decide(one, rows, POLICY.retry, NOW, 0.5) for one in others] == [None] * 3
