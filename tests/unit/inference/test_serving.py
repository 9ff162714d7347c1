"""One worker, its own process, over a real socket: what it answers to whom."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import videoannotator
from tests.fakes.worker_process import (
    StartedWorker,
    assignment,
    of_attempt,
    silent_video,
    started_worker,
)
from videoannotator.domain.errors import Conflict, InvalidRequest, NotLeader, Unauthenticated
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Progress
from videoannotator.formats.manifest import read_manifest
from videoannotator.rpc.work import Accepted, Assignment, Completed, LogLine, WorkEvent
from videoannotator.rpc.worker import WorkerClient

SPEECH = Path(videoannotator.__file__).parent / "media" / "data" / "speech.flac"


async def told(client: WorkerClient, work: Assignment, epoch: int = 1) -> list[WorkEvent]:
    """Everything one stream says."""
    return [event async for event in client.annotate(work, epoch)]


def journal_of(path: Path) -> list[tuple[str, str]]:
    """The events in a journal, with their outcome."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [(each["event"], each["outcome"]) for each in map(json.loads, lines)]


async def at_work(events: AsyncIterator[WorkEvent], stage: str = "working") -> None:
    """Reads until the work has begun."""
    async for event in events:
        if isinstance(event, Progress) and event.stage == stage:
            return
    raise AssertionError("the stream ended first")


async def test_an_attempt_becomes_files_and_a_manifest_that_fits_them(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    work = assignment(
        tmp_path / "out",
        silent_video(tmp_path / "v"),
        journal=str(journal),
        files=2,
        file_bytes=10,
        log_lines=2,
        seconds=0.2,
    )
    async with started_worker(tmp_path) as worker:
        events = await told(await worker.ready(), work)
        again = await told(worker.client(), work, epoch=2)

    accepted, *_, completed = events
    manifest_bytes = (tmp_path / "out" / "manifest.json").read_bytes()
    manifest = read_manifest(manifest_bytes)
    assert isinstance(accepted, Accepted)
    assert accepted.probe is not None
    assert accepted.probe.duration_seconds == pytest.approx(1.0)
    assert LogLine(level="info", message="line 2") in events
    assert completed == Completed(
        manifest_sha256=hashlib.sha256(manifest_bytes).hexdigest(),
        files=("journal.json", "extra-1.bin", "extra-2.bin"),
        summary={"events": 2},
    )
    for file in manifest.files:
        content = (tmp_path / "out" / file.name).read_bytes()
        assert (file.size_bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (manifest.run_id, manifest.attempt) == ("run-1", 1)
    assert manifest.parameters["file_bytes"] == 10
    assert manifest.video_sha256 == manifest.provenance["input_sha256"] == work.sha256
    assert {"ffmpeg", "libraries", "platform", "python_version", "retries"} <= {
        *manifest.provenance
    }
    assert manifest.provenance["engine"] == "journal"
    # After the end the stored words come again, and nothing is done again.
    assert again[0] == accepted
    assert again[-1] == completed
    assert isinstance(again[-2], Progress)
    assert LogLine(level="info", message="line 2", told_before=True) in again
    assert journal_of(journal) == [("started", ""), ("ended", "completed")]


async def test_only_the_leader_with_the_token_is_heard(tmp_path: Path) -> None:
    work = assignment(tmp_path / "out", silent_video(tmp_path / "v"))
    async with started_worker(tmp_path) as worker:
        client = await worker.ready()
        stranger = worker.client(token="wrong")
        description = await client.describe(7, 5.0)

        with pytest.raises(Unauthenticated):
            await stranger.describe(8, 5.0)
        with pytest.raises(Unauthenticated):
            await stranger.stop(8, "", 5.0)
        with pytest.raises(Unauthenticated):
            await told(stranger, work, 8)
        for old in (client.describe(6, 5.0), client.stop(6, "", 5.0), client.keep_alive(6, 5.0)):
            with pytest.raises(NotLeader):
                await old
        with pytest.raises(NotLeader):
            await told(client, work, 6)
        with pytest.raises(InvalidRequest):
            await told(client, replace(work, pipeline="other"), 7)
        identity = await client.keep_alive(7, 5.0)
        names, serving = await asyncio.gather(reflected(worker), health(worker))

    assert description.pipeline == "journal"
    assert description.attempt == 0
    assert identity == description.identity
    assert {"videoannotator.v1.InferenceService", "grpc.health.v1.Health"} <= names
    assert serving == health_pb2.HealthCheckResponse.SERVING
    assert not list((tmp_path / "out").iterdir())


async def reflected(worker: StartedWorker) -> set[str]:
    """The services that reflection names, to anybody."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async with grpc.aio.insecure_channel(f"unix:{worker.socket}") as channel:
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([request])
        )
        answer = await anext(aiter(call))
    return {service.name for service in answer.list_services_response.service}


async def health(worker: StartedWorker) -> int:
    """What health says of the service, to anybody."""
    request = health_pb2.HealthCheckRequest(service="videoannotator.v1.InferenceService")
    async with grpc.aio.insecure_channel(f"unix:{worker.socket}") as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(request)
    return int(answer.status)


async def test_a_new_leader_attaches_while_the_old_stream_hangs(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    video = silent_video(tmp_path / "v")
    work = assignment(tmp_path / "out", video, journal=str(journal), seconds=1.5)
    async with started_worker(tmp_path) as worker:
        old = worker.client()
        await worker.ready()
        first = old.annotate(work, 1)
        await at_work(first)
        new = worker.client()

        second = asyncio.create_task(told(new, work, 2))
        with pytest.raises(Conflict):
            await told(new, of_attempt(work, 2), 2)
        with pytest.raises(Conflict):
            await told(new, replace(work, run_id="run-2"), 2)
        await old.close()  # losing a stream does not stop the work
        events = await second

    assert isinstance(events[0], Accepted)
    assert isinstance(events[-1], Completed)
    assert journal_of(journal) == [("started", ""), ("ended", "completed")]


async def test_a_result_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    work = assignment(tmp_path / "out", silent_video(tmp_path / "v"), journal=str(journal))
    async with started_worker(tmp_path) as worker:
        made = (await told(await worker.ready(), work))[-1]
    (tmp_path / "second").mkdir()

    async with started_worker(tmp_path / "second") as worker:
        found = await told(await worker.ready(), work)

    assert found[-1] == made
    assert len(journal_of(journal)) == 2


@pytest.mark.parametrize(
    ("parameters", "code", "status"),
    [
        ({"seconds": -1}, Code.REQUEST_ERROR, 64),
        ({"fault": "media"}, Code.MEDIA_ERROR, 65),
        ({"fault": "gpu_memory"}, Code.GPU_OOM, 66),
        ({"fault": "bug"}, Code.PIPELINE_ERROR, 1),
    ],
)
async def test_a_failure_has_its_code_its_exit_status_and_last_words(
    tmp_path: Path, parameters: dict[str, object], code: Code, status: int
) -> None:
    work = assignment(tmp_path / "out", silent_video(tmp_path / "v"), **parameters)
    async with started_worker(tmp_path) as worker:
        client = await worker.ready()
        events = await told(client, work)
        await client.stop(1, "", 5.0)

        assert await worker.ended() == status

    failure = events[-1]
    assert isinstance(events[0], Accepted)
    assert isinstance(failure, Failure)
    assert failure.code is code
    assert "secret" not in failure.message
    words = json.loads(worker.termination.read_text())
    assert (words["code"], words["message"]) == (code.value, failure.message)
    assert not (tmp_path / "out" / "manifest.json").exists()


async def test_a_recording_of_speech_becomes_segments(tmp_path: Path) -> None:
    work = replace(assignment(tmp_path / "out", SPEECH), pipeline="voice_activity")
    async with started_worker(tmp_path, "voice_activity") as worker:
        events = await told(await worker.ready(), work)

    completed = events[-1]
    assert isinstance(completed, Completed)
    manifest = read_manifest((tmp_path / "out" / "manifest.json").read_bytes())
    assert sum(completed.summary.values()) > 0
    assert {file.name for file in manifest.files} == set(completed.files)
    assert "numpy" in manifest.provenance["libraries"]
