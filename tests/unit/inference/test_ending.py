"""How a worker's process ends, and with what status."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.fakes.worker_process import (
    PATIENCE_SECONDS,
    StartedWorker,
    assignment,
    silent_video,
    started_worker,
    worker_environment,
)
from videoannotator.domain.errors import Stopped, VideoAnnotatorError
from videoannotator.domain.jobs import Progress
from videoannotator.rpc.work import Assignment, Completed
from videoannotator.rpc.worker import WorkerClient


def outcomes(journal: Path) -> list[str]:
    """How the work in a journal ended; "" for what began."""
    return [json.loads(line)["outcome"] for line in journal.read_text().splitlines()]


async def read(client: WorkerClient, work: Assignment, reported: asyncio.Event) -> list[object]:
    """Starts the work and hears all that it tells; sets `reported` at its first progress."""
    events: list[object] = []
    async for event in client.annotate(work, 1):
        events.append(event)
        if isinstance(event, Progress):
            reported.set()
    return events


async def begun(client: WorkerClient, work: Assignment) -> asyncio.Task[list[object]]:
    """Starts the work and returns when it reports; the task reads the rest."""
    reported = asyncio.Event()
    task = asyncio.create_task(read(client, work, reported))
    await asyncio.wait_for(reported.wait(), PATIENCE_SECONDS)
    return task


async def until(path: Path) -> None:
    """Waits for a file: the pipeline has begun."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not path.exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("parameters", "how", "status"),
    [
        ({"seconds": 60}, "stop", 143),
        ({"load_seconds": 1.5}, "stop", 143),
        ({"seconds": 60}, "SIGTERM", 143),
        ({"load_seconds": 1.5}, "SIGTERM", 143),
        ({"seconds": 60}, "SIGINT", 130),
    ],
)
async def test_work_stops_at_its_next_checkpoint_and_leaves_no_result(
    tmp_path: Path, parameters: dict[str, object], how: str, status: int
) -> None:
    journal = tmp_path / "journal"
    video = silent_video(tmp_path / "v")
    work = assignment(tmp_path / "out", video, journal=str(journal), **parameters)
    async with started_worker(tmp_path) as worker:
        client = await worker.ready()
        stream = await begun(client, work)
        await until(journal)

        await ask_to_end(worker, client, how)

        assert await worker.ended() == status
        with pytest.raises(VideoAnnotatorError):
            await stream
    assert outcomes(journal) == ["", "stopped"]
    assert not (tmp_path / "out" / "manifest.json").exists()


async def ask_to_end(worker: StartedWorker, client: WorkerClient, how: str) -> None:
    """Asks in one of three ways."""
    if how == "stop":
        await client.stop(1, "a test", 5.0)
    else:
        worker.send(signal.Signals[how])


async def test_while_stopping_it_still_answers_and_begins_nothing_new(tmp_path: Path) -> None:
    work = assignment(tmp_path / "out", silent_video(tmp_path / "v"), load_seconds=2)
    async with started_worker(tmp_path) as worker:
        client = await worker.ready()
        stream = await begun(client, work)

        await client.stop(1, "a test", 5.0)
        identity = await client.keep_alive(1, 5.0)

        assert identity
        with pytest.raises(Stopped):
            await stream
        assert await worker.ended() == 143


@pytest.mark.parametrize(("how", "status"), [("stop", 0), ("SIGTERM", 143)])
async def test_a_finished_worker_ends_well_when_asked_and_never_when_killed(
    tmp_path: Path, how: str, status: int
) -> None:
    work = assignment(tmp_path / "out", silent_video(tmp_path / "v"))
    async with started_worker(tmp_path) as worker:
        client = await worker.ready()
        events = [event async for event in client.annotate(work, 1)]

        await ask_to_end(worker, client, how)

        assert isinstance(events[-1], Completed)
        assert await worker.ended() == status
    assert (tmp_path / "out" / "manifest.json").exists()


async def test_an_idle_worker_that_is_stopped_has_no_result_to_be_proud_of(tmp_path: Path) -> None:
    async with started_worker(tmp_path) as worker:
        client = await worker.ready()

        await client.stop(1, "a test", 5.0)

        assert await worker.ended() == 143


async def test_work_that_never_asks_is_cut_off_within_the_grace(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    video = silent_video(tmp_path / "v")
    work = assignment(tmp_path / "out", video, journal=str(journal), hang_seconds=600)
    async with started_worker(tmp_path, stop_grace_seconds=1) as worker:
        await begun(await worker.ready(), work)
        await until(journal)

        worker.send(signal.SIGTERM)

        assert await worker.ended() == 143
    assert outcomes(journal) == [""]


async def test_kill_leaves_no_manifest(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    video = silent_video(tmp_path / "v")
    work = assignment(tmp_path / "out", video, journal=str(journal), seconds=60)
    async with started_worker(tmp_path) as worker:
        await begun(await worker.ready(), work)
        await until(journal)

        worker.send(signal.SIGKILL)

        assert await worker.ended() == -signal.SIGKILL
    assert not list((tmp_path / "out").iterdir())


async def test_a_worker_that_nobody_calls_ends_and_says_so(tmp_path: Path) -> None:
    async with started_worker(tmp_path, orphan_grace_seconds=1) as worker:
        assert await worker.ended() == 76

    assert json.loads(worker.termination.read_text())["code"] == "UNREACHABLE"


async def test_a_call_without_the_token_keeps_nobody_alive(tmp_path: Path) -> None:
    async with started_worker(tmp_path, orphan_grace_seconds=2) as worker:
        stranger = worker.client(token="wrong")

        async def pester() -> None:
            while True:
                await asyncio.gather(stranger.keep_alive(9, 1.0), return_exceptions=True)
                await asyncio.sleep(0.1)

        pestering = asyncio.create_task(pester())
        status = await worker.ended()
        pestering.cancel()

    assert status == 76


async def test_an_orphan_stops_its_work_though_a_stream_is_open(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    video = silent_video(tmp_path / "v")
    work = assignment(tmp_path / "out", video, journal=str(journal), seconds=60)
    async with started_worker(tmp_path, orphan_grace_seconds=2) as worker:
        await begun(await worker.ready(), work)

        assert await worker.ended() == 76
    assert outcomes(journal) == ["", "stopped"]
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.slow
async def test_an_orphan_ends_even_when_its_engine_holds_the_interpreter(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    video = silent_video(tmp_path / "v")
    work = assignment(tmp_path / "out", video, journal=str(journal), freeze_seconds=600)
    async with started_worker(tmp_path, orphan_grace_seconds=3, stop_grace_seconds=1) as worker:
        told = read(await worker.ready(), work, asyncio.Event())  # it may freeze before a word
        reading = asyncio.create_task(told)
        await until(journal)

        assert await worker.ended() == 1
        with pytest.raises(VideoAnnotatorError):
            await reading
    assert outcomes(journal) == [""]


async def test_keep_alive_keeps_it_alive_beyond_the_grace(tmp_path: Path) -> None:
    work = assignment(tmp_path / "out", silent_video(tmp_path / "v"), seconds=4)
    async with started_worker(tmp_path, orphan_grace_seconds=2) as worker:
        client = await worker.ready()
        stream = await begun(client, work)
        while not stream.done():
            await client.keep_alive(1, 5.0)
            await asyncio.wait([stream], timeout=0.2)

    assert isinstance((await stream)[-1], Completed)


async def test_an_orphan_with_a_result_leaves_it_and_ends_well(tmp_path: Path) -> None:
    work = assignment(tmp_path / "out", silent_video(tmp_path / "v"))
    async with started_worker(tmp_path, orphan_grace_seconds=2) as worker:
        client = await worker.ready()
        events = [event async for event in client.annotate(work, 1)]

        assert isinstance(events[-1], Completed)
        assert await worker.ended() == 0
    assert (tmp_path / "out" / "manifest.json").exists()


async def test_what_the_pipeline_left_running_is_asked_to_end_with_its_worker(
    tmp_path: Path,
) -> None:
    work = assignment(tmp_path / "out", silent_video(tmp_path / "v"), child_seconds=600)
    async with started_worker(tmp_path) as worker:
        client = await worker.ready()
        events = [event async for event in client.annotate(work, 1)]
        session = worker.process.pid

        await client.stop(1, "a test", 5.0)

        assert isinstance(events[-1], Completed)
        assert await worker.ended() == 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while group_lives(session):  # noqa: ASYNC110 - other processes end
                await asyncio.sleep(0.02)


def group_lives(number: int) -> bool:
    """Whether any process of a group is there."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ([], {"id": "w", "token_sha256": "0" * 64, "listen": "unix:s"}),
        (["no_such_pipeline"], {"id": "w", "token_sha256": "0" * 64, "listen": "unix:s"}),
        (["journal"], {"id": "w", "token_sha256": "short", "listen": "unix:s"}),
        (["journal"], {"id": "w", "token_sha256": "0" * 64, "listen": "unix:/" + "x" * 200}),
    ],
)
async def test_a_worker_that_cannot_start_says_why_and_ends_with_64(
    tmp_path: Path, arguments: list[str], settings: dict[str, object]
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "videoannotator.inference",
        *arguments,
        env=worker_environment(settings),
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()

    assert process.returncode == 64
    assert b'"level": "error"' in said
    assert b"Traceback" not in said
