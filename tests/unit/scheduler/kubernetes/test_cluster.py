"""Single calls to the API server."""

import asyncio

import pytest

from tests.fakes.kube import faults
from tests.fakes.kube.bodies import job_body
from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.faults import Drop, Hold, Refuse
from tests.fakes.kube.pace import eventually
from videoannotator.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitReached,
    Unavailable,
    VideoAnnotatorError,
)
from videoannotator.scheduler.launchers.kubernetes import cluster as client
from videoannotator.scheduler.launchers.kubernetes import requests
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.requests import Request

BODY = job_body("va-scene-abc", app="va") | {"x-newer-than-any-client": {"ü": [1, None]}}


async def test_exactly_the_stored_body_is_posted(fake: FakeCluster, cluster: Cluster) -> None:
    made = await cluster.create_job(BODY)

    (sent,) = fake.requests
    assert (sent.kind, sent.path, sent.body, sent.token) == (
        "create-jobs",
        "/apis/batch/v1/namespaces/va/jobs",
        BODY,
        "secret",
    )
    assert made.uid == fake.job("va-scene-abc")["metadata"]["uid"]


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (faults.QUOTA, LimitReached),
        (faults.NO_RIGHT, Forbidden),
        (Refuse(status=404, message='namespaces "va" not found'), Forbidden),
        (Refuse(status=401, message="Unauthorized"), Forbidden),
        (Refuse(status=400), InvalidRequest),
        (Refuse(status=413), InvalidRequest),
        (Refuse(status=422), InvalidRequest),
        (Refuse(status=409, reason="Conflict"), Unavailable),
        (faults.BUSY, Unavailable),
        (faults.BROKEN, Unavailable),
        (Drop(), Unavailable),
    ],
    ids=lambda each: str(getattr(each, "status", getattr(each, "__name__", each))),
)
async def test_a_create_that_fails_is_sent_once(
    fake: FakeCluster,
    cluster: Cluster,
    fault: faults.Fault,
    meaning: type[VideoAnnotatorError],
) -> None:
    await cluster.get_job("a")  # so that the connection is used again
    fake.faults.add("create-jobs", fault, times=2)

    with pytest.raises(meaning) as told:
        await cluster.create_job(BODY)

    assert type(told.value) is meaning
    assert fake.count("create-jobs") == 1
    assert await cluster.get_job("va-scene-abc") is None


@pytest.mark.parametrize(
    "fault",
    [Drop(committed=True), Refuse(status=500, committed=True), Refuse(status=504, committed=True)],
    ids=["lost reply", "500 after commit", "504 after commit"],
)
async def test_after_an_unknown_outcome_the_first_is_found_by_its_name(
    fake: FakeCluster, cluster: Cluster, fault: faults.Fault
) -> None:
    fake.faults.add("create-jobs", fault)

    with pytest.raises(Unavailable):
        await cluster.create_job(BODY)
    found = await cluster.get_job("va-scene-abc")
    with pytest.raises(Conflict, match="already exists"):
        await cluster.create_job(BODY)

    assert found is not None
    assert found.uid == fake.job("va-scene-abc")["metadata"]["uid"]
    assert fake.count("create-jobs") == 2


async def test_creates_go_ten_at_a_time(
    fake: FakeCluster, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CREATE_PATIENCE_SECONDS", 60.0)  # the machine may be slow
    hold = Hold()
    fake.faults.add("create-jobs", hold, times=12)

    creating = [asyncio.create_task(cluster.create_job(job_body(f"j{n}"))) for n in range(12)]
    await eventually(lambda: fake.count("create-jobs") == 10)
    await cluster.get_job("anything")  # what is no create goes on meanwhile
    assert fake.count("create-jobs") == 10
    hold.release()
    await asyncio.gather(*creating)

    assert len(fake.objects.all("jobs")) == 12


async def test_a_kubernetes_job_is_deleted_after_its_pods(
    fake: FakeCluster, cluster: Cluster
) -> None:
    made = await cluster.create_job(BODY)
    fake.place(fake.pod_of("va-scene-abc"))
    fake.kubelet_obeys = False

    await cluster.delete_job("va-scene-abc", made.uid)

    found = await cluster.get_job("va-scene-abc")
    assert found is not None
    assert found.deletion_timestamp is not None
    (pod,) = await cluster.list_pods("app=va")
    assert pod.deletion_timestamp is not None
    assert pod.deletion_grace_seconds == 30.0
    fake.find_node()
    assert await cluster.get_job("va-scene-abc") is None
    assert await cluster.list_pods("app=va") == []


async def test_only_the_object_that_was_meant_is_deleted(
    fake: FakeCluster, cluster: Cluster
) -> None:
    await cluster.create_job(BODY)
    pod = fake.pod_of("va-scene-abc")

    await cluster.delete_pod(pod, "another-uid")
    await cluster.delete_job("va-scene-abc", "another-uid")
    await cluster.delete_job("never-there", "another-uid")

    assert await cluster.get_job("va-scene-abc") is not None
    assert await cluster.get_pod(pod) is not None


async def test_a_pod_is_deleted_gracefully(fake: FakeCluster, cluster: Cluster) -> None:
    await cluster.create_job(BODY)
    name = fake.pod_of("va-scene-abc")
    found = await cluster.get_pod(name)
    assert found is not None

    await cluster.delete_pod(name, found.uid)

    assert await cluster.get_pod(name) is None
    (sent,) = [each for each in fake.requests if each.kind == "delete-pods"]
    assert "gracePeriodSeconds" not in {**sent.query, **sent.body}


async def test_a_delete_that_fails_says_so(fake: FakeCluster, cluster: Cluster) -> None:
    made = await cluster.create_job(BODY)
    fake.faults.add("delete-jobs", faults.BUSY)
    fake.faults.add("delete-jobs", Refuse(status=409, reason="Conflict", message="modified"))

    for _ in range(2):
        with pytest.raises(Unavailable):
            await cluster.delete_job(made.name, made.uid)
    await cluster.delete_job(made.name, made.uid)

    assert await cluster.get_job(made.name) is None


async def test_a_grace_of_nothing_does_not_leave_this_program(
    fake: FakeCluster, cluster: Cluster
) -> None:
    path = "/api/v1/namespaces/va/pods/p"
    force = Request(method="DELETE", path=path, body={"gracePeriodSeconds": 0})

    with pytest.raises(InvalidRequest):
        await cluster.connection.call(force)
    with pytest.raises(InvalidRequest):
        async with cluster.connection.stream(force, 1.0):
            pytest.fail("it was sent")

    assert fake.requests == []


async def test_lists_are_read_to_their_end(fake: FakeCluster, cluster: Cluster) -> None:
    for number in range(requests.PAGE + 1):
        fake.objects.add("pods", {"metadata": {"name": f"p{number}", "labels": {"app": "va"}}})
    fake.objects.add("pods", {"metadata": {"name": "stranger"}})

    found = await cluster.list_pods("app=va")

    assert len({each.uid for each in found}) == requests.PAGE + 1
    assert fake.count("list-pods") == 2


async def test_logs_are_the_last_lines(fake: FakeCluster, cluster: Cluster) -> None:
    await cluster.create_job(BODY)
    pod = fake.pod_of("va-scene-abc")

    before = await cluster.pod_log(pod, 2)
    fake.logs[pod] = "one\ntwo\nthree\n"

    assert before == []
    assert await cluster.pod_log(pod, 2) == ["two", "three"]
    assert await cluster.pod_log("never-there", 2) == []


async def test_events_are_those_of_one_object_in_order(fake: FakeCluster, cluster: Cluster) -> None:
    made = await cluster.create_job(BODY)
    other = await cluster.create_job(job_body("other"))
    fake.warn(fake.job("va-scene-abc"), "FailedCreate", "no service account")
    fake.warn(fake.job("other"), "FailedCreate", "another")

    (found,) = await cluster.events_of(made.uid)

    assert (found.reason, found.message) == ("FailedCreate", "no service account")
    assert [each.message for each in await cluster.events_of(other.uid)] == ["another"]


async def test_an_answer_that_does_not_come_has_an_end(fake: FakeCluster, cluster: Cluster) -> None:
    hold = Hold()
    fake.faults.add("get-jobs", hold)
    path = "/apis/batch/v1/namespaces/va/jobs/a"

    with pytest.raises(Unavailable, match="in time"):
        await cluster.connection.call(Request(method="GET", path=path, seconds=0.05))

    hold.release()


async def test_a_server_that_is_away_is_told_with_what_to_do(
    fake: FakeCluster, cluster: Cluster
) -> None:
    await fake.server.stop()

    with pytest.raises(Unavailable, match="cannot be reached") as told:
        await cluster.get_job("a")

    assert "NetworkPolicy" in told.value.hint


@pytest.mark.parametrize("kind", ["get-jobs", "delete-jobs"])
async def test_nothing_is_repeated_by_itself(
    fake: FakeCluster, cluster: Cluster, kind: str
) -> None:
    made = await cluster.create_job(BODY)
    fake.faults.add(kind, Drop(), times=3)
    asking = {
        "get-jobs": cluster.get_job(made.name),
        "delete-jobs": cluster.delete_job(made.name, made.uid),
    }
    with pytest.raises(Unavailable):
        await asking.pop(kind)

    assert fake.count(kind) == 1
    for other in asking.values():
        other.close()
