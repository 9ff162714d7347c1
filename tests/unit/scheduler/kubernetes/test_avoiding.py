"""Nodes that failed a worker are avoided for a while."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.kube.cluster import NODE, FakeCluster
from tests.fakes.kube.stage import until_seen
from tests.fakes.recorded import recorded
from tests.fakes.rows import a_job, a_run
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Worker
from videoannotator.pipelines.scene_detection.spec import SPEC
from videoannotator.scheduler.launchers.interface import Sight
from videoannotator.scheduler.launchers.kubernetes.avoiding import AVOIDED_SECONDS, Avoided
from videoannotator.scheduler.launchers.kubernetes.diagnose import diagnose
from videoannotator.scheduler.launchers.kubernetes.launcher import (
    BODY,
    KubernetesLauncher,
    name_in,
)
from videoannotator.scheduler.launchers.kubernetes.opening import ClusterWorkers
from videoannotator.scheduler.launchers.kubernetes.site import Placement, Site
from videoannotator.scheduler.launchers.kubernetes.views import PodView
from videoannotator.scheduler.worker_body import Draft

NOW = datetime(2026, 1, 2, 12, 10, tzinfo=UTC)


class Clock:
    """A clock that stands still."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def pod(name: str = "running", **fields: object) -> PodView:
    """A recorded pod, which is on node-1."""
    found = recorded(name).pod
    assert found is not None
    return replace(found, **fields)


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("exit-75", ("node-1",)),
        ("evicted-memory", ("node-1",)),
        ("refused-devices", ("node-1",)),
        ("start-error-gpu", ("node-1",)),
        ("image-missing", ("node-1",)),
        ("oom-killed", ()),
        ("exit-1", ()),
        ("drained", ()),
        ("running", ()),
        ("unschedulable-gpu", ()),
    ],
)
def test_a_node_is_avoided_when_it_is_to_blame(name: str, nodes: tuple[str, ...]) -> None:
    seen, avoided = recorded(name), Avoided(Clock())

    avoided.judge(seen.pod, diagnose(seen.pod, seen.job, seen.events), NOW)

    assert avoided.nodes() == nodes


@pytest.mark.parametrize(("late", "nodes"), [(299, ()), (300, ("node-1",))])
def test_a_node_that_does_not_end_a_pod_is_avoided(late: float, nodes: tuple[str, ...]) -> None:
    ending = pod("deleted-by-hand", deletion_timestamp=NOW - timedelta(seconds=late))
    avoided = Avoided(Clock())

    avoided.judge(ending, None, NOW)

    assert avoided.nodes() == nodes


def test_a_pod_that_has_ended_says_nothing_more_about_its_node() -> None:
    ended = pod("deleted-by-hand-ended", deletion_timestamp=NOW - timedelta(seconds=900))
    avoided = Avoided(Clock())

    avoided.judge(ended, None, NOW)

    assert avoided.nodes() == ()


def test_a_node_is_forgiven_after_half_an_hour() -> None:
    clock, dirty = Clock(), Failure(code=Code.GPU_DIRTY, message="It was.")
    avoided = Avoided(clock)
    avoided.judge(pod(node_name="b"), dirty, NOW)
    clock.now += 60
    avoided.judge(pod(node_name="a"), dirty, NOW)
    avoided.judge(None, dirty, NOW)

    first = avoided.nodes()
    clock.now += AVOIDED_SECONDS - 60
    second = avoided.nodes()

    assert (first, second) == (("a", "b"), ("a",))


async def test_the_next_worker_has_a_wish_to_run_elsewhere(
    fake: FakeCluster, made: KubernetesLauncher, worker: Worker
) -> None:
    await made.create(worker)
    fake.place(fake.pod_of(name_in(worker)))
    fake.run(fake.pod_of(name_in(worker)), "10.0.0.7")
    fake.finish(fake.pod_of(name_in(worker)), 75)
    await until_seen(made, worker, sight=Sight.GONE)
    site = Site(
        release="va", namespace="annotation", pipelines={"scene": Placement(image="scene:1")}
    )
    workers = ClusterWorkers(launcher=made, site=site, gpus={}, shapes={}, missing={})
    rows = a_job(a_run(pipeline="scene_detection"))
    draft = Draft(worker_id="b2", rows=rows, run=rows.runs[0], attempt=2, epoch=1, spec=SPEC)

    body = workers.body(draft, "0" * 64)

    affinity = body[BODY]["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    (wish,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert made.avoided_nodes == (NODE,)
    assert wish["preference"]["matchFields"][0]["values"] == [NODE]
