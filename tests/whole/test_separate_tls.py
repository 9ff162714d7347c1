"""Separate processes whose gRPC goes over TCP with TLS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.fakes.certificates import Authority
from tests.fakes.separate import Program, SeparateSite, separate_site
from videoannotator.domain.errors import Unavailable
from videoannotator.v1 import pipeline_pb2, pipeline_pb2_grpc

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(300)]

FOLDER = "VIDEOANNOTATOR_RPC__CERTIFICATE_FOLDER"
LOCAL = ("DNS:localhost", "IP:127.0.0.1")
#: What a site's processes share when they share no folder for it.
SECRETS = {
    "VIDEOANNOTATOR_RPC__INTERNAL_TOKEN": "1a" * 32,
    "VIDEOANNOTATOR_RPC__WORKER_KEY": "2b" * 32,
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SeparateSite]:
    with separate_site(tmp_path) as opened:
        yield opened


def start(site: SeparateSite, folder: Path) -> tuple[Program, Program]:
    """A scheduler and two apis, the second of which trusts somebody else."""
    ours = Authority(folder / "ours").sign(folder / "certificates", *LOCAL)
    theirs = Authority(folder / "theirs").sign(folder / "foreign", *LOCAL)
    programs = (
        site.scheduler("--listen", "127.0.0.1:0", **SECRETS, **{FOLDER: str(ours)}),
        site.api(**SECRETS, **{FOLDER: str(ours)}),
        site.api(**SECRETS, **{FOLDER: str(theirs)}),
    )
    for program in programs:
        program.ready()
    return programs[1], programs[2]


def test_tls_is_spoken_by_all_and_a_foreign_certificate_is_refused_in_words(
    site: SeparateSite, tmp_path: Path
) -> None:
    trusted, foreign = start(site, tmp_path)
    with site.client(trusted) as client:
        queue = client.queue()
    with site.client(foreign) as client, pytest.raises(Unavailable) as refused:
        client.queue()

    assert not queue.draining
    assert "certificate" in refused.value.message
    assert foreign.lines("scheduler_not_trusted")
    assert listed(trusted, tmp_path / "certificates", site.key) > 0
    with pytest.raises(grpc.RpcError) as unknown:
        listed(trusted, tmp_path / "foreign", site.key)
    assert unknown.value.code() is grpc.StatusCode.UNAVAILABLE
    assert not (site.root / "secrets").exists(), "the settings hold the secrets"


def listed(api: Program, folder: Path, key: str) -> int:
    """How many pipelines the public gRPC server tells a client that trusts this authority."""
    credentials = grpc.ssl_channel_credentials((folder / "ca.crt").read_bytes())
    with grpc.secure_channel(api.told["grpc_address"], credentials) as channel:
        stub: Any = pipeline_pb2_grpc.PipelineServiceStub
        answer = stub(channel).ListPipelines(
            pipeline_pb2.ListPipelinesRequest(),
            metadata=(("authorization", f"Bearer {key}"),),
            timeout=20,
        )
    return len(answer.pipelines)
