"""`videoannotator serve` killed by SIGKILL with work under way, and started again."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.site import QUICK, journal, plugins_on_path, workers_of
from videoannotator.client import Client
from videoannotator.client.records import Job
from videoannotator.domain.jobs import JOB_FINAL, JobState
from videoannotator.scheduler.composing import socket_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 60.0
ANY_PORTS = ("--port", "0", "--grpc-port", "0")


@dataclass
class Service:
    """The command, on one storage folder."""

    root: Path
    key: str = ""
    address: str = ""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> Client:
        """Starts it on a free port; a client with the first key."""
        settings = {**QUICK, "lease_seconds": 1.2, "renew_seconds": 0.3, "orphan_grace_seconds": 20}
        quick = {f"VIDEOANNOTATOR_SCHEDULER__{k.upper()}": str(v) for k, v in settings.items()}
        root = {"VIDEOANNOTATOR_STORAGE__ROOT": str(self.root)}
        with (self.root.parent / "serve.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "videoannotator.cli", "serve", "--json", *ANY_PORTS],
                cwd=self.root.parent,
                env={**os.environ, **plugins_on_path(), **quick, **root},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.started.append(process)
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        self.key = told["admin_key"] or self.key
        self.address = told["address"]
        return Client(self.address, token=self.key)

    def kill(self) -> None:
        """kill -9."""
        process = self.started[-1]
        process.kill()
        process.wait(SECONDS)
        assert process.stdout is not None
        process.stdout.close()

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        process = self.started[-1]
        process.send_signal(signal.SIGINT)
        status = process.wait(SECONDS)
        assert process.stdout is not None
        process.stdout.close()
        return status


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that leaves no process behind."""
    served = Service(tmp_path / "storage")
    yield served
    for process in served.started:
        if process.poll() is None:
            process.kill()
            process.wait(SECONDS)
    left = workers_of(tmp_path)
    for worker in left:
        worker.kill()
    shutil.rmtree(socket_folder(served.root), ignore_errors=True)
    assert left == []


def until(reached: Callable[[], Any], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def submitted(client: Client, clip: Path, lines: Path, **parameters: Any) -> Job:
    told = {"journal": {"journal": str(lines), **parameters}}
    return client.submit(clip, ["journal"], told)


def ended(client: Client, job: Job) -> Job:
    until(lambda: client.job(job.id).status in JOB_FINAL)
    return client.job(job.id)


def events(lines: Path) -> list[str]:
    return [line["event"] for line in journal(lines)]


def test_work_goes_on_when_serve_is_killed_and_started_again(
    service: Service, clip: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "journal"
    with service.start() as client:
        job = submitted(client, clip, lines, seconds=6)
        until(lambda: journal(lines))
    service.kill()
    with service.start() as client:
        done = ended(client, job)
    status = service.stop()

    assert done.status is JobState.COMPLETED
    assert done.error_message == ""
    assert [file.stored_name for file in done.runs[0].artifacts] == ["journal.json"]
    assert events(lines) == ["started", "ended"], "one worker did all of it"
    assert status == 130


def test_a_run_is_repeated_when_serve_and_its_worker_are_killed_together(
    service: Service, clip: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "journal"
    with service.start() as client:
        job = submitted(client, clip, lines, seconds=3, child_seconds=90)
        until(lambda: journal(lines))
    service.kill()
    with contextlib.suppress(ProcessLookupError):
        os.kill(journal(lines)[0]["pid"], signal.SIGKILL)
    with service.start() as client:
        done = ended(client, job)
    service.stop()

    assert done.status is JobState.COMPLETED
    assert events(lines) == ["started", "started", "ended"]


def test_serve_can_be_killed_again_and_again_at_any_moment(
    service: Service, clip: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "journal"
    with service.start() as client:
        jobs = [submitted(client, clip, lines, seconds=seconds) for seconds in (1, 3, 6)]
        client.cancel(submitted(client, clip, lines, seconds=60).id)
    for pause_seconds in (0.0, 0.7, 1.9):
        service.kill()
        service.start().close()
        time.sleep(pause_seconds)
    service.kill()
    with service.start() as client:
        states = [ended(client, job).status for job in jobs]
        everything = [ended(client, job).status for job in client.jobs()]
    service.stop()

    assert states == [JobState.COMPLETED] * 3
    assert sorted(everything) == [JobState.CANCELLED, *[JobState.COMPLETED] * 3]
    assert "overlap" not in events(lines)
    finished = [line["run"] for line in journal(lines) if line["outcome"] == "completed"]
    assert len(finished) == len(set(finished)) == 3
