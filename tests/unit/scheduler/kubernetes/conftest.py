"""A fake cluster, and our client of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.kube.cluster import FakeCluster
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster


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
