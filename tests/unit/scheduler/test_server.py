"""Where a scheduler serves the api: a socket or a port, and the address that is told."""

import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from videoannotator.domain.errors import InvalidSetting
from videoannotator.rpc.tokens import sha256_hex
from videoannotator.scheduler.composing import policy
from videoannotator.scheduler.server import SchedulerServer, reachable
from videoannotator.scheduler.servicer import SERVICE, SchedulerServicer
from videoannotator.settings import Settings


@pytest.mark.parametrize(
    ("listen", "address", "told"),
    [
        ("unix:/s", "", "unix:/s"),
        ("unix:/s", "host:1", "unix:/s"),
        ("127.0.0.1:0", "", "127.0.0.1:7"),
        ("10.0.0.7:7", "", "10.0.0.7:7"),
        ("[::1]:7", "", "[::1]:7"),
        ("0.0.0.0:7", "", "this:7"),
        ("[::]:0", "", "this:7"),
        ("0.0.0.0:7", "scheduler.site:50052", "scheduler.site:50052"),
    ],
)
def test_the_api_is_told_an_address_that_it_can_dial(
    listen: str, address: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "this")

    assert reachable(listen, address, 7) == told


def a_server() -> SchedulerServer:
    servicer = SchedulerServicer(lambda: None, lambda: None, policy(Settings(), 1.0))
    return SchedulerServer(servicer, sha256_hex("token"), None)


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_a_standby_serves_and_is_healthy(service: str) -> None:
    served = a_server()
    port = await served.start("127.0.0.1:0")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=20)
    await served.stop()

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_port_that_is_taken_is_refused_by_the_name_of_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(InvalidSetting, match=address) as refused:
            await a_server().start(address)

    assert "VIDEOANNOTATOR_SCHEDULER__LISTEN" in refused.value.hint


async def test_what_never_started_can_be_stopped() -> None:
    await a_server().stop()
