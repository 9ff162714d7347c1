"""How many workers hold a GPU at a time, in which order, and what the others wait for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.disrupting import disrupting
from tests.cluster.given import GivenCluster
from tests.cluster.pod_history import PodHistory, history_of, job_of
from tests.cluster.site import ClusterSite, Row, cluster_site, until
from tests.fakes.separate import Program

pytestmark = pytest.mark.timeout(1200)  # it may wait for its turn

GPUS = 2
RUNS = 6
UNPLACED_WINDOW = 2
WORK_SECONDS = 2.0
#: For six runs, two at a time, on a machine that others use too.
ALL_SECONDS = 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How many GPUs the node has, and how many workers with one we allow."""

    offered: int
    allowed: int


@pytest.fixture
def gpus(cluster: GivenCluster) -> Iterator[GivenCluster]:
    """The cluster for us alone, which offers as many GPUs as ever afterwards."""
    with disrupting(cluster):
        yield cluster
        cluster.set_gpus(GPUS)


def submit(site: ClusterSite, api: Program, pipeline: str, priority: int = 0, **given: Any) -> str:
    """Submits a run of a pipeline; the id of its job."""
    with site.client(api) as client:
        job = client.submit(site.video, [pipeline], {pipeline: given}, priority=priority)
        return str(job.id)


def waiting_reason(site: ClusterSite, job_id: str) -> str:
    """What the owner is told about the one run of a job."""
    return str(site.runs(job_id)[0]["waiting_reason"])


def launched_at(site: ClusterSite, job_id: str) -> Any:
    """When the first attempt of a job was opened."""
    return site.attempts(job_id)[0]["opened_at"]


def worst(history: PodHistory) -> tuple[int, int, int]:
    """The most pods with a GPU, with a process while they want one, and without a place."""
    return (
        max(len(moment.holding_gpus()) for moment in history.moments),
        max(len(moment.gpu_processes()) for moment in history.moments),
        max(len(moment.without_place()) for moment in history.moments),
    )


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case(offered=2, allowed=RUNS), id="the-cluster-has-two"),
        pytest.param(Case(offered=4, allowed=2), id="we-allow-two-of-four"),
    ],
)
def test_six_runs_on_two_gpus_go_two_at_a_time_in_the_order_of_the_queue(
    gpus: GivenCluster, case: Case
) -> None:
    gpus.set_gpus(case.offered)
    limits = {"max_workers": RUNS, "max_gpu_workers": case.allowed}
    with cluster_site(gpus, **limits) as site, history_of(gpus, site.namespace) as history:
        api = site.api().ready()
        priorities = (0, 0, 5, 0, 5, 0)
        jobs = [
            submit(site, api, "journal_gpu", priority, seconds=WORK_SECONDS)
            for priority in priorities
        ]
        promised = [job for _, job in sorted(zip(priorities, jobs, strict=True), key=_urgency)]

        site.scheduler().ready()
        for job in promised:
            site.until_state(job, "completed", "failed", seconds=ALL_SECONDS)

        assert [site.state(job) for job in jobs] == ["completed"] * RUNS
        assert all(len(site.attempts(job)) == 1 for job in jobs)
        opened = [launched_at(site, job) for job in promised]
        assert opened == sorted(opened)
        holding, running, without_place = worst(history)
        assert holding == GPUS
        assert running <= GPUS
        assert without_place <= UNPLACED_WINDOW


def _urgency(entry: tuple[int, str]) -> int:
    """More urgent first; among equals the older one, as sorting keeps their order."""
    return -entry[0]


def test_a_shape_that_can_never_be_placed_blocks_no_other_shape(gpus: GivenCluster) -> None:
    with cluster_site(gpus, max_workers=RUNS, max_gpu_workers=RUNS) as site:
        _change_site(site, journal_gpu={"gpus": 64}, scene_detection={"gpus": 1})
        api = site.api().ready()
        stuck = [submit(site, api, "journal_gpu", priority=5) for _ in range(3)]

        site.scheduler().ready()
        until(
            lambda: sum(waiting_reason(site, job) == "waits for a GPU" for job in stuck) == 2,
            lambda: site.told(stuck[0]),
        )
        others = [
            submit(site, api, "journal"),
            submit(site, api, "scene_detection"),
        ]
        for job in others:
            site.until_state(job, "completed", "failed")

        assert [site.state(job) for job in others] == ["completed"] * 2
        launched = [job for job in map(job_of, _pods(site)) if job in stuck]
        assert sorted(launched) == sorted(stuck[:UNPLACED_WINDOW])
        assert waiting_reason(site, stuck[2]) == "waits until the workers before it have a place"
        for job in stuck:
            site.cancel(api, job)
        for job in stuck:
            site.until_state(job, "cancelled")
        until(lambda: not site.objects("jobs") and not _pods(site), lambda: site.told(stuck[0]))


def _pods(site: ClusterSite) -> list[Row]:
    """The pods that have not ended."""
    return [
        pod for pod in site.objects("pods") if pod["status"]["phase"] not in ("Succeeded", "Failed")
    ]


def _change_site(site: ClusterSite, **pipelines: Row) -> None:
    """Changes what the file of the site says about pipelines, before a scheduler reads it."""
    path = site.root.parent / "site.json"
    told = json.loads(path.read_text())
    for name, change in pipelines.items():
        told["pipelines"][name] |= change
    path.write_text(json.dumps(told))
