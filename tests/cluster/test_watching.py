"""Our client and our copy of a cluster's objects, on a real API server."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from inspect import isawaitable
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.cluster.given import GivenCluster
from videoannotator.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitReached,
    Unavailable,
)
from videoannotator.scheduler.launchers.kubernetes import requests
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.connection import Connection
from videoannotator.scheduler.launchers.kubernetes.reflector import (
    Reflector,
    job_reflector,
    pod_reflector,
)
from videoannotator.scheduler.launchers.kubernetes.sightings import State
from videoannotator.scheduler.launchers.kubernetes.views import JobView, PodView
from videoannotator.scheduler.launchers.kubernetes.watching import Timing

LABEL = "videoannotator.io/watching"
SOON_SECONDS = 60.0
OBEDIENT = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); "
    "open('/dev/termination-log', 'w').write('last words'); print('ready', flush=True); "
    "time.sleep(600)"
)


@pytest.fixture
def namespace(cluster: GivenCluster) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"watching-{token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.mend()
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def client(cluster: GivenCluster, namespace: str) -> AsyncIterator[Cluster]:
    """Our client in that namespace."""
    opened = await Cluster.open(namespace, cluster.kubeconfig)
    await until_served(cluster, namespace)
    yield opened
    await opened.close()


async def until_served(cluster: GivenCluster, namespace: str) -> None:
    """The namespace has its service account: before that no pod is let in."""

    def there() -> bool:
        found = cluster.kubectl("get", "serviceaccounts", "-n", namespace, "-o", "name")
        return "serviceaccount/default" in found

    await soon(there)


async def soon(condition: Callable[[], object], seconds: float = SOON_SECONDS) -> None:
    """Waits until something is so, and fails when it does not come; asks what can be awaited."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if await found if isawaitable(found) else found:
            return
        if time.monotonic() > deadline:
            raise TimeoutError("this never came")
        await asyncio.sleep(0.1)


@asynccontextmanager
async def copied(
    client: Cluster, timing: Timing | None = None
) -> AsyncIterator[Reflector[PodView]]:
    """A copy of the pods with our label."""
    reflector = pod_reflector(client, LABEL, lambda: None, timing=timing)
    reflector.start()
    try:
        await soon(lambda: reflector.counts["opened"])
        yield reflector
    finally:
        await reflector.close()


def body(cluster: GivenCluster, name: str, program: str = OBEDIENT, **spec: Any) -> dict[str, Any]:
    """A Kubernetes Job as our launcher would post it."""
    container = {
        "name": "worker",
        "image": cluster.python_image(),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", program],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 30,
        "containers": [container],
        **spec,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {LABEL: name}},
        "spec": {
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "template": {"metadata": {"labels": {LABEL: name}}, "spec": pod},
        },
    }


async def running(client: Cluster, job: dict[str, Any], copy: Reflector[PodView]) -> PodView:
    """Creates a Kubernetes Job and waits until its pod runs."""
    await client.create_job(job)
    name = job["metadata"]["name"]

    def found() -> list[PodView]:
        return [p for p in copy.objects.values() if p.job_name == name and p.phase == "Running"]

    await soon(found)
    return found()[0]


async def gone(client: Cluster, name: str) -> bool:
    """Whether there is no Kubernetes Job of this name."""
    return await client.get_job(name) is None


async def kubectl(cluster: GivenCluster, *words: str) -> str:
    """As an operator would, while our copy goes on."""
    return await asyncio.to_thread(cluster.kubectl, *words)


async def test_a_kubernetes_job_lives_and_is_deleted_after_its_pod(
    cluster: GivenCluster, client: Cluster
) -> None:
    ended: list[JobView] = []
    jobs = job_reflector(client, LABEL, lambda: ended.extend(jobs.objects.values()))
    jobs.start()
    async with copied(client) as copy:
        pod = await running(client, body(cluster, "lives"), copy)
        job = await client.get_job("lives")
        assert job is not None
        log = await client.pod_log(pod.name, 5)
        await client.delete_job("lives", job.uid)
        await soon(lambda: pod.uid in copy.departed)
        await soon(lambda: job.uid in jobs.departed)

        last = copy.departed[pod.uid]
    await jobs.close()

    assert log == ["ready"]
    assert (pod.job_uid, bool(pod.pod_ip), pod.node_name) == (job.uid, True, cluster.node)
    assert last.state is State.DELETED
    assert (last.view.phase, last.view.deletion_timestamp is not None) == ("Failed", True)
    assert last.view.container is not None
    assert (last.view.container.exit_code, last.view.container.message) == (143, "last words")
    assert any(each.deletion_timestamp for each in ended)  # foreground: it stayed for its pod
    assert await client.get_job("lives") is None


async def test_only_the_object_that_was_meant_is_deleted(
    cluster: GivenCluster, client: Cluster
) -> None:
    made = await client.create_job(body(cluster, "stays"))

    await client.delete_job("stays", "11111111-2222-3333-4444-555555555555")
    await client.delete_job("never-there", made.uid)

    found = await client.get_job("stays")
    assert found is not None
    assert found.deletion_timestamp is None


async def test_refusals_of_a_create_are_told_apart(
    cluster: GivenCluster, client: Cluster, tmp_path: Path
) -> None:
    await client.create_job(body(cluster, "first"))
    with pytest.raises(Conflict, match="already exists"):
        await client.create_job(body(cluster, "first"))
    with pytest.raises(InvalidRequest, match="restartPolicy"):
        await client.create_job(body(cluster, "wrong", restartPolicy="Always"))
    with pytest.raises(InvalidRequest, match="must consist of lower case"):
        await client.create_job(body(cluster, "Ugly_Name"))

    quota = {"hard": {"count/jobs.batch": "1"}}
    made = {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": "q"}, "spec": quota}
    file = tmp_path / "quota.json"
    file.write_text(json.dumps(made))
    await kubectl(cluster, "create", "-n", client.namespace, "-f", str(file))
    words = ("get", "resourcequota", "q", "-n", client.namespace, "-o", "jsonpath={.status.hard}")
    await soon(lambda: cluster.kubectl(*words))

    with pytest.raises(LimitReached, match="exceeded quota: q"):
        await client.create_job(body(cluster, "second"))


async def test_a_missing_namespace_is_told_with_what_to_do(cluster: GivenCluster) -> None:
    client = await Cluster.open("never-there", cluster.kubeconfig)

    with pytest.raises(Forbidden, match="never-there") as told:
        await client.create_job(body(cluster, "x"))
    await client.close()

    assert "kubernetes.namespace" in told.value.hint


async def test_a_missing_right_is_told_with_what_to_do(
    cluster: GivenCluster, client: Cluster, tmp_path: Path
) -> None:
    token = (await kubectl(cluster, "create", "token", "default", "-n", client.namespace)).strip()
    file = tmp_path / "config"
    raw = await kubectl(cluster, "config", "view", "--raw", "--minify", "-o", "json")
    config = json.loads(raw)
    config["users"][0]["user"] = {"token": token}
    file.write_text(json.dumps(config))
    poor = await Cluster.open(client.namespace, file)
    reflector = pod_reflector(poor, "", lambda: None)
    reflector.start()

    with pytest.raises(Forbidden, match='cannot create resource "jobs"') as told:
        await poor.create_job(body(cluster, "x"))
    await soon(lambda: reflector.trouble)
    await reflector.close()
    await poor.close()

    assert "Role of the chart" in told.value.hint
    assert 'cannot list resource "pods"' in reflector.trouble


async def test_why_there_is_no_pod_is_told_by_an_event(
    cluster: GivenCluster, client: Cluster
) -> None:
    made = await client.create_job(body(cluster, "poor", serviceAccountName="nobody"))
    await soon(lambda: client.events_of(made.uid))

    found = await client.events_of(made.uid)
    assert found[0].reason == "FailedCreate"
    assert 'serviceaccount "nobody" not found' in found[0].message


async def test_a_pod_of_a_living_kubernetes_job_cannot_be_hidden_by_force(
    cluster: GivenCluster, client: Cluster
) -> None:
    async with copied(client) as copy:
        pod = await running(client, body(cluster, "held"), copy)
        cluster.freeze("kubelet")
        await force(cluster, client, pod)
        await soon(lambda: copy.objects[pod.uid].deletion_timestamp)
        shown, alive = copy.objects[pod.uid], cluster.processes_of_pods().get(pod.uid)
        cluster.thaw("kubelet")
        await soon(lambda: pod.uid in copy.departed)

    assert (shown.phase, shown.deletion_grace_seconds) == ("Running", 0.0)
    assert alive


async def test_a_pod_deleted_by_force_was_never_seen_to_end(
    cluster: GivenCluster, client: Cluster
) -> None:
    async with copied(client) as copy:
        pod = await running(client, body(cluster, "forced"), copy)
        cluster.freeze("kubelet")
        await client.delete_job("forced", pod.job_uid)
        await soon(lambda: copy.objects[pod.uid].deletion_timestamp)
        await force(cluster, client, pod)
        await soon(lambda: pod.uid in copy.departed)
        last, alive = copy.departed[pod.uid], cluster.processes_of_pods().get(pod.uid)
        cluster.thaw("kubelet")

    assert (last.state, last.view.ended) == (State.DELETED, False)
    assert alive


async def force(cluster: GivenCluster, client: Cluster, pod: PodView) -> None:
    """As an impatient operator does."""
    words = ("delete", "pod", pod.name, "-n", client.namespace, "--wait=false")
    await kubectl(cluster, *words, "--force", "--grace-period=0")


async def test_a_pod_whose_label_is_taken_off_only_leaves_our_sight(
    cluster: GivenCluster, client: Cluster
) -> None:
    async with copied(client) as copy:
        pod = await running(client, body(cluster, "hidden"), copy)
        await kubectl(cluster, "label", "pod", pod.name, "-n", client.namespace, f"{LABEL}-")
        await soon(lambda: pod.uid in copy.departed)
        last = copy.departed[pod.uid]

    assert last.state is State.DELETED
    assert not last.view.ended


async def test_lists_are_read_page_by_page(cluster: GivenCluster, client: Cluster) -> None:
    for number in range(5):
        job = body(cluster, f"many-{number}", schedulerName="nobody")
        await client.create_job(job)

    pages, token = 0, ""
    names: list[str] = []
    while pages == 0 or token:
        page = requests.page(requests.jobs(client.namespace, LABEL), 2, token)
        answer = await client.connection.ask(page)
        names += [each["metadata"]["name"] for each in answer["items"]]
        token, pages = answer["metadata"].get("continue", ""), pages + 1

    assert sorted(names) == [f"many-{number}" for number in range(5)]
    assert pages == 3


async def test_a_restarted_api_server_is_found_again(
    cluster: GivenCluster, client: Cluster
) -> None:
    async with copied(client) as copy:
        pod = await running(client, body(cluster, "restart"), copy)
        await asyncio.to_thread(cluster.kill, "kube-apiserver")
        with pytest.raises(Unavailable) as told:
            await client.get_job("restart")
        await soon(lambda: copy.trouble)
        await asyncio.to_thread(cluster.start, "kube-apiserver")
        job = await client.get_job("restart")
        assert job is not None
        await client.delete_job("restart", job.uid)
        await soon(lambda: pod.uid in copy.departed)

        assert "operator" in told.value.hint
        assert copy.departed[pod.uid].view.ended
        assert copy.trouble == ""


async def test_a_place_that_etcd_forgot_leads_to_a_new_list(
    cluster: GivenCluster, client: Cluster
) -> None:
    async with copied(client) as copy:
        pod = await running(client, body(cluster, "old"), copy)
        since = copy.gapless_since
        await copy.close()  # our place in the history stays behind
        job = await client.get_job("old")
        assert job is not None
        await client.delete_job("old", job.uid)
        await soon(lambda: gone(client, "old"))
        await client.create_job(body(cluster, "new"))
        await asyncio.to_thread(cluster.forget_history)

        copy.start()
        await soon(lambda: [each.job_name for each in copy.objects.values()] == ["new"])

        assert copy.counts["expired"] >= 1
        assert copy.departed[pod.uid].state is State.VANISHED
        assert since is not None
        assert copy.gapless_since is not None
        assert copy.gapless_since > since


async def test_an_api_server_that_hangs_is_left_and_nothing_is_missed(
    cluster: GivenCluster, client: Cluster
) -> None:
    async with copied(client, Timing(idle_seconds=3.0)) as copy:
        pod = await running(client, body(cluster, "hangs"), copy)
        since = copy.gapless_since
        cluster.freeze("kube-apiserver")
        path = f"/api/v1/namespaces/{client.namespace}/pods/{pod.name}"
        with pytest.raises(Unavailable, match="in time"):
            await client.connection.call(requests.Request(method="GET", path=path, seconds=2.0))
        await soon(lambda: copy.counts["broken"] + copy.counts["silent"])
        cluster.thaw("kube-apiserver")
        await client.delete_pod(pod.name, pod.uid)
        await soon(lambda: pod.uid in copy.departed)

        assert copy.departed[pod.uid].view.ended
        assert copy.gapless_since == since


async def test_a_quiet_watch_hears_a_bookmark_before_it_is_taken_for_dead(
    client: Cluster,
) -> None:
    async with copied(client) as copy:
        before = copy.synced_at
        await soon(lambda: copy.synced_at != before, Timing().idle_seconds)

        assert copy.counts["broken"] == 0
        assert (copy.counts["list"], copy.counts["event"]) == (1, 0)


async def test_a_connection_by_the_file_trusts_only_its_authority(
    cluster: GivenCluster, tmp_path: Path
) -> None:
    config = json.loads(
        cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
    )
    config["clusters"][0]["cluster"].pop("certificate-authority-data")
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    connection = await Connection.to_kubeconfig(file)

    with pytest.raises(Unavailable, match="certificate"):
        await Cluster(connection, "default").get_job("x")
    await connection.close()
