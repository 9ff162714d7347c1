"""Whole runs through a fake cluster: the real scheduler, launcher and workers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.kube.pace import eventually
from tests.fakes.kube.site import KubernetesSite, kubernetes_site
from tests.fakes.site import succeeded
from tests.fakes.videos import write_clip
from videoannotator.domain.jobs import AttemptOutcome, JobState, WorkerState
from videoannotator.scheduler.launchers.kubernetes.launcher import KubernetesLauncher


@pytest.fixture
async def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubernetesSite]:
    """A site on a fake cluster, which takes no create late."""
    monkeypatch.setattr(KubernetesLauncher, "late_create_seconds", 0.0)
    async with kubernetes_site(tmp_path) as made:
        yield made


async def submitted(there: KubernetesSite, **parameters: object) -> str:
    """A job of the journal pipeline on a small clip."""
    video = await there.site.add_video(write_clip(there.folder / "clip.mp4"))
    return await there.site.submit(video, ("journal", dict(parameters)))


async def test_a_run_becomes_a_kubernetes_job_then_a_result_and_nothing_is_left(
    there: KubernetesSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "videoannotator.scheduler.launchers.kubernetes.launcher.LEFT_OVER_SECONDS", 0.0
    )
    job = await submitted(there)

    async with there.scheduling():
        rows = await there.site.ended(job)
        await eventually(lambda: not there.cluster.objects.all("jobs"))

    assert succeeded(rows)
    assert [attempt.outcome for attempt in rows.attempts] == [AttemptOutcome.COMPLETED]
    assert there.cluster.count("create-jobs") == 1
    assert rows.workers[0].identity is not None
    assert there.cluster.objects.all("pods") == []


async def test_a_cancel_ends_the_pod_and_then_the_run(there: KubernetesSite) -> None:
    job = await submitted(there, seconds=600.0)

    async with there.scheduling():
        await there.site.running(job)
        await there.site.cancel(job)
        rows = await there.site.ended(job)

    assert rows.job.state is JobState.CANCELLED
    assert rows.workers[0].state is WorkerState.GONE
    assert there.cluster.nodes._running == {}


async def test_the_next_scheduler_goes_on_with_the_pods_of_the_last(there: KubernetesSite) -> None:
    job = await submitted(there, seconds=4.0)
    async with there.scheduling(take_workers=False):
        first = await there.site.running(job)

    async with there.scheduling():
        rows = await there.site.ended(job)

    assert succeeded(rows)
    assert [worker.identity for worker in rows.workers] == [first.workers[0].identity]
    assert there.cluster.count("create-jobs") == 1


async def test_a_pod_that_somebody_deletes_is_replaced(there: KubernetesSite) -> None:
    job = await submitted(there, seconds=2.0)

    async with there.scheduling():
        rows = await there.site.running(job)
        (pod,) = there.cluster.objects.all("pods")
        there.cluster.delete("pods", pod["metadata"]["name"], {})
        rows = await there.site.ended(job)

    assert succeeded(rows)
    assert [attempt.outcome for attempt in rows.attempts][-1] is AttemptOutcome.COMPLETED
    assert len(rows.attempts) == 2
    assert rows.runs[0].infrastructure_failures == 1
