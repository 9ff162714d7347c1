"""`make cluster-down` leaves nothing, however far the start came. Brings the cluster up again."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import traces
from tests.cluster.given import GivenCluster, given_cluster
from tests.cluster.pods import create, until_phase
from tests.cluster.up.places import KUBECONFIG
from tests.cluster.up.programs import ROOT

pytestmark = pytest.mark.timeout(300)

#: What the start prints before each of its steps.
STEPS = ("record", "certificates", "network", "etcd", "API server", "containerd", "node")


@pytest.fixture(scope="module", autouse=True)
def only_ours(cluster: GivenCluster) -> Iterator[None]:
    """Whoever comes after finds a cluster again."""
    if not cluster.ours:
        pytest.skip("takes the cluster down: needs the cluster of make cluster")
    yield
    order("up").check_returncode()


def order(*words: str) -> "subprocess.CompletedProcess[str]":
    """Runs what make runs."""
    command = [sys.executable, "-m", "tests.cluster.up", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_nothing_is_left_of_a_cluster_with_a_running_pod() -> None:
    order("down").check_returncode()
    before = traces.look()
    order("up").check_returncode()
    cluster = given_cluster()
    create(cluster, "sleeper", "import time; time.sleep(600)")
    until_phase(cluster, "sleeper", "Running")
    between = traces.look()

    done = order("down")

    assert done.returncode == 0, done.stderr
    seen = traces.difference(before, between)
    assert {"processes", "mounts", "links", "tables", "cgroups", "files"} <= set(seen)
    assert traces.difference(before, traces.look()) == {}
    assert not KUBECONFIG.exists()


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_left_of_a_start_that_was_killed(step: str) -> None:
    order("down").check_returncode()
    before = traces.look()

    kill_at(step)
    done = order("down")

    assert done.returncode == 0, done.stderr
    assert traces.difference(before, traces.look()) == {}


def kill_at(step: str) -> None:
    """Starts a cluster, and kills what starts it at the beginning of a step."""
    command = [sys.executable, "-m", "tests.cluster.up", "up"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as starting:
        assert starting.stderr is not None
        told = next((line for line in starting.stderr if line.strip() == step), None)
        starting.send_signal(signal.SIGKILL)
    assert told is not None, f"the start has no step {step!r}"


def test_a_second_down_finds_nothing_to_do() -> None:
    order("down").check_returncode()

    again = order("down")

    assert again.returncode == 0
    assert again.stdout == "There was no cluster.\n"


def test_a_cluster_of_somebody_else_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "theirs"))

    up, down = order("up"), order("down")

    assert "that one is used, nothing is started" in up.stdout
    assert "that one is left alone" in down.stdout
