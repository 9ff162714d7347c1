"""The fake cluster behaves as a cluster where the launcher looks."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.kube.bodies import job_body
from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.objects import Body
from tests.fakes.kube.pace import eventually
from tests.fakes.kube.running import Container, LocalProcess, Runner
from tests.fakes.kube.selecting import selects
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.views import PodView, pod_view

OBEDIENT = (
    "import os, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); "
    "open('termination', 'w').write('my last words'); print(os.environ['POD'], flush=True); "
    "time.sleep(60)"
)


def running_in(folder: Path) -> Runner:
    """Starts the command of a container as a local process."""

    async def start(container: Container) -> LocalProcess:
        place = folder / container.pod
        return await LocalProcess.start(container.command, container.environment, place)

    return start


def python_job(name: str, program: str, gpus: int = 0) -> Body:
    """A Kubernetes Job that runs a Python program."""
    body = job_body(name, app="va")
    (container,) = body["spec"]["template"]["spec"]["containers"]
    container["command"] = [sys.executable, "-c", program]
    container["env"] = [
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    if gpus:
        container["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    return body


async def opened(fake: FakeCluster, folder: Path) -> Cluster:
    """A client of the fake."""
    return await Cluster.open("va", fake.kubeconfig(folder))


def phases(fake: FakeCluster) -> list[str]:
    """The phases of all pods."""
    return sorted(each["status"]["phase"] for each in fake.objects.all("pods"))


async def test_a_container_really_runs_and_ends_with_its_own_code(tmp_path: Path) -> None:
    async with FakeCluster(running_in(tmp_path)) as fake:
        cluster = await opened(fake, tmp_path)
        await cluster.create_job(python_job("j", "import sys; print('hello'); sys.exit(66)"))
        pod = fake.pod_of("j")
        await eventually(lambda: phases(fake) == ["Failed"])

        seen = await cluster.get_pod(pod)
        job = await cluster.get_job("j")
        log = await cluster.pod_log(pod, 5)
        await cluster.close()

    assert seen is not None
    assert seen.container is not None
    assert seen.container.exit_code == 66
    assert seen.pod_ip.startswith("127.")
    assert job is not None
    assert (job.failed, job.finished) == (1, True)
    assert log == ["hello"]


async def test_a_deleted_pod_gets_sigterm_and_is_gone_when_its_process_is(tmp_path: Path) -> None:
    async with FakeCluster(running_in(tmp_path)) as fake:
        cluster = await opened(fake, tmp_path)
        job = await cluster.create_job(python_job("j", OBEDIENT))
        pod = fake.pod_of("j")
        await eventually(lambda: fake.log_of(fake.objects.get("pods", pod) or {}) == f"{pod}\n")

        await cluster.delete_job("j", job.uid)
        await eventually(lambda: fake.objects.get("jobs", "j") is None)
        last = fake.objects.last("pods", pod)
        await cluster.close()

    view = pod_view(last)
    assert view.container is not None
    assert (view.phase, view.container.exit_code) == ("Failed", 143)
    assert view.container.message == "my last words"


async def test_only_so_many_pods_hold_a_gpu(tmp_path: Path) -> None:
    async with FakeCluster(running_in(tmp_path), gpus=2) as fake:
        cluster = await opened(fake, tmp_path)
        for name in ("a", "b", "c"):
            await cluster.create_job(python_job(name, OBEDIENT, gpus=1))
        await eventually(lambda: phases(fake) == ["Pending", "Running", "Running"])

        a = await cluster.get_job("a")
        assert a is not None
        await cluster.delete_job("a", a.uid)
        await eventually(lambda: phases(fake) == ["Running", "Running"])
        await cluster.close()


Act = Callable[[FakeCluster, str], None]


def told(pod: PodView) -> tuple[str, ...]:
    """What explains a pod."""
    container = pod.container
    assert container is not None
    reasons = [each.reason for each in pod.conditions if each.reason]
    return (pod.phase, pod.reason, container.reason, container.message, *reasons)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (
            lambda fake, pod: fake.hold(pod, "ImagePullBackOff", "no such image"),
            ("Pending", "", "ImagePullBackOff", "no such image"),
        ),
        (
            lambda fake, pod: fake.unschedulable(pod, "no room"),
            ("Pending", "", "ContainerCreating", "", "Unschedulable"),
        ),
        (
            lambda fake, pod: fake.evict(pod),
            ("Failed", "Evicted", "Error", "", "TerminationByKubelet"),
        ),
        (
            lambda fake, pod: fake.finish(pod, 137, "", "OOMKilled"),
            ("Failed", "", "OOMKilled", ""),
        ),
        (lambda fake, pod: fake.finish(pod, 0, "bye"), ("Succeeded", "", "Completed", "bye")),
    ],
    ids=["image", "no room", "evicted", "out of memory", "done"],
)
async def test_what_befalls_a_pod_is_shown_as_a_cluster_shows_it(
    fake: FakeCluster, act: Act, expected: tuple[str, ...]
) -> None:
    fake.create("jobs", job_body("j"))
    pod = fake.pod_of("j")
    fake.place(pod)

    act(fake, pod)

    assert told(pod_view(fake.objects.get("pods", pod))) == expected


async def test_a_lost_node_keeps_what_is_deleted_until_it_is_back(
    fake: FakeCluster, cluster: Cluster
) -> None:
    job = await cluster.create_job(job_body("j"))
    pod = fake.pod_of("j")
    fake.place(pod)
    fake.run(pod)
    fake.lose_node()

    await cluster.delete_job("j", job.uid)
    kept = await cluster.get_pod(pod)
    fake.find_node()

    assert kept is not None
    assert (kept.phase, kept.deletion_timestamp is not None) == ("Running", True)
    assert await cluster.get_job("j") is None


async def test_a_pod_deleted_by_force_is_held_until_its_kubernetes_job_is_deleted(
    fake: FakeCluster, cluster: Cluster
) -> None:
    job = await cluster.create_job(job_body("j"))
    pod = a_running_pod(fake)
    fake.kubelet_obeys = False

    fake.force_delete(pod)
    held = await cluster.get_pod(pod)
    await cluster.delete_job("j", job.uid)

    assert held is not None
    assert (held.phase, held.deletion_grace_seconds) == ("Running", 0.0)
    assert (await cluster.get_pod(pod), await cluster.get_job("j")) == (None, None)
    assert pod_view(fake.objects.last("pods", pod)).phase == "Running"


async def test_a_pod_whose_kubernetes_job_is_being_deleted_is_gone_by_force_while_it_runs(
    fake: FakeCluster, cluster: Cluster
) -> None:
    job = await cluster.create_job(job_body("j"))
    pod = a_running_pod(fake)
    fake.kubelet_obeys = False
    await cluster.delete_job("j", job.uid)
    before = await cluster.get_pod(pod)

    fake.force_delete(pod)

    assert before is not None
    assert await cluster.get_pod(pod) is None
    assert pod_view(fake.objects.last("pods", pod)).phase == "Running"


async def test_a_held_pod_is_ended_by_its_node_and_then_gone(
    fake: FakeCluster, cluster: Cluster
) -> None:
    await cluster.create_job(job_body("j"))
    pod = a_running_pod(fake)

    fake.force_delete(pod)

    assert await cluster.get_pod(pod) is None
    assert pod_view(fake.objects.last("pods", pod)).ended


def a_running_pod(fake: FakeCluster) -> str:
    """The pod of the Kubernetes Job `j`, at work."""
    pod = fake.pod_of("j")
    fake.place(pod)
    fake.run(pod)
    return pod


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("", True),
        ("a=1", True),
        ("a==1", True),
        ("a!=2,b", True),
        ("!c", True),
        ("a in (1,2),b in (x)", True),
        ("a=2", False),
        ("c", False),
        ("!a", False),
        ("a in (2,3)", False),
        ("a=1,b=2", False),
    ],
)
def test_selectors_are_read_as_an_api_server_does(selector: str, fits: bool) -> None:
    body = {"metadata": {"labels": {"a": "1", "b": "x"}}}

    assert selects(selector, body) is fits
