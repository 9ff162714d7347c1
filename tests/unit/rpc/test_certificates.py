"""TLS over TCP: who is trusted, what is refused, and certificates that are replaced."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from tests.fakes.certificates import Authority
from videoannotator.domain.errors import InvalidSetting
from videoannotator.rpc.certificates import Certificates, certificates_of, is_refusal
from videoannotator.rpc.channel import bind, dial
from videoannotator.settings import RpcSettings

LOCAL = ("DNS:localhost", "IP:127.0.0.1")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("trusted") / "authority")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("strange") / "authority")


@pytest.fixture
def ours(authority: Authority, tmp_path: Path) -> Path:
    return authority.sign(tmp_path / "ours", *LOCAL)


@asynccontextmanager
async def serving(certificates: Certificates | None) -> AsyncIterator[str]:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
    credentials = certificates.for_server() if certificates else None
    port = bind(server, "127.0.0.1:0", credentials, "scheduler.listen")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def ask(address: str, certificates: Certificates | None) -> None:
    channel = dial(address, "token", certificates=certificates)
    try:
        stub = health_pb2_grpc.HealthStub(channel)
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
    finally:
        await channel.close(None)


async def test_both_sides_of_one_authority_trust_each_other(ours: Path) -> None:
    async with serving(Certificates(ours)) as address:
        await ask(address, Certificates(ours))


async def test_a_certificate_of_another_authority_is_refused(
    ours: Path, stranger: Authority, tmp_path: Path
) -> None:
    theirs = stranger.sign(tmp_path / "theirs", *LOCAL)
    async with serving(Certificates(ours)) as address:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(address, Certificates(theirs))

    assert is_refusal(refused.value)


async def test_the_name_in_a_certificate_counts_and_may_be_a_chosen_one(
    authority: Authority, tmp_path: Path
) -> None:
    folder = authority.sign(tmp_path / "named", "DNS:scheduler.site")
    async with serving(Certificates(folder)) as address:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(address, Certificates(folder))
        await ask(address, Certificates(folder, "scheduler.site"))

    assert is_refusal(refused.value)


async def test_who_does_not_answer_at_all_has_refused_no_certificate(ours: Path) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as unreachable:
        await ask("127.0.0.1:1", Certificates(ours))

    assert not is_refusal(unreachable.value)


async def test_a_client_without_tls_is_not_served(ours: Path) -> None:
    async with serving(Certificates(ours)) as address:
        with pytest.raises(grpc.aio.AioRpcError):
            await ask(address, None)


async def test_a_unix_socket_stays_plain(ours: Path, tmp_path: Path) -> None:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
    bind(server, f"unix:{tmp_path}/s", Certificates(ours).for_server(), "scheduler.listen")
    await server.start()

    await ask(f"unix:{tmp_path}/s", Certificates(ours))
    await ask(f"unix:{tmp_path}/s", None)
    await server.stop(None)


async def test_a_replaced_certificate_is_shown_without_a_restart(
    ours: Path, stranger: Authority, tmp_path: Path
) -> None:
    before = Certificates(ours)
    async with serving(before) as address:
        await ask(address, Certificates(ours))
        stranger.sign(ours, *LOCAL)

        await ask(address, Certificates(ours))


async def test_half_a_replacement_changes_nothing_yet(
    ours: Path, stranger: Authority, tmp_path: Path
) -> None:
    known = Certificates(ours)
    credentials = known.for_client()
    async with serving(known) as address:
        (ours / "tls.key").write_bytes(
            (stranger.sign(tmp_path / "next", *LOCAL) / "tls.key").read_bytes()
        )
        async with grpc.aio.secure_channel(address, credentials) as channel:
            stub = health_pb2_grpc.HealthStub(channel)

            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def emptied(folder: Path, name: str) -> None:
    (folder / name).write_text("")


def removed(folder: Path, name: str) -> None:
    (folder / name).unlink()


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
@pytest.mark.parametrize("spoil", [emptied, removed])
def test_a_folder_that_lacks_something_is_refused_by_name(
    ours: Path, name: str, spoil: Callable[[Path, str], None]
) -> None:
    spoil(ours, name)

    with pytest.raises(InvalidSetting) as refused:
        certificates_of(RpcSettings(certificate_folder=ours))

    assert refused.value.field == "VIDEOANNOTATOR_RPC__CERTIFICATE_FOLDER"
    assert f"has a value '{ours}' that is not allowed" in refused.value.message


def test_a_key_of_another_certificate_is_refused(
    ours: Path, authority: Authority, tmp_path: Path
) -> None:
    other = authority.sign(tmp_path / "other", *LOCAL)
    (ours / "tls.key").write_bytes((other / "tls.key").read_bytes())

    with pytest.raises(InvalidSetting, match=r"tls\.key"):
        Certificates(ours)


def test_without_a_folder_there_is_no_tls() -> None:
    assert certificates_of(RpcSettings()) is None
