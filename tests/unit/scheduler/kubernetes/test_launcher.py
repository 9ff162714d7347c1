"""The launcher over a cluster whose every step the test makes: create, and look."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.faults import BROKEN, BUSY, NO_RIGHT, QUOTA, Drop, Refuse
from tests.fakes.kube.stage import at_work, so, until_seen, worker_of_cluster
from tests.fakes.stages import look, until
from videoannotator.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitReached,
    Unavailable,
)
from videoannotator.domain.failures import Code
from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers.interface import Phase, Sight
from videoannotator.scheduler.launchers.kubernetes import launcher, names
from videoannotator.scheduler.launchers.kubernetes.launcher import (
    BODY,
    KubernetesLauncher,
    name_in,
)

# --- create


async def test_exactly_the_stored_body_is_posted(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker)

    (posted,) = [each.body for each in fake.requests if each.kind == "create-jobs"]
    assert posted == worker.body[BODY]


async def test_what_was_just_made_is_not_made_again_while_the_watch_is_behind(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    fake.makes_pods = False

    await made.create(worker)
    at_once = (await made.observe([worker]))[worker.id]

    assert (at_once.sight, at_once.phase) == (Sight.WAITING, Phase.PLACING)


@pytest.mark.parametrize(
    "fault",
    [Drop(committed=True), replace(BROKEN, committed=True), replace(BUSY, committed=True)],
)
async def test_a_create_that_landed_without_an_answer_is_found_by_its_name(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker, fault: Any
) -> None:
    fake.faults.add("create-jobs", fault)

    await made.create(worker)

    assert len(fake.objects.all("jobs")) == 1
    assert fake.count("get-jobs") == 1


@pytest.mark.parametrize("fault", [Drop(), BROKEN, BUSY])
async def test_a_create_that_did_not_land_is_repeated_under_the_same_name(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker, fault: Any
) -> None:
    fake.faults.add("create-jobs", fault)

    with pytest.raises(Unavailable):
        await made.create(worker)
    await made.create(worker)

    sent = [each.body["metadata"]["name"] for each in fake.requests if each.kind == "create-jobs"]
    assert sent == [name_in(worker)] * 2
    assert len(fake.objects.all("jobs")) == 1


async def test_a_create_whose_outcome_cannot_be_asked_for_is_unknown(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    fake.faults.add("create-jobs", Drop(committed=True))
    fake.faults.add("get-jobs", Drop())

    with pytest.raises(Unavailable):
        await made.create(worker)


@pytest.mark.parametrize("change", ["annotation", "spec", "deletion"])
async def test_only_our_own_kubernetes_job_is_adopted_and_none_that_is_being_deleted(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker, change: str
) -> None:
    await made.create(worker)
    fake.objects.change("jobs", name_in(worker), lambda it: _altered(it["metadata"], change))

    with pytest.raises(Conflict, match="name"):
        await made.create(worker)


def _altered(metadata: dict[str, Any], change: str) -> None:
    if change == "annotation":
        metadata["annotations"][names.WORKER] = "another"
    elif change == "spec":
        metadata["annotations"][names.SPEC_SHA] = "0" * 64
    else:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"


async def test_our_own_kubernetes_job_is_adopted(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker)

    await made.create(worker)

    assert len(fake.objects.all("jobs")) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (QUOTA, LimitReached),
        (Refuse(status=422, reason="Invalid"), InvalidRequest),
        (Refuse(status=400, reason="BadRequest"), InvalidRequest),
        (Refuse(status=413, reason="RequestEntityTooLarge"), InvalidRequest),
        (NO_RIGHT, Forbidden),
    ],
)
async def test_a_refusal_is_told_as_what_it_is(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker, fault: Any, error: type[Exception]
) -> None:
    fake.faults.add("create-jobs", fault)

    with pytest.raises(error):
        await made.create(worker)


async def test_a_missing_right_stops_launching_until_it_is_tried_again(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.faults.add("create-jobs", NO_RIGHT)
    with pytest.raises(Forbidden):
        await made.create(worker)

    told = made.watch().trouble
    await made.create(worker)
    mended = made.watch().trouble
    monkeypatch.setattr(launcher, "REFUSED_SECONDS", 0.0)
    fake.faults.add("create-jobs", NO_RIGHT)
    with pytest.raises(Forbidden):
        await made.create(worker_of_cluster())

    assert "cannot create" in told
    assert "service account" in told
    assert (mended, made.watch().trouble) == ("", "")


# --- observe


async def test_a_pod_is_seen_from_its_wait_to_its_end(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker)
    pod = fake.pod_of(name_in(worker))
    await until_seen(made, worker, sight=Sight.WAITING, phase=Phase.PLACING)

    fake.place(pod)
    await until_seen(made, worker, sight=Sight.ALIVE, phase=Phase.PULLING, address=None)
    fake.run(pod, "127.0.0.9")
    await until_seen(made, worker, phase=Phase.STARTING, address="127.0.0.9:50053")
    fake.finish(pod, 1)
    await until_seen(made, worker, sight=Sight.GONE)

    failure = (await look(made, worker)).failure
    assert failure is not None
    assert failure.code is Code.PIPELINE_ERROR


async def test_looking_asks_the_cluster_nothing(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker)
    fake.place(fake.pod_of(name_in(worker)))
    fake.run(fake.pod_of(name_in(worker)))
    await until_seen(made, worker, phase=Phase.STARTING)
    await so(lambda: made._scout._task is None or made._scout._task.done())
    before = len(fake.requests)

    for _ in range(100):
        await made.observe([worker])

    assert len(fake.requests) == before


async def test_a_pod_that_is_deleted_by_force_is_seen_while_its_kubernetes_job_lives(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker)
    pod = fake.pod_of(name_in(worker))
    fake.place(pod)
    fake.run(pod)
    await until_seen(made, worker, sight=Sight.ALIVE, address="127.0.0.1:50053")
    fake.kubelet_obeys = False

    fake.force_delete(pod)

    await until_seen(made, worker, sight=Sight.ALIVE, address=None)
    failure = (await look(made, worker)).failure
    assert failure is not None
    assert failure.code is Code.POD_VANISHED


async def test_a_pod_that_is_deleted_by_force_behind_its_kubernetes_job_is_looked_for_by_its_name(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    pod = await at_work(fake, made, worker)

    fake.kubelet_obeys = False
    fake.delete("jobs", name_in(worker), {"propagationPolicy": "Foreground"})
    fake.force_delete(pod)

    await until_seen(made, worker, sight=Sight.UNKNOWN, unsure=True)
    await until_seen(made, worker, sight=Sight.UNKNOWN, unsure=False)
    assert fake.count("get-pods") >= 1


async def test_a_pod_whose_labels_are_taken_away_is_found_by_its_name(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    pod = await at_work(fake, made, worker)

    fake.objects.change("pods", pod, lambda it: it["metadata"]["labels"].clear())

    await until_seen(made, worker, sight=Sight.UNKNOWN)
    await until_seen(made, worker, sight=Sight.ALIVE, address="127.0.0.1:50053")


async def test_what_the_quota_refuses_a_pod_is_told_from_its_events(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    fake.makes_pods = False
    await made.create(worker)
    words = 'Error creating: pods "x" is forbidden: exceeded quota: gpus'
    fake.warn(fake.job(name_in(worker)), "FailedCreate", words)

    await until_seen(made, worker, sight=Sight.WAITING, detail="waits for the namespace's quota")

    failure = (await look(made, worker)).failure
    assert failure is not None
    assert failure.code is Code.QUOTA_EXCEEDED


async def test_what_may_pass_by_itself_is_not_believed_at_once(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker)
    pod = fake.pod_of(name_in(worker))
    fake.place(pod)

    async def told(word: str) -> None:
        async def seen() -> bool:
            return word in (await look(made, worker)).detail

        await until(seen)

    fake.hold(pod, "ImagePullBackOff", "no such registry")
    await told("image cannot be pulled")
    pulling = (await look(made, worker)).failure
    fake.hold(pod, "InvalidImageName", "what a name")
    await told("image's name")

    assert pulling is None
    failure = (await look(made, worker)).failure
    assert failure is not None
    assert failure.code is Code.IMAGE_NAME
