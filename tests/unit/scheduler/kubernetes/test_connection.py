"""The way to the API server: files, credentials, certificates."""

import os
import ssl
from pathlib import Path

import pytest

from tests.fakes.certificates import Authority
from tests.fakes.kube.bodies import job_body, pod_body
from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.pace import eventually
from tests.fakes.kube.reflecting import reflecting
from videoannotator.domain.errors import Forbidden, InvalidSetting, Unavailable
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.connection import TOKEN_SECONDS, Connection


async def test_a_new_token_is_read_when_the_old_one_is_refused(
    fake: FakeCluster, cluster: Cluster, tmp_path: Path
) -> None:
    fake.server.tokens = {"new"}

    with pytest.raises(Forbidden, match="Unauthorized"):
        await cluster.get_job("a")
    assert fake.count("get-jobs") == 1
    fake.kubeconfig(tmp_path, token="new")

    assert await cluster.get_job("a") is None
    assert [each.token for each in fake.requests] == ["secret", "secret", "new"]


async def test_a_create_is_not_sent_a_second_time_with_the_new_token(
    fake: FakeCluster, cluster: Cluster, tmp_path: Path
) -> None:
    fake.server.tokens = {"new"}
    fake.kubeconfig(tmp_path, token="new")

    with pytest.raises(Unavailable, match="replaced"):
        await cluster.create_job(job_body("a"))
    assert fake.count("create-jobs") == 1
    made = await cluster.create_job(job_body("a"))

    assert made.uid == fake.job("a")["metadata"]["uid"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not: a\nkubeconfig: file",
        "{{{",
        "- a list",
        "current-context: gone\ncontexts: []\nclusters: []\nusers: []",
    ],
    ids=["missing", "empty", "another file", "no YAML", "a list", "no context"],
)
async def test_a_file_that_says_no_cluster_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text)

    with pytest.raises(InvalidSetting) as told:
        await Cluster.open("va", file)

    assert "kubernetes.kubeconfig" in told.value.hint
    assert str(tmp_path) not in told.value.message


async def test_outside_of_a_cluster_a_file_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(InvalidSetting) as told:
        await Cluster.open("va")

    assert "kubernetes.kubeconfig" in told.value.hint


class InAPod:
    """The files and the environment that Kubernetes gives to a pod."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        """A service account's folder with a token and the cluster's authority."""
        self.secret = authority.sign(folder / "server", "IP:127.0.0.1")
        self.token = folder / "token"
        self.token.write_text("first\n")
        self.now = 0.0

    def tls(self) -> ssl.SSLContext:
        """For the API server."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.secret / "tls.crt", self.secret / "tls.key")
        return context

    async def connect(self, authority: Path | None = None) -> Connection:
        """As the scheduler does inside."""
        trusted = str(authority or self.secret / "ca.crt")
        return await Connection.inside(str(self.token), trusted, clock=lambda: self.now)


@pytest.fixture
async def pod(fake: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InAPod:
    """A pod of a cluster whose API server speaks TLS."""
    made = InAPod(tmp_path, Authority(tmp_path / "authority"))
    await fake.server.stop()
    await fake.server.start(made.tls())
    monkeypatch.setitem(os.environ, "KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setitem(os.environ, "KUBERNETES_SERVICE_PORT", str(fake.server.port))
    return made


async def test_inside_a_pod_the_service_account_is_used(fake: FakeCluster, pod: InAPod) -> None:
    cluster = Cluster(await pod.connect(), "va")

    assert await cluster.list_pods("app=va") == []
    await cluster.close()

    assert [each.token for each in fake.requests] == ["first"]


async def test_a_token_file_that_is_replaced_is_read_again(fake: FakeCluster, pod: InAPod) -> None:
    cluster = Cluster(await pod.connect(), "va")
    await cluster.get_job("a")

    pod.token.write_text("second")
    await cluster.get_job("a")
    pod.now += TOKEN_SECONDS
    await cluster.get_job("a")
    pod.token.unlink()
    pod.now += TOKEN_SECONDS
    await cluster.get_job("a")
    await cluster.close()

    assert [each.token for each in fake.requests] == ["first", "first", "second", "second"]


async def test_an_api_server_that_another_authority_signed_is_not_trusted(
    fake: FakeCluster, pod: InAPod, tmp_path: Path
) -> None:
    Authority(tmp_path / "other").sign(tmp_path / "stranger", "IP:127.0.0.1")
    cluster = Cluster(await pod.connect(tmp_path / "stranger" / "ca.crt"), "va")

    with pytest.raises(Unavailable, match="certificate") as told:
        await cluster.get_job("a")
    await cluster.close()

    assert "certificate authority" in told.value.hint
    assert fake.requests == []


async def test_a_watch_works_over_tls(fake: FakeCluster, pod: InAPod) -> None:
    cluster = Cluster(await pod.connect(), "va")

    async with reflecting(cluster) as copy:
        await copy.synced()
        fake.objects.add("pods", pod_body("a", app="va"))
        await eventually(lambda: copy.names() == {"a"})
    await cluster.close()
