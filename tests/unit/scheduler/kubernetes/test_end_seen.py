"""What one leader saw of a worker's end is worth the same to the next one, who sees nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.stage import NAMESPACE, RELEASE, so, until_seen
from tests.fakes.rows import LATE, NOW, POLICY, ago, at, kinds, seeing, wanting
from tests.fakes.stages import look, stopping
from videoannotator.domain.jobs import Worker, WorkerState
from videoannotator.scheduler import changes
from videoannotator.scheduler.actions import Dismiss, MarkEnded
from videoannotator.scheduler.launchers.interface import Sight
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.launcher import (
    KubernetesLauncher,
    Terms,
    name_in,
)
from videoannotator.scheduler.observed import Observed
from videoannotator.scheduler.proof import proved_gone
from videoannotator.scheduler.reconcile import reconcile
from videoannotator.store.rows import JobRows

W = "jr0w1"
PATIENT = replace(POLICY, own_end_seconds=15.0)  # the worker of `at` is stopping since 10 s
NEW_LEADER = {"leader_since": ago(5)}


def asked(rows: JobRows, observed: Observed) -> list[str]:
    """The steps of one look that concern the worker."""
    found = kinds(reconcile(observed, (rows,), PATIENT, NOW))
    return [each for each in found if each not in ("Examine", "Settle")]


# --- what was seen is written down


def test_an_end_that_is_seen_while_a_create_may_still_land_is_written_before_the_deletion() -> None:
    rows = at("succeeded, worker ends", create_sent_at=ago(30))
    saw = seeing(Sight.GONE, **NEW_LEADER)

    first = asked(rows, saw)
    made = changes.decide(MarkEnded(job_id="j", worker_id=W), rows, POLICY.retry, NOW, 0.5)

    assert first == ["MarkEnded"]
    assert made is not None
    assert made.workers[0].end_seen_at == NOW
    assert asked(replace(rows, workers=made.workers), saw) == ["Terminate"]


@pytest.mark.parametrize(
    "rows", [at("at work"), at("gone"), at("given up", end_seen_at=ago(3))], ids=str
)
def test_an_end_is_written_once_and_only_of_a_worker_that_stops(rows: JobRows) -> None:
    assert changes.mark_ended(rows, W, NOW) is None


# --- what was written is worth a proof


@pytest.mark.parametrize(
    ("sight", "sent", "end_seen", "proved"),
    [
        (Sight.UNKNOWN, LATE + 1, True, True),
        (Sight.UNSEEN, LATE + 1, True, True),
        (Sight.UNKNOWN, LATE + 1, False, False),
        (Sight.UNKNOWN, LATE - 1, True, False),  # a create may still land
        (Sight.ALIVE, LATE + 1, True, False),  # one did
        (Sight.WAITING, LATE + 1, True, False),
    ],
)
def test_a_later_leader_believes_what_was_seen(
    sight: Sight, sent: float, end_seen: bool, proved: bool
) -> None:
    seen_at = ago(20) if end_seen else None
    worker = at("given up", create_sent_at=ago(sent), end_seen_at=seen_at).workers[0]
    observed = seeing(sight, **NEW_LEADER)

    assert proved_gone(worker, observed.sights[W], observed, POLICY, NOW) is proved


@pytest.mark.parametrize(
    "blind", [{"trouble": "the cluster does not answer"}, {"complete_until": ago(30)}], ids=str
)
def test_it_must_see_that_nothing_has_come_since(blind: dict[str, object]) -> None:
    worker = at("given up", create_sent_at=ago(LATE + 10), end_seen_at=ago(20)).workers[0]
    observed = seeing(Sight.UNKNOWN, **NEW_LEADER, **blind)

    assert not proved_gone(worker, observed.sights[W], observed, POLICY, NOW)


# --- a worker that told its end is given the time to end by itself


@pytest.mark.parametrize(
    ("rows", "sight", "step"),
    [
        (at("succeeded, worker ends"), Sight.ALIVE, "Dismiss"),
        (at("succeeded, worker ends"), Sight.ENDED, "Dismiss"),
        (at("waiting, old one ends"), Sight.ALIVE, "Dismiss"),
        (at("succeeded, worker ends", stopping_at=ago(16)), Sight.ALIVE, "Terminate"),
        (at("given up"), Sight.ALIVE, "Terminate"),
        (wanting(at("cancelling, reported"), cancel=True), Sight.ALIVE, "Terminate"),
    ],
)
def test_only_who_told_its_end_is_waited_for(rows: JobRows, sight: Sight, step: str) -> None:
    ends = asked(rows, seeing(sight))

    assert [each for each in ends if each in ("Dismiss", "Terminate")] == [step]


def test_a_worker_that_is_dismissed_changes_no_row() -> None:
    dismiss = Dismiss(job_id="j", worker_id=W)

    assert changes.decide(dismiss, at("reported"), POLICY.retry, NOW, 0.5) is None


# --- on a cluster


async def test_the_next_leader_sees_nothing_of_what_this_one_saw_and_deleted(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker, tmp_path: Path
) -> None:
    await made.create(worker)
    pod = fake.pod_of(name_in(worker))
    fake.place(pod)
    fake.run(pod)
    await until_seen(made, worker, sight=Sight.ALIVE)
    seen = await look(made, worker)
    called = stopping(replace(worker, identity=seen.identity, create_sent_at=ago(LATE + 10)))
    await made.terminate(called)
    await until_seen(made, called, sight=Sight.GONE)

    client = await Cluster.open(NAMESPACE, fake.kubeconfig(tmp_path))
    following = KubernetesLauncher(client, Terms(release=RELEASE))
    await following.start(lambda: None)
    await so(lambda: not following.watch().trouble)
    now_seen = await look(following, called)
    await following.close()

    assert now_seen.sight is Sight.UNKNOWN
    observed = Observed(leader_since=ago(5), sights={called.id: now_seen})
    told = replace(called, end_seen_at=ago(20), state=WorkerState.STOPPING)
    assert not proved_gone(called, now_seen, observed, POLICY, NOW)
    assert proved_gone(told, now_seen, observed, POLICY, NOW)
