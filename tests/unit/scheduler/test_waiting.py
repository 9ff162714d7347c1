"""Who goes next: order, limits, and a reason for everybody who waits."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.rows import NOW, POLICY, a_job, a_run, a_worker, abandoned, ago, ahead, wanting
from videoannotator.domain.jobs import Resources, RunState, WorkerState
from videoannotator.scheduler.actions import Wait
from videoannotator.scheduler.launchers.interface import Observation, Sight
from videoannotator.scheduler.observed import Observed
from videoannotator.scheduler.policy import Policy
from videoannotator.scheduler.reconcile import reconcile
from videoannotator.scheduler.waiting import Admitted, Held, admit, ordered, used, waiting
from videoannotator.store.rows import JobRows

NOTHING_SEEN = Observed(leader_since=ago(3600))
WIDE = replace(POLICY, max_workers=100, max_gpu_workers=100, unplaced_window=100)


def waits(job_id: str, *, owner: str = "ada", age: float = 100, gpus: int = 0, **job) -> JobRows:
    """A job with one run that waits."""
    pipeline = job.pop("pipeline", "p")
    run = a_run(job_id, created_at=ago(age), resources=Resources(gpus=gpus), pipeline=pipeline)
    return a_job(run, owner_id=owner, **job)


def holds(
    job_id: str,
    *,
    owner: str = "ada",
    state: WorkerState = WorkerState.UP,
    indices: tuple[int, ...] = (),
    gpus: int = 0,
    pipeline: str = "p",
) -> JobRows:
    """A job with one run that holds a slot."""
    run = a_run(
        job_id,
        state=RunState.RUNNING,
        resources=Resources(gpus=gpus or len(indices)),
        pipeline=pipeline,
    )
    worker = a_worker(run, state=state, gpus=indices)
    return replace(a_job(run, owner_id=owner), workers=(worker,))


def line(*rows: JobRows, policy: Policy = WIDE) -> list[str]:
    """The queue, as job ids."""
    use = used(rows, NOTHING_SEEN, WIDE)
    return [one.job.id for one in ordered(waiting(rows), use, policy, NOW)]


def handed(
    *rows: JobRows, policy: Policy = WIDE, observed: Observed = NOTHING_SEEN, closed: str = ""
) -> tuple[list[Admitted], list[Held]]:
    """What one tick hands out."""
    use = used(rows, observed, WIDE)
    queue = ordered(waiting(rows), use, policy, NOW)
    return admit(queue, use, policy, NOW, closed=closed)


def started(admitted: list[Admitted]) -> list[str]:
    """The jobs of what was handed out."""
    return [go.waiting.job.id for go in admitted]


# --- order


def test_older_runs_go_first() -> None:
    assert line(waits("b", age=10), waits("a", age=30), waits("c", age=20)) == ["a", "c", "b"]


def test_runs_of_one_job_go_in_the_order_they_were_asked_for() -> None:
    job = a_job(a_run("a", 0), a_run("a", 1), a_run("a", 2))

    queue = ordered(waiting((job,)), used((job,), NOTHING_SEEN, WIDE), WIDE, NOW)

    assert [one.run.position for one in queue] == [0, 1, 2]


def test_a_higher_priority_goes_before_an_older_run() -> None:
    assert line(waits("old", age=300), waits("urgent", priority=1, age=1)) == ["urgent", "old"]


def test_owners_take_turns() -> None:
    ada = [waits(f"a{place}", owner="ada", age=100 - place) for place in range(3)]
    bob = [waits(f"b{place}", owner="bob", age=50 - place) for place in range(2)]

    assert line(*ada, *bob) == ["a0", "b0", "a1", "b1", "a2"]


def test_who_holds_less_goes_first() -> None:
    rows = (holds("h1"), holds("h2"), waits("a", age=99), waits("b", owner="bob", age=1))

    assert line(*rows, waits("b2", owner="bob", age=0)) == ["b", "b2", "a"]


def test_what_an_owner_gets_in_a_higher_class_counts_in_the_next() -> None:
    rows = (
        waits("a1", priority=1),
        waits("a2", age=99),
        waits("b", owner="bob", age=1),
    )

    assert line(*rows) == ["a1", "b", "a2"]


@pytest.mark.parametrize(("waited", "first"), [(599, "urgent"), (600, "old"), (6000, "old")])
def test_waiting_lifts_a_run_by_one_class_for_each_ten_minutes(waited: float, first: str) -> None:
    rows = (waits("old", age=waited), waits("urgent", priority=1, age=1))

    assert line(*rows)[0] == first


def test_a_clock_that_went_back_lowers_nobody() -> None:
    assert line(waits("a", age=-3600), waits("b", age=1)) == ["b", "a"]


def test_what_shall_stop_waits_for_nothing() -> None:
    assert line(wanting(waits("a"), cancel=True), wanting(waits("b"), delete=True)) == []


# --- limits


@pytest.mark.parametrize(
    ("change", "rows", "reason"),
    [
        ({"max_workers": 1}, [holds("h")], "waiting for a slot: 1 of 1 in use"),
        (
            {"max_workers": 1},
            [holds("h", state=WorkerState.STOPPING)],
            "waiting for a slot: 1 of 1 in use, 1 stopping",
        ),
        (
            {"max_workers_per_owner": 1},
            [holds("h")],
            "waits for another run of the same owner: 1 at a time",
        ),
        (
            {"max_workers_per_pipeline": {"p": 1}},
            [holds("h")],
            "waits for another run of p: 1 at a time",
        ),
        ({"max_workers_per_pipeline": {"p": 0}}, [], "waits for another run of p: 0 at a time"),
        (
            {"unplaced_window": 1},
            [holds("h", state=WorkerState.LAUNCHING)],
            "waits until the workers before it have a place",
        ),
    ],
)
def test_each_limit_holds_a_run_back_and_says_so(
    change: dict[str, object], rows: list[JobRows], reason: str
) -> None:
    policy = replace(WIDE, **change)

    admitted, held = handed(*rows, waits("a"), policy=policy)

    assert admitted == []
    assert [(one.position, one.reason) for one in held] == [(1, reason)]


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ({"max_workers": 2}, [holds("h")]),
        ({"max_workers": 1}, [abandoned(holds("h"))]),
        ({"max_workers": 1}, [holds("h", state=WorkerState.GONE)]),
        ({"max_workers_per_owner": 1}, [holds("h", owner="bob")]),
        ({"max_workers_per_owner": 0}, [holds("h"), holds("h2")]),
        ({"max_workers_per_pipeline": {"p": 1}}, [holds("h", pipeline="q")]),
        ({"max_gpu_workers": 0}, [holds("h", gpus=1)]),
        ({"unplaced_window": 1}, [holds("h", state=WorkerState.UP)]),
    ],
)
def test_a_limit_holds_back_only_what_it_is_for(
    change: dict[str, object], rows: list[JobRows]
) -> None:
    admitted, held = handed(*rows, waits("a"), policy=replace(WIDE, **change))

    assert started(admitted) == ["a"]
    assert held == []


def test_what_is_handed_out_counts_at_once() -> None:
    admitted, held = handed(
        waits("a", age=3), waits("b", age=2), waits("c", age=1), policy=replace(WIDE, max_workers=2)
    )

    assert started(admitted) == ["a", "b"]
    assert [one.reason for one in held] == ["waiting for a slot: 2 of 2 in use"]


def test_the_back_off_is_waited_for_without_a_slot() -> None:
    rows = waits("a")
    again = replace(rows, runs=(replace(rows.runs[0], not_before=ahead(1)),))

    admitted, held = handed(again, waits("b"))

    assert started(admitted) == ["b"]
    assert [one.reason for one in held] == ["waits before the next try"]


def test_nothing_starts_while_the_scheduler_is_closed() -> None:
    admitted, held = handed(waits("a"), waits("b"), closed="draining")

    assert admitted == []
    assert [(one.position, one.reason) for one in held] == [(1, "draining"), (2, "draining")]


# --- GPUs


def test_gpu_indices_are_the_lowest_that_no_row_names() -> None:
    policy = replace(WIDE, local_gpus=4)

    admitted, held = handed(
        holds("h", indices=(1,)),
        holds("s", indices=(0,), state=WorkerState.STOPPING),
        waits("a", gpus=1, age=3),
        waits("b", gpus=1, age=2),
        waits("c", gpus=1, age=1),
        policy=policy,
    )

    assert [(go.waiting.job.id, go.gpus) for go in admitted] == [("a", (2,)), ("b", (3,))]
    assert [one.reason for one in held] == ["waiting for a GPU: 4 of 4 in use, 1 stopping"]


def test_the_limit_of_gpu_workers_holds_gpu_runs_alone() -> None:
    admitted, held = handed(
        holds("h", gpus=1),
        waits("g", gpus=1),
        waits("c", age=1),
        policy=replace(WIDE, max_gpu_workers=1),
    )

    assert started(admitted) == ["c"]
    assert [one.reason for one in held] == ["waiting for a GPU: 1 of 1 in use"]


@pytest.mark.parametrize("local_gpus", [None, 0])
def test_without_gpus_of_our_own_none_is_named(local_gpus: int | None) -> None:
    admitted, _ = handed(waits("a", gpus=2), policy=replace(WIDE, local_gpus=local_gpus))

    assert [go.gpus for go in admitted] == [()]


# --- places


def unplaced(job_id: str, gpus: int) -> JobRows:
    return holds(job_id, state=WorkerState.LAUNCHING, gpus=gpus)


@pytest.mark.parametrize(
    ("sight", "goes"),
    [(Sight.UNSEEN, False), (Sight.WAITING, False), (Sight.ALIVE, True), (Sight.ENDED, True)],
)
def test_a_worker_is_placed_once_the_cluster_shows_it_at_work(sight: Sight, goes: bool) -> None:
    observed = replace(NOTHING_SEEN, sights={"hr0w1": Observation(sight=sight)})
    policy = replace(WIDE, unplaced_window=1)

    admitted, _ = handed(unplaced("h", 0), waits("a"), policy=policy, observed=observed)

    assert started(admitted) == (["a"] if goes else [])


def test_a_shape_that_cannot_be_placed_blocks_no_other() -> None:
    stuck = [unplaced("s1", 8), unplaced("s2", 8)]
    older = [waits(f"w{place}", gpus=8, age=500) for place in range(5)]

    admitted, held = handed(
        *stuck, *older, waits("one", gpus=1), waits("cpu"), policy=replace(WIDE, unplaced_window=2)
    )

    assert sorted(started(admitted)) == ["cpu", "one"]
    assert len(held) == 5


# --- for any queue

pipelines, owners = st.sampled_from("pq"), st.sampled_from(["ada", "bob", "eve"])
queued = st.builds(
    lambda owner, gpus, priority, age, pipeline: (
        lambda name: waits(
            name, owner=owner, gpus=gpus, priority=priority, age=age, pipeline=pipeline
        )
    ),
    owners,
    st.integers(0, 3),
    st.integers(-1, 1),
    st.integers(0, 2000),
    pipelines,
)
at_work = st.builds(
    lambda owner, gpus, state, pipeline: (
        lambda name: holds(name, owner=owner, gpus=gpus, state=state, pipeline=pipeline)
    ),
    owners,
    st.integers(0, 2),
    st.sampled_from(WorkerState),
    pipelines,
)
jobs = st.lists(queued | at_work, max_size=14).map(
    lambda made: tuple(make(f"j{place:02}") for place, make in enumerate(made))
)
policies = st.builds(
    Policy,
    max_workers=st.integers(0, 6),
    max_gpu_workers=st.integers(0, 4),
    max_workers_per_owner=st.integers(0, 3),
    max_workers_per_pipeline=st.sampled_from([{}, {"p": 1}, {"p": 0, "q": 2}]),
    local_gpus=st.sampled_from([None, 0, 2, 4]),
    unplaced_window=st.integers(0, 3),
)


@settings(max_examples=60)
@given(jobs, policies)
def test_there_are_never_more_than_the_limits(rows: tuple[JobRows, ...], policy: Policy) -> None:
    before, after = used(rows, NOTHING_SEEN, WIDE), used(rows, NOTHING_SEEN, WIDE)

    admitted, _ = admit(ordered(waiting(rows), after, policy, NOW), after, policy, NOW)

    given_out = Counter(go.waiting.job.owner_id for go in admitted)
    of_pipeline = Counter(go.waiting.run.pipeline for go in admitted)
    with_gpu = sum(go.waiting.run.resources.gpus > 0 for go in admitted)
    shapes = Counter(go.waiting.run.resources.gpus for go in admitted)
    assert not admitted or before.workers + len(admitted) <= policy.max_workers
    assert not with_gpu or before.gpu_workers + with_gpu <= policy.max_gpu_workers
    for owner in given_out if policy.max_workers_per_owner else ():
        assert before.owners[owner] + given_out[owner] <= policy.max_workers_per_owner
    for name, most in policy.max_workers_per_pipeline.items():
        assert not of_pipeline[name] or before.pipelines[name] + of_pipeline[name] <= most
    for gpus, count in shapes.items():
        assert before.unplaced[gpus] + count <= policy.unplaced_window


@settings(max_examples=60)
@given(jobs, policies)
def test_no_gpu_is_given_twice_and_everybody_gets_as_many_as_asked(
    rows: tuple[JobRows, ...], policy: Policy
) -> None:
    admitted, _ = handed(*rows, policy=policy)

    indices = [index for go in admitted for index in go.gpus]
    assert len(indices) == len(set(indices))
    if policy.local_gpus:
        assert set(indices) <= set(range(policy.local_gpus))
        assert all(len(go.gpus) == go.waiting.run.resources.gpus for go in admitted)


@settings(max_examples=60)
@given(jobs, policies)
def test_every_waiting_run_starts_or_has_a_place_and_a_reason(
    rows: tuple[JobRows, ...], policy: Policy
) -> None:
    admitted, held = handed(*rows, policy=policy)

    everybody = sorted(one.run.id for one in waiting(rows))
    assert sorted(one.waiting.run.id for one in [*admitted, *held]) == everybody
    assert [one.position for one in held] == list(range(1, len(held) + 1))
    assert all(one.reason for one in held)


@settings(max_examples=60)
@given(jobs, policies)
def test_what_is_told_already_is_not_written_again(
    rows: tuple[JobRows, ...], policy: Policy
) -> None:
    told = {
        action.run_id: action
        for action in reconcile(NOTHING_SEEN, rows, policy, NOW)
        if isinstance(action, Wait)
    }
    written = tuple(
        replace(
            job,
            runs=tuple(
                replace(
                    run,
                    waiting_reason=told[run.id].reason,
                    queue_position=told[run.id].position,
                )
                if run.id in told
                else run
                for run in job.runs
            ),
        )
        for job in rows
    )

    again = reconcile(NOTHING_SEEN, written, policy, NOW)

    assert not any(isinstance(action, Wait) for action in again)
