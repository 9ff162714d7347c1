"""What is shown of the watches, so that one that has gone blind is noticed."""

from prometheus_client import REGISTRY

from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.pace import Pace, eventually
from tests.fakes.kube.reflecting import reflecting
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster


def age() -> float | None:
    """Of the watch of pods."""
    return REGISTRY.get_sample_value("videoannotator_watch_age_seconds", {"watch": "pods"})


def happened(outcome: str) -> float:
    """How often to the watch of pods, in this process."""
    labels = {"watch": "pods", "outcome": outcome}
    return REGISTRY.get_sample_value("videoannotator_watch_outcomes_total", labels) or 0.0


async def test_a_watch_grows_older_until_the_cluster_says_something(
    fake: FakeCluster, cluster: Cluster
) -> None:
    pace = Pace()
    async with reflecting(cluster, pace=pace) as copy:
        await copy.synced()
        fresh = age()
        pace.now += 80.0
        silent = age()
        fake.server.bookmark()
        await eventually(lambda: age() == 0.0)

    assert (fresh, silent) == (0.0, 80.0)


async def test_a_watch_that_was_never_answered_is_as_old_as_the_wish(cluster: Cluster) -> None:
    pace = Pace()
    async with reflecting(cluster, pace=pace):
        pace.now += 30.0
        unanswered = age()
    closed = age()

    assert (unanswered, closed) == (30.0, 0.0)


async def test_lists_and_watches_are_counted(fake: FakeCluster, cluster: Cluster) -> None:
    before = [happened("list"), happened("watch")]
    async with reflecting(cluster) as copy:
        await copy.synced()

    assert [happened("list"), happened("watch")] == [before[0] + 1, before[1] + 1]
