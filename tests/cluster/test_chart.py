"""The chart on a real cluster: what it installs works, and what is wrong is told with the fix."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.cluster.given import GivenCluster
from tests.cluster.installing import (
    CLAIM,
    DATABASE_SECRET,
    INSTALL_SECONDS,
    Installation,
    database_secret,
    installed_in,
    namespace,
    volume,
)
from tests.cluster.up.processes import Failed, until
from videoannotator.client import Client
from videoannotator.media.sample import CUT_SECONDS, make_sample
from videoannotator.v1 import job_pb2
from videoannotator.v1.job_pb2_grpc import JobServiceStub

NAMESPACE = "chart"
COMPONENT = "app.kubernetes.io/component"
JOB_SECONDS = 180.0
CHUNK_BYTES = 1024 * 1024

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def installed(cluster: GivenCluster) -> Iterator[Installation]:
    """The release of k8s/values/test.yaml with a real PostgreSQL."""
    with installed_in(cluster, NAMESPACE) as found:
        yield found


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short video with known cuts."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_sample(path)
    return path


def test_two_apis_and_two_schedulers_are_ready(installed: Installation) -> None:
    for component in ("api", "scheduler"):
        pods = installed.objects("pods", f"{COMPONENT}={component}")
        ready = [
            condition["status"]
            for pod in pods
            for condition in pod["status"]["conditions"]
            if condition["type"] == "Ready"
        ]
        assert ready == ["True", "True"]


def test_what_ran_before_is_gone_and_the_secrets_are_there(installed: Installation) -> None:
    assert installed.names("jobs") == set()
    assert f"{installed.name}-make-secrets" not in installed.names("roles")
    made = installed.secret(f"{installed.name}-secrets")
    assert made.keys() == {"internal-token", "worker-key", "admin-key"}


def test_helm_test_annotates_a_video(installed: Installation) -> None:
    try:
        installed.helm("test", installed.release, "--timeout=300s")
    except Failed as error:
        pytest.fail(f"{error}\n{installed.why()}", pytrace=False)

    told = installed.kubectl("logs", f"{installed.name}-test", "--container=test")

    assert "VideoAnnotator annotated a video in this cluster." in told


def test_a_video_over_rest_comes_back_annotated(
    installed: Installation, video: Path, tmp_path: Path
) -> None:
    with (
        installed.forwarded(80) as port,
        Client(f"http://127.0.0.1:{port}", token=installed.admin_key()) as client,
    ):
        job = client.submit(video, ["scene_detection", "voice_activity"])
        seen = {each["metadata"]["name"] for each in installed.until_launched(job.id, 2)}
        until("the job is over", lambda: client.job(job.id).status == "completed", JOB_SECONDS)
        files = client.download(job.id, tmp_path)

    assert {name.rpartition("-")[0] for name in seen} == {"va-scene-detection", "va-voice-activity"}
    assert any("scene_detection" in path.name for path in files)
    assert len(CUT_SECONDS) == 3


def test_a_video_over_grpc_comes_back_annotated(installed: Installation, video: Path) -> None:
    with installed.forwarded(50051) as port:
        state = asyncio.run(over_grpc(port, installed.admin_key(), video.name, video.read_bytes()))

    assert state == job_pb2.JOB_STATE_COMPLETED


async def over_grpc(port: int, key: str, name: str, content: bytes) -> int:
    """Submits with the video's bytes by gRPC, and watches the job to its end; its last state."""
    headers = (("authorization", f"Bearer {key}"),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = JobServiceStub(channel)  # type: ignore[no-untyped-call]
        answer = await stub.SubmitJob(asked(name, content), metadata=headers, timeout=60)
        watching = stub.WatchJob(
            job_pb2.WatchJobRequest(job_id=answer.job.id), metadata=headers, timeout=JOB_SECONDS
        )
        states = [told.job.status async for told in watching if told.HasField("job")]
    return int(states[-1])


async def asked(name: str, content: bytes) -> AsyncIterator[job_pb2.SubmitJobRequest]:
    """A submission: what is asked for, then the bytes."""
    upload = job_pb2.VideoUpload(filename=name, size_bytes=len(content))
    wanted = job_pb2.JobSpecification(upload=upload, selected_pipelines=["scene_detection"])
    yield job_pb2.SubmitJobRequest(specification=wanted)
    for start in range(0, len(content), CHUNK_BYTES):
        yield job_pb2.SubmitJobRequest(chunk=content[start : start + CHUNK_BYTES])


def test_an_upgrade_changes_a_setting_and_no_secret(installed: Installation) -> None:
    before = installed.secret(f"{installed.name}-secrets")

    installed.put("upgrade", INSTALL_SECONDS, "logLevel=debug")

    assert installed.secret(f"{installed.name}-secrets") == before
    maps = {each["metadata"]["name"]: each["data"] for each in installed.objects("configmaps")}
    told = maps[f"{installed.name}-settings"]["VIDEOANNOTATOR_TELEMETRY__LOG_LEVEL"]
    assert told == "debug"


def test_a_removal_keeps_secrets_and_videos_and_nothing_else(installed: Installation) -> None:
    installed.helm("uninstall", installed.release, "--wait", "--timeout=120s")

    assert installed.names("secrets") == {f"{installed.name}-secrets", DATABASE_SECRET}
    assert installed.names("persistentvolumeclaims") == {CLAIM}
    for kind in ("deployments", "services", "roles", "rolebindings", "networkpolicies"):
        assert installed.names(kind) == set()


def test_a_missing_secret_is_named_by_the_pods_that_wait_for_it(cluster: GivenCluster) -> None:
    with namespace(cluster, "chart-secret"), volume(cluster, "chart-secret") as values:
        found = Installation(cluster=cluster, namespace="chart-secret", sets=values)

        with pytest.raises(Failed):
            found.put("install", seconds=20)

        events = found.kubectl("get", "events", "-o", "jsonpath={.items[*].message}")
        assert f'secret "{DATABASE_SECRET}" not found' in events


def test_an_unreachable_database_is_told_by_the_migration(cluster: GivenCluster) -> None:
    with namespace(cluster, "chart-database"), volume(cluster, "chart-database") as values:
        database_secret(cluster, "chart-database", "postgresql://va@10.243.0.1:9/nothing")
        found = Installation(cluster=cluster, namespace="chart-database", sets=values)

        with pytest.raises(Failed):
            found.put("install", seconds=40)

        told = found.kubectl("logs", "--selector", f"{COMPONENT}=migration", "--tail=-1")
        assert "database" in told.lower()
