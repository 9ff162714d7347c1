"""A cancel while a part of the cluster is down: the slot waits for a proof, however long."""

import os
import time
from collections.abc import Iterator

import pytest

from tests.cluster.cancelling import (
    Figures,
    Stage,
    ignores_sigterm,
    judge,
    stage_of,
    table,
    take_figures,
)
from tests.cluster.disrupting import disrupting
from tests.cluster.given import GivenCluster
from tests.cluster.pod_history import uid_of

pytestmark = pytest.mark.timeout(1200)  # it may wait for its turn

LONG_SECONDS = 600.0
FROZEN_SECONDS = 90  #: in which the worker hears nothing
WAITED_SECONDS = 10  #: in which nothing may be granted
#: The orphan grace of the site and the margin after it, and what a busy machine adds.
BY_RULE_SECONDS = 300.0


@pytest.fixture(scope="module")
def figures() -> Iterator[list[Figures]]:
    """What the cancels took; printed at the end."""
    taken: list[Figures] = []
    yield taken
    print(f"\nload average {os.getloadavg()[0]:.1f}\n{table(taken)}")


@pytest.fixture
def stage(cluster: GivenCluster, figures: list[Figures]) -> Iterator[Stage]:
    """A site with one slot on a cluster that we have alone."""
    with disrupting(cluster), stage_of(cluster, figures) as made:
        try:
            yield made
        finally:
            cluster.mend()  # the site's remains are removed by it


def is_up(stage: Stage, job: str) -> bool:
    """Whether the worker was called."""
    return stage.worker(job).get("state") == "up"


def not_granted_for_a_while(stage: Stage, job: str) -> None:
    """Nothing is launched in the place of a worker whose end is not proved."""
    for _ in range(WAITED_SECONDS * 5):
        assert stage.site.workers(stage.following) == []
        assert stage.site.state(job) == "cancelling"
        assert stage.worker(job)["state"] != "gone"
        time.sleep(0.2)


def test_a_cancel_while_the_api_server_is_down_is_done_when_it_is_back(stage: Stage) -> None:
    with stage.scheduling():
        job = stage.submit(seconds=LONG_SECONDS)
        stage.until(lambda: is_up(stage, job), job)
        stage.following = stage.submit()
        stage.cluster.stop("kube-apiserver")

        stage.cancel(job)
        stage.until_known(lambda: stage.worker(job)["state"] == "stopping")
        not_granted_for_a_while(stage, job)
        stage.cluster.start("kube-apiserver")

        stage.site.until_state(job, "cancelled")
        stage.site.until_state(stage.following, "completed", "failed")
        judge(stage, job)
        take_figures(stage, "API server down 10 s", job)


def test_a_pod_that_somebody_forces_away_from_a_silent_node_keeps_its_slot(stage: Stage) -> None:
    with stage.scheduling():
        job = stage.submit(freeze_seconds=FROZEN_SECONDS, ignore_sigterm=True)
        stage.until(lambda: ignores_sigterm(stage, job), job)
        stage.following = stage.submit()
        pod = stage.site.pod_of(job)
        stage.cluster.stop("kubelet")

        stage.cancel(job)
        stage.until(lambda: "deletionTimestamp" in stage.last_pod(job).get("metadata", {}), job)
        assert stage.cluster.processes_of_pods().get(uid_of(pod))
        words = ("delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0")
        stage.site.kubectl(*words)
        stage.until(lambda: stage.worker(job)["unproven_since"] is not None, job)
        assert any("cannot be proved" in line for line in logged(stage, job))
        not_granted_for_a_while(stage, job)
        stage.cluster.start("kubelet")

        stage.site.until_state(job, "cancelled", seconds=BY_RULE_SECONDS)
        stage.site.until_state(stage.following, "completed", "failed")
        judge(stage, job)
        take_figures(stage, "kubelet down, forced", job)


def logged(stage: Stage, job: str) -> list[str]:
    """What the owner was told of a job in words."""
    lines = stage.site.rows("SELECT data FROM events WHERE job_id = %s AND kind = 'job.log'", job)
    return [str(line["data"]["message"]) for line in lines]
