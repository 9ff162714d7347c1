"""A real inference service: its own process, on a Unix socket, as a launcher starts it."""

import asyncio
import hashlib
import json
import os
import signal
import sys
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from videoannotator.domain.errors import WorkerUnreachable
from videoannotator.rpc.channel import KEEPALIVE, Keepalive
from videoannotator.rpc.tokens import sha256_hex, worker_token
from videoannotator.rpc.work import Assignment
from videoannotator.rpc.worker import WorkerClient

PLUGINS = Path(__file__).resolve().parent / "plugins"
WORKER_KEY = b"a key for tests"
WORKER_ID = "testworker01"
TOKEN = worker_token(WORKER_KEY, WORKER_ID)
PATIENCE_SECONDS = 30.0  # for anything that must happen soon on a busy machine


@dataclass(kw_only=True)
class StartedWorker:
    """A worker's process and how to call it."""

    process: asyncio.subprocess.Process
    socket: Path
    log: Path
    termination: Path
    clients: list[WorkerClient] = field(default_factory=list)

    def client(self, token: str = TOKEN, keepalive: Keepalive = KEEPALIVE) -> WorkerClient:
        """A new channel to it; closed with the worker."""
        client = WorkerClient(f"unix:{self.socket}", token, keepalive)
        self.clients.append(client)
        return client

    async def ready(self) -> WorkerClient:
        """A channel on which it has answered Describe."""
        client = self.client()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await described(client):
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)
        return client

    async def ended(self) -> int:
        """Its exit status."""
        return await asyncio.wait_for(self.process.wait(), PATIENCE_SECONDS)

    def send(self, number: int) -> None:
        """Sends it a signal."""
        self.process.send_signal(number)

    def log_lines(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]


async def described(client: WorkerClient, epoch: int = 1) -> bool:
    """Whether the worker answers yet: it takes a moment to start."""
    try:
        await client.describe(epoch, 5.0)
    except WorkerUnreachable:
        return False
    return True


@asynccontextmanager
async def started_worker(
    folder: Path, pipeline: str = "journal", **settings: object
) -> AsyncIterator[StartedWorker]:
    """A worker of `pipeline` with its socket and log in `folder`; killed at the end.

    `settings` are those of WorkerSettings, as `orphan_grace_seconds=1`.
    """
    termination = folder / "termination"
    given = {
        "id": WORKER_ID,
        "token_sha256": sha256_hex(TOKEN),
        "listen": f"unix:{folder / 'socket'}",
        "termination_file": termination,
        "stop_grace_seconds": 10,
    } | settings
    log = folder / "log"
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "videoannotator.inference",
            pipeline,
            env=worker_environment(given),
            stderr=stream,
            start_new_session=True,
        )
    worker = StartedWorker(
        process=process, socket=folder / "socket", log=log, termination=termination
    )
    try:
        yield worker
    finally:
        await _put_away(worker)


async def _put_away(worker: StartedWorker) -> None:
    for client in worker.clients:
        await client.close()
    try:
        os.killpg(worker.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        await worker.process.wait()


def worker_environment(settings: Mapping[str, object]) -> dict[str, str]:
    """The environment of a worker that finds the test's own pipelines."""
    prefix = "VIDEOANNOTATOR_WORKER_"
    inherited = {name: value for name, value in os.environ.items() if prefix not in name}
    chosen = {prefix + name.upper(): str(value) for name, value in settings.items()}
    return {**inherited, "PYTHONPATH": str(PLUGINS), **chosen}


def silent_video(path: Path, seconds: float = 1.0) -> Path:
    """A recording that can be probed and costs nothing to make: a second of silence."""
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(8000)
        stream.writeframes(bytes(2 * int(8000 * seconds)))
    return path


def assignment(folder: Path, video: Path, **parameters: object) -> Assignment:
    """Attempt 1 of a run of the journal pipeline, with results in `folder`, which is made."""
    folder.mkdir(parents=True)
    content = video.read_bytes()
    return Assignment(
        run_id="run-1",
        attempt=1,
        pipeline="journal",
        parameters=parameters,
        video_id="video-1",
        path=str(video),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        directory=str(folder),
    )


def of_attempt(work: Assignment, number: int) -> Assignment:
    """The same work as another attempt, in a folder of its own, which is made."""
    folder = Path(work.directory or "").with_name(f"attempt-{number}")
    folder.mkdir()
    return replace(work, attempt=number, directory=str(folder))
