"""What a worker is seen as in a cluster: each clause of the proof, and what is less than proof."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.recorded import recorded
from tests.fakes.workers import a_worker
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Worker, WorkerState
from videoannotator.scheduler.launchers.interface import Observation, Phase, Sight
from videoannotator.scheduler.launchers.kubernetes.looking import (
    SLOW_SECONDS,
    diagnosis_of,
    proved,
    sight_of,
)
from videoannotator.scheduler.launchers.kubernetes.sightings import Seen, State
from videoannotator.scheduler.launchers.kubernetes.tracing import Trace, found_again
from videoannotator.scheduler.launchers.kubernetes.views import (
    Condition,
    ContainerView,
    JobView,
    PodView,
)

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
BROKE = Failure(code=Code.PIPELINE_ERROR, message="It broke.")
RUNNING = (ContainerView(name="worker", state="running"),)
CREATING = (ContainerView(name="worker", state="waiting", reason="ContainerCreating"),)


def a_job(*conditions: str, **fields: Any) -> JobView:
    """A Kubernetes Job; `conditions` hold."""
    held = tuple(Condition(type=each, status="True") for each in conditions)
    values: dict[str, Any] = {"name": "va-p-w", "uid": "j1", "labels": {}, "annotations": {}}
    return JobView(**{**values, "conditions": held, "created_at": NOW, **fields})


def a_pod(phase: str = "Running", **fields: Any) -> PodView:
    """A pod that runs on a node."""
    values: dict[str, Any] = {"name": "va-p-w-x", "uid": "p1", "labels": {}, "annotations": {}}
    values |= {"node_name": "node-1", "pod_ip": "10.0.0.7", "job_name": "va-p-w"}
    values |= {"containers": RUNNING if phase == "Running" else (), "created_at": NOW}
    return PodView(**{**values, "phase": phase, **fields})


def departed(view: Any, state: State = State.DELETED) -> Seen[Any]:
    """Something that is not there any more."""
    return Seen(view=view, state=state, at=1.0)


LIVE, DONE, FAILED = a_job(active=1), a_job("Complete"), a_job("Failed")
GOING = a_job(deletion_timestamp=NOW)
ENDED, UNBOUND = a_pod("Failed"), a_pod("Pending", node_name="", pod_ip="")
DELETED_UNBOUND = replace(UNBOUND, deletion_timestamp=NOW)

LAUNCHING = a_worker()
CALLED = replace(LAUNCHING, identity="p1", state=WorkerState.UP)
STOPPING = replace(CALLED, state=WorkerState.STOPPING)
STOPPING_UNCALLED = replace(LAUNCHING, state=WorkerState.STOPPING)


def sight(worker: Worker, trace: Trace, now: datetime = NOW) -> Observation:
    """What it is seen as; nothing is diagnosed."""
    return sight_of(worker, trace, None, now)


# --- the proof, clause by clause


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        # each pod was last seen terminal, and the Kubernetes Job is finished ...
        (Trace(jobs=(FAILED,), pods=(ENDED,)), True),
        (Trace(jobs=(DONE,), pods=(a_pod("Succeeded"),)), True),
        # ... or is not there
        (Trace(pods=(ENDED,)), True),
        (Trace(departed_jobs=(departed(FAILED),), departed_pods=(departed(ENDED),)), True),
        # terminal counts also when the deletion itself was not seen
        (Trace(departed_pods=(departed(ENDED, State.VANISHED),)), True),
        # a Kubernetes Job that may still make pods, or is only on its way out
        (Trace(jobs=(LIVE,), pods=(ENDED,)), False),
        (Trace(jobs=(GOING,), departed_pods=(departed(ENDED),)), False),
        # a pod that runs, or may
        (Trace(jobs=(FAILED,), pods=(a_pod(),)), False),
        (Trace(pods=(UNBOUND,)), False),
        (Trace(pods=(replace(a_pod(), deletion_timestamp=NOW),)), False),
        # one pod of two
        (Trace(jobs=(FAILED,), pods=(ENDED, a_pod(uid="p2"))), False),
        (Trace(pods=(ENDED,), departed_pods=(departed(a_pod(uid="p2")),)), False),
        # deleted by force while it ran: its process may run on
        (Trace(jobs=(FAILED,), departed_pods=(departed(a_pod()),)), False),
        (Trace(departed_pods=(departed(a_pod(), State.VANISHED),)), False),
    ],
)
def test_gone_is_what_was_seen_to_end(trace: Trace, expected: bool) -> None:
    assert proved(STOPPING, trace) is expected
    assert (sight(STOPPING, trace).sight is Sight.GONE) is expected


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (departed(DELETED_UNBOUND), True),
        # nobody saw what became of it between two lists: it may have had a node
        (departed(DELETED_UNBOUND, State.VANISHED), False),
        # a label that is taken away looks like a deletion
        (departed(UNBOUND), False),
        (departed(replace(DELETED_UNBOUND, node_name="node-1")), False),
    ],
)
def test_a_pod_that_never_had_a_node_ran_nothing(pod: Seen[PodView], expected: bool) -> None:
    trace = Trace(departed_jobs=(departed(GOING),), departed_pods=(pod,))

    assert proved(STOPPING_UNCALLED, trace) is expected


def test_pods_that_nobody_saw_prove_nothing() -> None:
    assert not proved(STOPPING_UNCALLED, Trace())
    assert not proved(STOPPING_UNCALLED, Trace(jobs=(FAILED,)))
    assert not proved(STOPPING_UNCALLED, Trace(departed_jobs=(departed(GOING),)))


def test_the_pod_that_was_called_must_be_among_those_that_ended() -> None:
    another = a_pod("Failed", uid="p2")

    assert not proved(STOPPING, Trace(jobs=(FAILED,), pods=(another,)))
    assert proved(STOPPING_UNCALLED, Trace(jobs=(FAILED,), pods=(another,)))


# --- less than proof


@pytest.mark.parametrize(
    ("worker", "trace", "expected"),
    [
        (LAUNCHING, Trace(), Sight.UNSEEN),
        (CALLED, Trace(), Sight.UNKNOWN),
        (LAUNCHING, Trace(jobs=(LIVE,)), Sight.WAITING),
        (LAUNCHING, Trace(jobs=(LIVE,), pods=(UNBOUND,)), Sight.WAITING),
        (LAUNCHING, Trace(jobs=(LIVE,), pods=(a_pod("Pending", containers=CREATING),)), "alive"),
        (LAUNCHING, Trace(jobs=(LIVE,), pods=(a_pod(),)), Sight.ALIVE),
        (CALLED, Trace(jobs=(LIVE,), pods=(a_pod(),)), Sight.ALIVE),
        # a pod that outlives its Kubernetes Job works on
        (CALLED, Trace(departed_jobs=(departed(LIVE),), pods=(a_pod(),)), Sight.ALIVE),
        (CALLED, Trace(jobs=(LIVE,), pods=(ENDED,)), Sight.ENDED),
        # the Kubernetes Job has not noticed yet that its pod has ended
        (CALLED, Trace(jobs=(LIVE,), departed_pods=(departed(ENDED),)), Sight.ENDED),
        (CALLED, Trace(jobs=(LIVE,), departed_pods=(departed(a_pod()),)), Sight.UNKNOWN),
        (LAUNCHING, Trace(departed_jobs=(departed(LIVE),)), Sight.UNKNOWN),
        (LAUNCHING, Trace(jobs=(GOING,)), Sight.ENDED),
        (LAUNCHING, Trace(jobs=(FAILED,)), Sight.ENDED),
    ],
)
def test_what_is_there_and_what_is_not(worker: Worker, trace: Trace, expected: str) -> None:
    assert sight(worker, trace).sight == expected


def test_only_a_pod_that_runs_and_stays_is_called() -> None:
    alive = sight(LAUNCHING, Trace(jobs=(LIVE,), pods=(a_pod(),)))
    creating = sight(LAUNCHING, Trace(jobs=(LIVE,), pods=(a_pod("Pending", containers=CREATING),)))
    going = sight(LAUNCHING, Trace(jobs=(LIVE,), pods=(replace(a_pod(), deletion_timestamp=NOW),)))

    assert (alive.address, alive.identity) == ("10.0.0.7:50053", "p1")
    assert (creating.address, going.address) == (None, None)


def test_an_address_of_ipv6_is_written_as_one() -> None:
    assert sight(LAUNCHING, Trace(jobs=(LIVE,), pods=(a_pod(pod_ip="fd00::7"),))).address == (
        "[fd00::7]:50053"
    )


@pytest.mark.parametrize(
    ("trace", "phase"),
    [
        (Trace(jobs=(LIVE,)), Phase.PLACING),
        (Trace(jobs=(LIVE,), pods=(UNBOUND,)), Phase.PLACING),
        (Trace(jobs=(LIVE,), pods=(a_pod("Pending", containers=CREATING),)), Phase.PULLING),
        (Trace(jobs=(LIVE,), pods=(a_pod("Pending"),)), Phase.PULLING),
        (Trace(jobs=(LIVE,), pods=(a_pod(),)), Phase.STARTING),
    ],
)
def test_each_phase_of_a_start_is_told_apart(trace: Trace, phase: Phase) -> None:
    assert sight(LAUNCHING, trace).phase is phase


def test_what_it_waits_for_is_told_in_words() -> None:
    assert sight(LAUNCHING, Trace(jobs=(LIVE,))).detail == "waits for its pod"
    assert "place" in sight(LAUNCHING, Trace(jobs=(LIVE,), pods=(UNBOUND,))).detail
    assert sight(CALLED, Trace(jobs=(LIVE,), pods=(a_pod(),))).detail == ""


@pytest.mark.parametrize(("seconds", "expected"), [(-1, Sight.ALIVE), (0, Sight.UNKNOWN)])
def test_a_pod_that_outlives_its_grace_by_far_is_in_doubt(seconds: float, expected: Sight) -> None:
    grace_ends = NOW - timedelta(seconds=SLOW_SECONDS + seconds)
    trace = Trace(jobs=(GOING,), pods=(replace(a_pod(), deletion_timestamp=grace_ends),))

    assert sight(STOPPING, trace).sight is expected
    assert sight(CALLED, trace).sight is Sight.ALIVE  # nobody has asked for its end yet


def test_a_second_pod_does_not_hide_the_one_that_is_called() -> None:
    newer = a_pod(uid="p2", created_at=NOW + timedelta(seconds=9), pod_ip="10.0.0.8")
    both = Trace(jobs=(LIVE,), pods=(a_pod(), newer))

    assert sight(CALLED, both).identity == "p1"
    assert sight(LAUNCHING, both).identity == "p2"
    assert sight(CALLED, Trace(jobs=(LIVE,), pods=(newer,))).identity == "p2"


# --- a second look by name


@pytest.mark.parametrize("confirmed", [False, True])
def test_what_is_missing_is_in_doubt_until_it_was_looked_for_by_its_name(confirmed: bool) -> None:
    trace = Trace(jobs=(LIVE,), departed_pods=(departed(a_pod()),), confirmed=confirmed)

    assert sight(CALLED, trace).unsure is not confirmed


def test_what_a_look_by_name_finds_is_there_again() -> None:
    lost = Trace(departed_jobs=(departed(LIVE),), departed_pods=(departed(a_pod()),))

    again = found_again(lost, [LIVE], [a_pod()])

    assert sight(CALLED, again).sight is Sight.ALIVE
    assert (again.departed_jobs, again.departed_pods) == ((), ())


def test_that_no_pod_was_ever_seen_is_told() -> None:
    assert sight(LAUNCHING, Trace(departed_jobs=(departed(LIVE),))).never_ran
    assert sight(LAUNCHING, Trace(jobs=(FAILED,))).never_ran
    assert not sight(LAUNCHING, Trace(jobs=(LIVE,), departed_pods=(departed(a_pod()),))).never_ran


# --- why


@pytest.mark.parametrize(
    ("trace", "code"),
    [
        (Trace(), None),
        (Trace(jobs=(LIVE,), pods=(a_pod(),)), None),
        (Trace(jobs=(LIVE,), departed_pods=(departed(a_pod()),)), Code.POD_VANISHED),
        (
            Trace(departed_jobs=(departed(LIVE),), departed_pods=(departed(a_pod()),)),
            "JOB_VANISHED",
        ),
        (Trace(departed_jobs=(departed(LIVE),)), Code.JOB_VANISHED),
        (Trace(jobs=(GOING,), pods=(a_pod(),)), Code.DELETED_BY_OPERATOR),
        (Trace(departed_jobs=(departed(GOING),)), Code.DELETED_BY_OPERATOR),
        (
            Trace(departed_jobs=(departed(GOING),), departed_pods=(departed(a_pod()),)),
            Code.DELETED_BY_OPERATOR,
        ),
        (
            Trace(jobs=(LIVE,), pods=(replace(a_pod(), deletion_timestamp=NOW),)),
            Code.POD_VANISHED,
        ),
    ],
)
def test_who_deleted_what_decides_the_code(trace: Trace, code: str | None) -> None:
    found = diagnosis_of(CALLED, trace)

    assert (found and found.code) == code


@pytest.mark.parametrize("worker", [STOPPING, STOPPING_UNCALLED])
def test_what_we_delete_ourselves_is_nobodys_fault(worker: Worker) -> None:
    killed = a_pod(
        "Failed", containers=(ContainerView(name="worker", state="terminated", exit_code=137),)
    )

    assert diagnosis_of(worker, Trace(jobs=(GOING,), pods=(a_pod(),))) is None
    assert diagnosis_of(worker, Trace(departed_jobs=(departed(GOING),))) is None
    assert diagnosis_of(worker, Trace(jobs=(GOING,), pods=(killed,))) is None


def test_what_a_worker_says_itself_is_kept_although_we_ended_it() -> None:
    out = ContainerView(name="worker", state="terminated", reason="OOMKilled", exit_code=137)

    found = diagnosis_of(STOPPING, Trace(jobs=(GOING,), pods=(a_pod("Failed", containers=(out,)),)))

    assert found is not None
    assert found.code is Code.OOM_KILLED


def test_a_diagnosis_is_told_wherever_it_is_seen() -> None:
    for trace in (
        Trace(jobs=(LIVE,)),
        Trace(jobs=(LIVE,), pods=(UNBOUND,)),
        Trace(jobs=(LIVE,), pods=(a_pod(),)),
        Trace(jobs=(LIVE,), pods=(ENDED,)),
        Trace(jobs=(FAILED,), pods=(ENDED,)),
        Trace(jobs=(LIVE,), departed_pods=(departed(a_pod()),)),
        Trace(jobs=(FAILED,)),
    ):
        assert sight_of(CALLED, trace, BROKE, NOW).failure == BROKE


@pytest.mark.parametrize(("name", "silent"), [("node-silent", True), ("running", False)])
def test_a_node_that_the_cluster_does_not_hear_is_told(name: str, silent: bool) -> None:
    pod = recorded(name).pod
    assert pod is not None

    assert sight(a_worker(), Trace(pods=(pod,))).node_silent is silent
