"""The launcher over a cluster whose every step the test makes: terminate, what is left, doubts."""

import time
from pathlib import Path

import pytest

from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.faults import Hold
from tests.fakes.kube.stage import NAMESPACE, RELEASE, at_work, so, until_seen, worker_of_cluster
from tests.fakes.stages import stopping
from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers.interface import Sight
from videoannotator.scheduler.launchers.kubernetes import ending, launcher
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.launcher import (
    BODY,
    KubernetesLauncher,
    Terms,
    name_in,
)
from videoannotator.scheduler.launchers.kubernetes.watching import Timing

# --- terminate


async def test_first_the_kubernetes_job_then_its_pods_each_by_its_uid(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await at_work(fake, made, worker)
    fake.kubelet_obeys = False
    uids = [
        fake.job(name_in(worker))["metadata"]["uid"],
        fake.pods(name_in(worker))[0]["metadata"]["uid"],
    ]

    await made.terminate(stopping(worker))

    sent = [each for each in fake.requests if each.kind.startswith("delete-")]
    assert [each.kind for each in sent][:1] == ["delete-jobs"]
    assert sent[0].body["propagationPolicy"] == "Foreground"
    assert {each.body["preconditions"]["uid"] for each in sent} <= set(uids)
    assert "deletionTimestamp" in fake.pods(name_in(worker))[0]["metadata"]


async def test_pods_that_a_kubernetes_job_left_behind_are_deleted_too(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await at_work(fake, made, worker)
    fake.objects.remove("jobs", name_in(worker))

    await made.terminate(stopping(worker))

    assert fake.count("delete-pods") == 1
    await until_seen(made, stopping(worker), sight=Sight.GONE)


async def test_a_create_that_no_watch_has_told_of_is_deleted_by_its_name(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    held = Hold()
    fake.faults.add("watch-jobs", held, times=9)
    fake.server.close_watches()
    other = KubernetesLauncher(made._cluster, Terms(release=RELEASE))
    await other.create(worker)

    await made.terminate(stopping(worker))
    held.release()

    assert fake.count("delete-jobs") == 1


async def test_a_stranger_under_our_name_is_left_alone(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker_of_cluster())
    theirs = worker_of_cluster()
    body = {**theirs.body[BODY], "metadata": {**theirs.body[BODY]["metadata"], "annotations": {}}}
    fake.create("jobs", body)

    await made.terminate(stopping(theirs))

    assert fake.count("delete-jobs") == 0


async def test_a_wish_that_is_repeated_is_looked_after_now_and_then(
    fake: FakeCluster,
    made: KubernetesLauncher,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await made.create(worker)
    fake.kubelet_obeys = False
    pod = fake.pod_of(name_in(worker))
    fake.place(pod)
    fake.run(pod)
    await until_seen(made, worker, sight=Sight.ALIVE)

    for _ in range(20):
        await made.terminate(stopping(worker))
    once = fake.count("list-pods")
    monkeypatch.setattr(ending, "AGAIN_SECONDS", 0.0)
    await made.terminate(stopping(worker))

    assert fake.count("list-pods") == once + 1
    assert fake.count("delete-jobs") == 1


async def test_the_log_of_a_pod_is_kept_when_it_is_deleted(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker)
    pod = fake.pod_of(name_in(worker))
    fake.place(pod)
    fake.run(pod)
    fake.logs[pod] = "one\ntwo\nthree\n"
    await until_seen(made, worker, sight=Sight.ALIVE)

    await made.terminate(stopping(worker))
    await until_seen(made, stopping(worker), sight=Sight.GONE)

    assert fake.pods(name_in(worker)) == []
    assert await made.logs(worker, 2) == ["two", "three"]


# --- what is left over


async def test_what_no_row_names_is_left_over_and_charged_while_it_runs(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "AGAIN_SECONDS", 0.0)
    await made.create(worker)
    fake.place(fake.pod_of(name_in(worker)))
    await until_seen(made, worker, sight=Sight.ALIVE)
    known = made.watch().strays

    await made.observe([])
    (stray,) = made.watch().strays
    await made.clear(stray.worker_id)

    assert known == ()
    assert (stray.worker_id, stray.running) == (worker.id, True)
    await so(lambda: not fake.objects.all("jobs") and not fake.objects.all("pods"))


async def test_what_has_ended_is_removed_a_little_later(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made.create(worker)
    fake.finish(fake.pod_of(name_in(worker)), 0)
    await until_seen(made, worker, sight=Sight.GONE)

    await made.observe([])
    at_once = made.watch().strays
    monkeypatch.setattr(launcher, "LEFT_OVER_SECONDS", 0.0)
    (later,) = made.watch().strays

    assert at_once == ()
    assert (later.worker_id, later.running) == (worker.id, False)


async def test_what_is_not_there_any_more_is_forgotten_with_its_row(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker)
    fake.place(fake.pod_of(name_in(worker)))
    await until_seen(made, worker, sight=Sight.ALIVE)
    await made.terminate(stopping(worker))
    await until_seen(made, stopping(worker), sight=Sight.GONE)
    kept = len(made._pods.departed)

    await made.observe([])

    assert (kept, len(made._pods.departed), len(made._jobs.departed)) == (1, 0, 0)


# --- how well it sees


async def test_a_cluster_that_does_not_answer_is_trouble_with_a_reason(tmp_path: Path) -> None:
    fake = FakeCluster()
    async with fake:
        config = fake.kubeconfig(tmp_path)
    found = KubernetesLauncher(await Cluster.open(NAMESPACE, config), Terms(release=RELEASE))
    await found.start(lambda: None)

    await so(lambda: "cannot be reached" in found.watch().trouble)

    assert found.watch().gapless_seconds == 0.0
    await found.close()


async def test_a_watch_that_hears_nothing_for_two_minutes_is_stale_until_it_hears_again(
    fake: FakeCluster, tmp_path: Path
) -> None:
    late = [0.0]
    client = await Cluster.open(NAMESPACE, fake.kubeconfig(tmp_path))
    terms = Terms(release=RELEASE, clock=lambda: time.monotonic() + late[0])
    found = KubernetesLauncher(client, terms)
    await found.start(lambda: None)
    await so(lambda: not found.watch().trouble)

    late[0] = Timing().fresh_seconds - 60
    young = found.watch().trouble
    late[0] = Timing().fresh_seconds + 1
    stale = found.watch().trouble
    late[0] = 0.0

    assert (young, bool(stale), found.watch().trouble) == ("", True, "")
    await found.close()


async def test_it_sees_without_a_gap_since_its_first_list(
    fake: FakeCluster, made: KubernetesLauncher
) -> None:
    first = made.watch().gapless_seconds
    later = made.watch().gapless_seconds

    assert first is not None
    assert later is not None
    assert 0 < first <= later


async def test_a_change_in_the_cluster_rings(
    fake: FakeCluster, tmp_path: Path, worker: Worker
) -> None:
    rings: list[int] = []
    client = await Cluster.open(NAMESPACE, fake.kubeconfig(tmp_path))
    found = KubernetesLauncher(client, Terms(release=RELEASE))
    await found.start(lambda: rings.append(1))
    await so(lambda: len(rings) == 2)

    await found.create(worker)

    await so(lambda: len(rings) > 2)
    await found.close()
