"""The chart with a bucket: workers work by signed addresses, and hold no key."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.given import GivenCluster
from tests.cluster.installing import Installation, database, installing, namespace
from tests.cluster.up.places import NODE_ADDRESS
from tests.cluster.up.processes import Failed, until
from tests.cluster.up.programs import program
from tests.fakes.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server
from videoannotator.client import Client
from videoannotator.media.sample import make_sample

NAMESPACE = "chart-s3"
SECRET = "bucket"
JOB_SECONDS = 180.0

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def server(cluster: GivenCluster) -> Iterator[S3Server]:
    """An S3 server on this machine, which pods reach."""
    if not cluster.ours:
        pytest.skip("pods must reach this machine: needs the cluster of make cluster")
    found = S3Server(program("versitygw"), NODE_ADDRESS)
    found.start()
    yield found
    found.close()


@pytest.fixture(scope="module")
def installed(cluster: GivenCluster, server: S3Server) -> Iterator[Installation]:
    """The release of k8s/values/test.yaml, its bytes in a bucket."""
    with namespace(cluster, NAMESPACE), database(cluster, NAMESPACE) as secret:
        keys = (f"access-key-id={ACCESS_KEY}", f"secret-access-key={SECRET_KEY}")
        literals = [f"--from-literal={each}" for each in keys]
        cluster.kubectl(
            f"--namespace={NAMESPACE}", "create", "secret", "generic", SECRET, *literals
        )
        bucket = {
            "storage.kind": "s3",
            "storage.volume.existingClaim": "",
            "storage.s3.url": f"s3://{BUCKET}/site",
            "storage.s3.endpoint": server.endpoint,
            "storage.s3.existingSecret": SECRET,
            "storage.s3.signedSeconds": "60",
            "storage.s3.resignSeconds": "10",
        }
        yield from installing(
            Installation(cluster=cluster, namespace=NAMESPACE, sets={**secret, **bucket})
        )


def test_helm_test_annotates_a_video(installed: Installation) -> None:
    try:
        installed.helm("test", installed.release, "--timeout=300s")
    except Failed as error:
        pytest.fail(f"{error}\n{installed.why()}", pytrace=False)


def test_a_worker_holds_no_key_and_mounts_no_storage(
    installed: Installation, tmp_path: Path
) -> None:
    video = tmp_path / "clip.mp4"
    make_sample(video)

    with (
        installed.forwarded(80) as port,
        Client(f"http://127.0.0.1:{port}", token=installed.admin_key()) as client,
    ):
        job = client.submit(video, ["scene_detection"])
        (body,) = installed.until_launched(job.id, 1)
        until("the job is over", lambda: client.job(job.id).status == "completed", JOB_SECONDS)
        files = client.download(job.id, tmp_path / "results")

    pod = body["spec"]["template"]["spec"]
    told = json.dumps(body)
    assert len(files) == 2
    assert [each for each in (ACCESS_KEY, SECRET_KEY, SECRET, "X-Amz") if f'"{each}' in told] == []
    assert not any("valueFrom" in each for each in pod["containers"][0]["env"])
    assert "envFrom" not in pod["containers"][0]
    assert {tuple(set(each) - {"name"}) for each in pod["volumes"]} == {("emptyDir",)}
    assert pod["automountServiceAccountToken"] is False
