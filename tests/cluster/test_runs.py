"""A job from its submission to its result, and its end before that, on a real cluster."""

from collections.abc import Iterator

import pytest

from tests.cluster.given import GivenCluster
from tests.cluster.site import ClusterSite, cluster_site, until
from tests.fakes.separate import Program

LONG_SECONDS = 600.0
#: A slot is free when no create of the worker can land any more, and its pod is gone.
LATE_CREATE_SECONDS = 75.0


@pytest.fixture(scope="module")
def site(cluster: GivenCluster) -> Iterator[ClusterSite]:
    """A site with an api and a scheduler."""
    with cluster_site(cluster) as made:
        made.api().ready()
        made.scheduler().ready()
        yield made


@pytest.fixture
def api(site: ClusterSite) -> Program:
    """The api of the site."""
    return site.programs[0]


def test_a_run_is_one_kubernetes_job_and_leaves_its_result_and_nothing_else(
    site: ClusterSite, api: Program
) -> None:
    job = site.submit(api, seconds=2.0)
    pod = site.pod_of(job)
    (kubernetes_job,) = [
        each
        for each in site.objects("jobs")
        if each["metadata"]["labels"]["videoannotator.io/job"] == job
    ]

    site.until_state(job, "completed", "failed")

    (worker,) = site.workers(job)
    name = kubernetes_job["metadata"]["name"]
    assert site.state(job) == "completed", site.told(job)
    assert name == f"va-journal-{worker['id']}"
    assert worker["identity"] == pod["metadata"]["uid"]
    assert [each["outcome"] for each in site.attempts(job)] == ["completed"]
    site.until_gone(job)
    until(lambda: not site.objects("jobs") and not site.objects("pods"), lambda: site.told(job))


def test_a_cancel_ends_the_pod_and_then_frees_the_slot(
    site: ClusterSite, api: Program, cluster: GivenCluster
) -> None:
    job = site.submit(api, seconds=LONG_SECONDS)
    site.until_state(job, "running")
    uid = site.pod_of(job)["metadata"]["uid"]
    until(lambda: site.workers(job)[0]["state"] == "up", lambda: site.told(job))

    site.cancel(api, job)
    site.until_state(job, "cancelled")

    assert uid not in cluster.processes_of_pods()
    (worker,) = site.workers(job)
    assert worker["state"] == "gone"
    assert worker["unproven_since"] is None
    until(lambda: not site.objects("jobs") and not site.objects("pods"), lambda: site.told(job))


def test_a_run_that_fails_says_why_in_the_words_of_its_worker(
    site: ClusterSite, api: Program
) -> None:
    job = site.submit(api, fault="media")

    site.until_state(job, "completed", "failed")

    (run,) = site.runs(job)
    assert run["state"] == "failed"
    assert run["failure"]["code"] == "MEDIA_ERROR"
