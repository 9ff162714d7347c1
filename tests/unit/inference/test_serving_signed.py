"""One worker, its own process, that reads and writes at signed addresses."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.signed_server import SignedServer, signed_server
from tests.fakes.worker_process import PATIENCE_SECONDS, silent_video, started_worker
from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.domain.jobs import Progress
from videoannotator.rpc.work import Accepted, Assignment, Completed, WorkEvent
from videoannotator.rpc.worker import WorkerClient

NAMES = ("journal.json", "extra-1.bin", "manifest.json")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SignedServer]:
    async with signed_server() as server:
        server.contents["source"] = silent_video(tmp_path / "v").read_bytes()
        yield server


def assignment(server: SignedServer, **parameters: object) -> Assignment:
    """Attempt 1 of a run of the journal pipeline, with the newest addresses."""
    content = server.contents["source"]
    return Assignment(
        run_id="run-1",
        attempt=1,
        pipeline="journal",
        parameters=parameters,
        video_id="video-1",
        url=server.address("source"),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        signed={name: server.address(name) for name in NAMES},
        manifest_url=server.address("manifest.json"),
    )


async def told(client: WorkerClient, work: Assignment) -> list[WorkEvent]:
    """Everything one stream says."""
    return [event async for event in client.annotate(work, 1)]


async def test_a_second_call_with_the_same_attempt_brings_new_addresses(
    server: SignedServer, tmp_path: Path
) -> None:
    go_on, scratch = tmp_path / "go on", tmp_path / "scratch"
    async with started_worker(tmp_path, scratch=scratch) as worker:
        client = await worker.ready()
        async for event in client.annotate(assignment(server, until=str(go_on)), 1):
            if isinstance(event, Progress) and event.stage == "working":
                break
        server.signature += 1
        second = client.annotate(assignment(server, until=str(go_on)), 1)
        events = [await anext(second)]
        go_on.touch()
        events += [event async for event in second]

    assert isinstance(events[0], Accepted)
    assert events[0].probe is not None
    assert isinstance(events[-1], Completed)
    assert {*NAMES} - {"extra-1.bin"} <= server.contents.keys()
    assert len([asked for asked in server.requests if asked.startswith("PUT")]) == 2
    assert list(scratch.iterdir()) == []
    assert "Signature" not in worker.log.read_text()


async def test_a_stop_in_the_midst_of_the_download_ends_the_worker_and_removes_what_came(
    server: SignedServer, tmp_path: Path
) -> None:
    server.cut_after_bytes, server.stalls = [3000], True
    server.statuses = [404]  # to the question for an earlier manifest
    scratch = tmp_path / "scratch"
    async with started_worker(tmp_path, scratch=scratch) as worker:
        client = await worker.ready()
        stream = asyncio.create_task(told(client, assignment(server)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "GET source" not in server.requests:
                await server.asked.wait()
                server.asked.clear()

        await client.stop(1, "a test", 5.0)

        assert await worker.ended() == 143
        with pytest.raises(VideoAnnotatorError):
            await stream
    assert list(scratch.iterdir()) == []
    assert server.contents.keys() == {"source"}
