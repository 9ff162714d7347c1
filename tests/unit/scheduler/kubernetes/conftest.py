"""A fake cluster, and our client of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.stage import NAMESPACE, RELEASE, so, worker_of_cluster
from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.launcher import KubernetesLauncher, Terms


@pytest.fixture
async def fake() -> AsyncIterator[FakeCluster]:
    """A cluster whose API server listens."""
    async with FakeCluster() as made:
        yield made


@pytest.fixture
async def cluster(fake: FakeCluster, tmp_path: Path) -> AsyncIterator[Cluster]:
    """The client, by a kubeconfig file with the token `secret`."""
    opened = await Cluster.open("va", fake.kubeconfig(tmp_path))
    yield opened
    await opened.close()


@pytest.fixture
async def made(fake: FakeCluster, tmp_path: Path) -> AsyncIterator[KubernetesLauncher]:
    """A launcher that sees the cluster."""
    client = await Cluster.open(NAMESPACE, fake.kubeconfig(tmp_path))
    found = KubernetesLauncher(client, Terms(release=RELEASE, second_look_seconds=0.1))
    await found.start(lambda: None)
    await so(lambda: not found.watch().trouble)
    yield found
    await found.close()


@pytest.fixture
def worker() -> Worker:
    """A worker that is not created yet."""
    return worker_of_cluster()
