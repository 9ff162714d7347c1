"""The public state of a job for every mix of its runs and of what is wanted."""

from dataclasses import replace
from itertools import combinations_with_replacement, permutations

import pytest

from tests.fakes.rows import NOW, a_run, ago
from videoannotator.domain.errors import IllegalTransition
from videoannotator.domain.jobs import (
    JOB_FINAL,
    RUN_ACTIVE,
    RUN_FINAL,
    RUN_TRANSITIONS,
    WORKER_TRANSITIONS,
    JobState,
    Progress,
    Run,
    RunState,
    Wants,
    WorkerState,
    check_run,
    check_worker,
    job_error,
    job_state,
)

P, S, R, C = RunState.PENDING, RunState.STARTING, RunState.RUNNING, RunState.CANCELLING
OK, BAD, OFF = RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED
WANTED, CANCEL, DELETE = (
    Wants(),
    Wants(cancel_requested_at=NOW),
    Wants(delete_requested_at=NOW),
)
MIXES = [
    frozenset(mix) for count in (1, 2, 3) for mix in combinations_with_replacement(RunState, count)
]


def runs(*states: RunState) -> list[Run]:
    """A job's runs; what is at work, or has been, was started."""
    return [
        a_run(position=place, state=state, started_at=None if state is P else ago(9))
        for place, state in enumerate(states)
    ]


@pytest.mark.parametrize(
    ("states", "wanted", "stopped"),
    [
        # one pipeline
        ([P], JobState.PENDING, JobState.CANCELLING),
        ([S], JobState.RUNNING, JobState.CANCELLING),
        ([R], JobState.RUNNING, JobState.CANCELLING),
        ([C], JobState.RUNNING, JobState.CANCELLING),  # an operator ended it, not the user
        ([OK], JobState.COMPLETED, JobState.COMPLETED),  # the cancel came after the success
        ([BAD], JobState.FAILED, JobState.FAILED),  # or after the failure
        ([OFF], JobState.CANCELLED, JobState.CANCELLED),
        # several, not all ended
        ([P, P], JobState.PENDING, JobState.CANCELLING),
        ([P, S], JobState.RUNNING, JobState.CANCELLING),
        ([P, R], JobState.RUNNING, JobState.CANCELLING),
        ([P, OK], JobState.RUNNING, JobState.CANCELLING),
        ([P, BAD], JobState.RUNNING, JobState.CANCELLING),
        ([P, OFF], JobState.RUNNING, JobState.CANCELLING),
        ([R, OK], JobState.RUNNING, JobState.CANCELLING),
        ([R, OFF], JobState.RUNNING, JobState.CANCELLING),
        ([C, OK], JobState.RUNNING, JobState.CANCELLING),
        ([C, OFF], JobState.RUNNING, JobState.CANCELLING),
        # several, all ended
        ([OK, OK], JobState.COMPLETED, JobState.COMPLETED),
        ([OK, BAD], JobState.COMPLETED, JobState.COMPLETED),
        ([BAD, BAD], JobState.FAILED, JobState.FAILED),
        ([OFF, OFF], JobState.CANCELLED, JobState.CANCELLED),
        ([OK, OFF], JobState.COMPLETED, JobState.CANCELLED),
        ([BAD, OFF], JobState.FAILED, JobState.CANCELLED),
        ([OK, BAD, OFF], JobState.COMPLETED, JobState.CANCELLED),
    ],
)
def test_the_state_of_a_job_follows_from_its_runs_and_wants(
    states: list[RunState], wanted: JobState, stopped: JobState
) -> None:
    for order in permutations(runs(*states)):
        assert job_state(order, WANTED) is wanted
        assert job_state(order, CANCEL) is stopped
        assert job_state(order, DELETE) is stopped


@pytest.mark.parametrize("wants", [WANTED, CANCEL, DELETE], ids=["wanted", "cancel", "delete"])
def test_a_job_is_final_when_all_its_runs_are(wants: Wants) -> None:
    for mix in MIXES:
        made = job_state(runs(*mix), wants)

        assert (made in JOB_FINAL) is (mix <= RUN_FINAL), mix


def test_a_job_is_cancelling_only_while_somebody_asked_for_it() -> None:
    for mix in MIXES:
        assert job_state(runs(*mix), WANTED) is not JobState.CANCELLING
        assert (job_state(runs(*mix), CANCEL) is JobState.CANCELLING) is not (mix <= RUN_FINAL)


def test_a_run_that_waits_for_its_next_try_has_begun() -> None:
    again = replace(a_run(), started_at=ago(9))

    assert job_state([again], WANTED) is JobState.RUNNING


@pytest.mark.parametrize(
    ("states", "error"),
    [
        ([OK, OK], None),
        ([OFF], None),
        ([P, R], None),
        ([BAD], "All pipelines failed. Check pipeline results for details."),
        ([BAD, BAD], "All pipelines failed. Check pipeline results for details."),
        ([OK, BAD], "Completed with errors. Failed pipelines: p1"),
        ([BAD, OK, BAD], "Completed with errors. Failed pipelines: p0, p2"),
    ],
)
def test_the_runs_that_failed_are_named(states: list[RunState], error: str | None) -> None:
    named = [replace(run, pipeline=f"p{run.position}") for run in runs(*states)]

    assert job_error(named) == error


# --- the tables of transitions


def test_every_state_of_a_run_has_its_row_and_the_final_ones_lead_nowhere() -> None:
    assert set(RUN_TRANSITIONS) == set(RunState)
    assert {old for old, new in RUN_TRANSITIONS.items() if not new} == RUN_FINAL
    assert not RUN_ACTIVE & RUN_FINAL


def test_every_state_of_a_worker_has_its_row_and_can_go_straight_to_gone() -> None:
    living = set(WorkerState) - {WorkerState.GONE}

    assert set(WORKER_TRANSITIONS) == set(WorkerState)
    assert {old for old, new in WORKER_TRANSITIONS.items() if WorkerState.GONE in new} == living
    assert not WORKER_TRANSITIONS[WorkerState.GONE]


@pytest.mark.parametrize(
    ("table", "first"),
    [(RUN_TRANSITIONS, RunState.PENDING), (WORKER_TRANSITIONS, WorkerState.LAUNCHING)],
    ids=["run", "worker"],
)
def test_every_state_is_reached_from_the_first_and_leads_to_an_end(table, first) -> None:  # type: ignore[no-untyped-def]
    ends = {state for state, after in table.items() if not after}
    reached = {first}
    while new := {after for state in reached for after in table[state]} - reached:
        reached |= new

    leading = set(ends)
    while more := {s for s, after in table.items() if after & leading} - leading:
        leading |= more

    assert reached == set(table)
    assert leading == set(table)


def test_only_what_the_table_allows_is_allowed() -> None:
    legal = {
        (P, S), (P, C), (P, OFF),
        (S, R), (S, P), (S, C), (S, OK), (S, BAD), (S, OFF),
        (R, P), (R, C), (R, OK), (R, BAD), (R, OFF),
        (C, OFF), (C, OK), (C, BAD),
    }  # fmt: skip

    for old in RunState:
        for new in RunState:
            if (old, new) in legal:
                check_run(old, new)
            else:
                with pytest.raises(IllegalTransition):
                    check_run(old, new)


def test_a_worker_never_comes_back() -> None:
    order = list(WorkerState)

    for old in WorkerState:
        for new in WorkerState:
            if order.index(new) > order.index(old):
                check_worker(old, new)
            else:
                with pytest.raises(IllegalTransition):
                    check_worker(old, new)


# --- progress


@pytest.mark.parametrize(
    ("position", "duration", "rate", "fraction", "eta"),
    [
        (0, 0, 0, 0.0, None),
        (5, 0, 2, 0.0, None),
        (5, 10, 0, 0.5, None),
        (5, 10, 2, 0.5, 2.5),
        (12, 10, 2, 1.0, 0.0),
        (-1, 10, 2, 0.0, 5.5),
    ],
)
def test_progress_is_media_time(
    position: float, duration: float, rate: float, fraction: float, eta: float | None
) -> None:
    told = Progress(position_seconds=position, duration_seconds=duration, rate=rate)

    assert (told.fraction, told.eta_seconds) == (fraction, eta)
