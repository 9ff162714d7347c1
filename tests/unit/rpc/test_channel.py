"""Dead peers are noticed, quiet ones are left alone."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.fakes.worker_process import assignment, silent_video, started_worker
from videoannotator.domain.errors import WorkerUnreachable
from videoannotator.domain.jobs import Progress
from videoannotator.rpc.channel import Keepalive, client_options, server_options
from videoannotator.rpc.worker import WorkerClient

# The library pings once a second at most. With its own limits the second ping without data is the
# last one, the fourth would close the connection, and a frozen peer is noticed after a minute.
SHORT = Keepalive(time_seconds=0.3, timeout_seconds=0.5)
QUIET_SECONDS = 5.0
NOTICED_SECONDS = 15.0


def test_a_channel_pings_after_20_seconds_and_gives_up_after_20_more() -> None:
    options = dict(client_options())

    assert options["grpc.keepalive_time_ms"] == 20_000
    assert options["grpc.keepalive_timeout_ms"] == 20_000
    assert options["grpc.http2.ping_timeout_ms"] == 20_000
    assert options["grpc.http2.max_pings_without_data"] == 0


def test_a_server_takes_a_ping_every_10_seconds_and_never_closes_for_too_many() -> None:
    options = dict(server_options())

    assert options["grpc.http2.min_ping_interval_without_data_ms"] == 10_000
    assert options["grpc.http2.max_ping_strikes"] == 0


def test_a_channel_dials_again_soon() -> None:
    assert dict(client_options())["grpc.max_reconnect_backoff_ms"] <= 2000


async def test_a_quiet_load_is_not_cut_and_a_worker_that_freezes_in_it_is_noticed(
    tmp_path: Path,
) -> None:
    async with started_worker(tmp_path) as worker:
        await worker.ready()
        client = worker.client(keepalive=SHORT)
        work = assignment(tmp_path / "out", silent_video(tmp_path / "v"), load_seconds=60)
        events = client.annotate(work, 1)
        while not isinstance(await anext(events), Progress):
            continue
        rest = asyncio.create_task(until_the_end(events))

        cut, _ = await asyncio.wait([rest], timeout=QUIET_SECONDS)
        worker.send(signal.SIGSTOP)

        assert not cut
        async with asyncio.timeout(NOTICED_SECONDS):
            with pytest.raises(WorkerUnreachable):
                await rest


async def test_a_worker_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    client = WorkerClient(f"unix:{tmp_path / 'nothing'}", "token")

    with pytest.raises(WorkerUnreachable):
        await client.describe(1, 5.0)
    await client.close()


async def until_the_end(events: object) -> None:
    """Reads a stream to its end."""
    async for _ in events:  # type: ignore[attr-defined]
        pass
