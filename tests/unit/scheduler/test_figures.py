"""What gauges show: computed from rows and sights, anew at every look."""

from dataclasses import replace

import pytest

from tests.fakes.rows import (
    BROKE,
    NOW,
    a_job,
    a_run,
    a_worker,
    abandoned,
    ago,
    ahead,
    at,
    seeing,
    wanting,
)
from videoannotator.domain.jobs import (
    Attempt,
    AttemptOutcome,
    Progress,
    RunState,
    WorkerState,
)
from videoannotator.scheduler.figures import Figures, LaunchClock, Took, figures_of, waiting_since
from videoannotator.scheduler.launchers.interface import Observation, Phase, Sight, Stray
from videoannotator.scheduler.observed import Contact, Observed
from videoannotator.store.rows import JobRows

BLIND = seeing(None, trouble="the cluster has not answered yet")


def figures(*rows: JobRows, observed: Observed | None = None) -> Figures:
    """The figures of a leader who sees the worker of `at` alive, unless said otherwise."""
    return figures_of(rows, observed or seeing(Sight.ALIVE), NOW)


def test_nothing_is_there() -> None:
    assert figures() == Figures()


def test_runs_and_workers_are_counted_by_state_while_they_last() -> None:
    shown = figures(at("at work", "a"), at("waiting", "b"), at("succeeded", "c"))

    assert shown.runs == {RunState.RUNNING: 1, RunState.PENDING: 1}
    assert shown.workers == {WorkerState.UP: 1}


@pytest.mark.parametrize(
    ("rows", "slots"),
    [
        (at("launched"), {"launching": 1}),
        (at("at work"), {"up": 1}),
        (at("cancelling"), {"stopping": 1}),
        (at("cancelling", unproven_since=ago(5)), {"unproven": 1}),
        (at("gone"), {}),
        (abandoned(at("cancelling")), {}),
        (at("waiting"), {}),
    ],
)
def test_a_slot_is_held_until_its_worker_is_gone_or_abandoned(
    rows: JobRows, slots: dict[str, int]
) -> None:
    assert figures(rows).slots == slots


def test_the_slot_that_is_freed_slowest_is_shown() -> None:
    slow = at("cancelling", "a", stopping_at=ago(300))

    assert figures(slow, at("cancelling", "b")).slot_stopping_seconds == 300
    assert figures(abandoned(slow), at("at work", "b")).slot_stopping_seconds == 0


def test_the_age_of_the_queue_is_that_of_the_oldest_run_that_may_start() -> None:
    old = a_job(a_run("a", created_at=ago(700)))

    assert figures(old, a_job(a_run("b"))).queue_age_seconds == 700
    assert figures(wanting(old, cancel=True)).queue_age_seconds == 0
    assert figures(at("at work")).queue_age_seconds == 0


def test_a_run_waits_again_since_its_last_try_or_its_back_off_ended() -> None:
    run = a_run(created_at=ago(700))
    over = Attempt(
        run_id=run.id,
        number=1,
        worker_id="w",
        opened_at=ago(600),
        over_at=ago(50),
        outcome=AttemptOutcome.FAILED,
        failure=BROKE,
    )
    tried = replace(a_job(run), attempts=(over,))
    later = replace(run, not_before=ago(20))

    assert waiting_since(tried, run) == ago(50)
    assert waiting_since(replace(tried, runs=(later,)), later) == ago(20)
    assert figures(a_job(replace(run, not_before=ahead(60)))).queue_age_seconds == 0


@pytest.mark.parametrize(
    ("launched", "fields", "progressed", "stuck"),
    [
        (7200, {}, None, 1),
        (7200, {"up_at": ago(3599)}, None, 0),
        (7200, {"up_at": ago(7100)}, 3600, 1),
        (7200, {"up_at": ago(7100)}, 3599, 0),
        (7200, {"stopping_at": ago(60)}, None, 0),
        (3599, {}, None, 0),
    ],
)
def test_a_job_is_stuck_when_nothing_has_moved_for_an_hour(
    launched: float, fields: dict[str, object], progressed: float | None, stuck: int
) -> None:
    rows = at("at work", **{"created_at": ago(launched), "up_at": None, **fields})
    told = Contact(progressed_at=None if progressed is None else ago(progressed))
    observed = seeing(Sight.ALIVE, leader_since=ago(10**5), contacts={"jr0w1": told})

    assert figures(rows, observed=observed).stuck_jobs == stuck


def test_a_job_that_waits_or_is_new_to_this_leader_is_not_stuck() -> None:
    rows = at("at work", created_at=ago(9000), up_at=ago(8900))
    over = at("gone", created_at=ago(9000), up_at=ago(8900), stopping_at=ago(8000))
    long_led = seeing(Sight.ALIVE, leader_since=ago(10**5))

    assert figures(over, observed=long_led).stuck_jobs == 0
    assert figures(abandoned(over), observed=long_led).stuck_jobs == 0
    assert figures(a_job(a_run(created_at=ago(9000)))).stuck_jobs == 0
    assert figures(rows, observed=seeing(Sight.ALIVE, leader_since=ago(60))).stuck_jobs == 0


@pytest.mark.parametrize(
    ("rows", "observed", "without"),
    [
        (at("at work"), seeing(Sight.ALIVE), 0),
        (at("at work"), seeing(Sight.UNKNOWN), 1),
        (at("at work"), seeing(Sight.UNSEEN), 1),
        (at("at work"), seeing(None), 1),
        (at("at work"), BLIND, 0),
        (at("given up"), seeing(Sight.UNKNOWN), 0),
        (at("launched"), seeing(Sight.UNSEEN), 0),
        (at("waiting again"), seeing(None), 0),
    ],
)
def test_a_run_at_work_whose_worker_is_not_seen_has_no_pod(
    rows: JobRows, observed: Observed, without: int
) -> None:
    assert figures(rows, observed=observed).runs_without_pod == without


def test_what_still_runs_of_workers_that_are_gone_are_orphans() -> None:
    left = (Stray(worker_id="x", running=True, gpus=1), Stray(worker_id="y"))

    assert figures(observed=seeing(None, strays=left)).orphan_pods == 1


# --- phases of a launch


def phase(which: Phase, since: float, **fields: object) -> Observed:
    """What this leader sees of the worker of `at` in a phase."""
    sight = Observation(sight=Sight.ALIVE, identity="p1", phase=which)
    since_of = {} if which is Phase.PLACING else {"jr0w1": ago(since)}
    return seeing(None, sights={"jr0w1": sight}, phase_since=since_of, **fields)


def took(name: str, seconds: float) -> Took:
    """A phase of the worker of `at` that has ended."""
    return Took(pipeline="p", phase=name, seconds=seconds)


def test_the_phases_of_a_launch_follow_each_other() -> None:
    clock = LaunchClock()
    launched = at("created", created_at=ago(100))
    up = at("at work", created_at=ago(100), up_at=ago(20))
    moved = Contact(progressed_at=ago(5))
    moving = replace(up, runs=(replace(up.runs[0], progress=Progress(position_seconds=1.0)),))

    looks = [
        clock.measure((launched,), phase(Phase.PLACING, 0)),
        clock.measure((launched,), phase(Phase.PULLING, 90)),
        clock.measure((launched,), phase(Phase.PULLING, 90)),
        clock.measure((launched,), phase(Phase.STARTING, 30)),
        clock.measure((up,), phase(Phase.STARTING, 30)),
        clock.measure((moving,), phase(Phase.STARTING, 30, contacts={"jr0w1": moved})),
        clock.measure((moving,), phase(Phase.STARTING, 30, contacts={"jr0w1": moved})),
    ]

    assert looks == [
        [],
        [took("placed", 10)],
        [],
        [took("pulled", 60)],
        [took("started", 10)],
        [took("first_result", 15)],
        [],
    ]


def test_phases_between_two_looks_are_measured_as_far_as_they_are_known() -> None:
    clock = LaunchClock()
    up = at("at work", created_at=ago(100), up_at=ago(20))

    assert clock.measure((up,), seeing(Sight.ALIVE)) == [took("placed", 80)]


def test_workers_of_another_leader_and_those_that_are_gone_are_not_measured() -> None:
    clock = LaunchClock()
    launched = at("created", created_at=ago(100))

    assert clock.measure((launched,), phase(Phase.PULLING, 90, leader_since=ago(99))) == []
    assert clock.measure((at("gone"),), seeing(None)) == []


def test_a_worker_whose_launch_fails_is_measured_no_further() -> None:
    clock = LaunchClock()
    clock.measure((at("created"),), phase(Phase.PULLING, 80))

    assert clock.measure((at("given up"),), phase(Phase.STARTING, 70)) == []


def test_two_runs_of_a_job_are_told_apart() -> None:
    first, second = a_run(position=0), a_run(position=1, pipeline="q")
    rows = replace(
        a_job(first, second),
        workers=tuple(a_worker(run, created_at=ago(50)) for run in (first, second)),
    )
    sight = Observation(sight=Sight.ALIVE, phase=Phase.STARTING)
    since = {"jr0w1": ago(40), "jr1w1": ago(30)}
    observed = seeing(None, sights=dict.fromkeys(since, sight), phase_since=since)

    assert LaunchClock().measure((rows,), observed) == [
        Took(pipeline="p", phase="placed", seconds=10),
        Took(pipeline="q", phase="placed", seconds=20),
    ]
