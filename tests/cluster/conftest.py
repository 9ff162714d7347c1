"""Tests on a cluster: only when they are named, as `make test-cluster` does."""

from pathlib import Path

import pytest

from tests.cluster.given import GivenCluster, given_cluster

HERE = Path(__file__).resolve().parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leaves this folder out of a run of every test."""
    named = [Path(one.split("::")[0]).resolve() for one in config.args]
    asked_for = any(path == HERE or HERE in path.parents for path in named)
    return None if asked_for else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Takes the cluster down last: what tests loaded into it goes with it."""
    items.sort(key=lambda item: item.path.name == "test_cluster_down.py")


@pytest.fixture(scope="session")
def cluster() -> GivenCluster:
    """The cluster of KUBECONFIG, or that of `make cluster`."""
    return given_cluster()
