"""Probes: they tell how the process is, and survive whoever asks nonsense."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from videoannotator.domain.errors import InvalidSetting
from videoannotator.processes import probes
from videoannotator.processes.probes import Probes


class Process:
    """Ready or not, stuck or not."""

    trouble = ""
    stuck = False


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
async def address(process: Process) -> AsyncIterator[str]:
    async def ready() -> str:
        return process.trouble

    served = Probes(ready, lambda: not process.stuck)
    port = await served.start("127.0.0.1", 0)
    yield f"http://127.0.0.1:{port}"
    await served.stop()


async def get(url: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.request(method, url)


@pytest.mark.parametrize(
    ("trouble", "status", "told"),
    [
        ("", 200, {"status": "ok"}),
        ("No cluster.", 503, {"status": "not ready", "reason": "No cluster."}),
    ],
)
async def test_readiness_is_the_process_own_and_says_why_not(
    address: str, process: Process, trouble: str, status: int, told: dict[str, str]
) -> None:
    process.trouble = trouble

    answer = await get(f"{address}/readyz?x")

    assert (answer.status_code, answer.json()) == (status, told)
    assert (await get(f"{address}/livez")).status_code == 200


async def test_a_process_that_is_stuck_is_not_alive_whatever_it_can_reach(
    address: str, process: Process
) -> None:
    process.stuck = True

    answer = await get(f"{address}/livez")

    assert (answer.status_code, answer.json()) == (503, {"status": "stuck"})
    assert (await get(f"{address}/readyz")).status_code == 200


async def test_metrics_are_as_prometheus_reads_them(address: str) -> None:
    answer = await get(f"{address}/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "videoannotator_" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/api", 404), ("POST", "/livez", 405)]
)
async def test_nothing_else_is_answered(address: str, method: str, path: str, status: int) -> None:
    assert (await get(address + path, method)).status_code == status


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x16\x03\x01\x02\x00\x01", b"GET", b"\xff\xfe\r\n\r\n", b"a" * 100_000],
    ids=["nothing", "TLS", "half a line", "no text", "too much"],
)
async def test_nonsense_ends_its_own_connection_alone(
    address: str, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: unheard.append(what))
    monkeypatch.setattr(probes, "READ_SECONDS", 0.2)
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(sent)
    try:
        async with asyncio.timeout(30):
            answer = await reader.read()
    except ConnectionResetError:
        answer = b""
    writer.close()

    assert not answer.startswith(b"HTTP/1.1 200")
    assert unheard == []
    assert (await get(f"{address}/livez")).status_code == 200


async def test_a_port_that_is_taken_is_refused_by_the_name_of_its_setting() -> None:
    async def ready() -> str:
        return ""

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidSetting, match=str(port)) as refused:
            await Probes(ready).start("127.0.0.1", port)

    assert "VIDEOANNOTATOR_TELEMETRY__PORT" in refused.value.hint
