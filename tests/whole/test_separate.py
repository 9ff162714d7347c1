"""Two apis and two schedulers on one storage folder and one database do all that `serve` does."""

import json
import signal
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.fakes.separate import Program, SeparateSite, separate_site, until
from tests.fakes.site import QUICK, journal
from videoannotator.client import Client
from videoannotator.domain.jobs import JOB_FINAL, JobState, RunState

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(300)]

TIMES = {**QUICK, "orphan_grace_seconds": 60.0}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeparateSite]:
    """Two of each, started at once on an empty database."""
    with separate_site(tmp_path_factory.mktemp("separate"), times=TIMES) as opened:
        for _ in range(2):
            opened.api("--telemetry-port", "0", VIDEOANNOTATOR_API__STOP_GRACE_SECONDS="60")
            opened.scheduler("--telemetry-port", "0")
        for program in opened.programs:
            program.ready()
        yield opened


@pytest.fixture
def apis(site: SeparateSite) -> Iterator[tuple[Client, Client]]:
    """A client of each api."""
    with site.client(site.programs[0]) as one, site.client(site.programs[2]) as other:
        yield one, other


def test_the_first_key_is_told_once_by_apis_that_start_at_once(site: SeparateSite) -> None:
    told = [program.told.get("admin_key") for program in site.programs]

    assert sum(key is not None for key in told) == 1


def test_a_standby_is_as_ready_as_a_leader(site: SeparateSite) -> None:
    answers = [probe(program, "readyz") for program in site.programs]

    assert answers == [200] * 4
    assert [probe(program, "livez") for program in site.programs] == [200] * 4
    assert [health(program) for program in site.programs] == ["SERVING"] * 4


def test_a_job_that_one_api_takes_is_the_other_ones_too(
    site: SeparateSite, apis: tuple[Client, Client], clip: Path, tmp_path: Path
) -> None:
    one, other = apis
    told = {"journal": {"journal": str(tmp_path / "journal"), "seconds": 3.0}}
    with listening(site.programs[2], site.key) as events:
        job = one.submit(clip, ["journal"], told)
        seen = list(other.watch(job.id))
        until(lambda: any(tells_end(line, job.id) for line in events))
    results = other.results(job.id)
    archive = other.artifacts(job.id, tmp_path / "all.zip")

    assert any(0 < each.runs[0].progress < 1 for each in seen), "progress moves"
    assert seen[-1].status is JobState.COMPLETED
    assert list(results.pipeline_results) == ["journal"]
    assert any("journal" in name for name in zipfile.ZipFile(archive).namelist())
    assert [line["event"] for line in journal(tmp_path / "journal")] == ["started", "ended"]


def test_the_queue_is_the_leaders_whoever_is_asked_and_a_cancel_frees_it(
    apis: tuple[Client, Client], clip: Path
) -> None:
    one, other = apis
    job = one.submit(clip, ["journal"], {"journal": {"seconds": 60.0}})
    until(lambda: other.job(job.id).runs[0].status is RunState.RUNNING)

    shown = [asked.queue().slots for asked in apis]
    other.cancel(job.id)
    until(lambda: one.job(job.id).status in JOB_FINAL)

    assert [[slot.job_id for slot in slots] for slots in shown] == [[job.id]] * 2
    assert one.job(job.id).status is JobState.CANCELLED
    until(lambda: one.queue().slots == ())


def test_the_queue_is_told_right_after_the_leader_was_stopped(
    site: SeparateSite, apis: tuple[Client, Client]
) -> None:
    schedulers = [program for program in site.programs if "unix:" in program.told["address"]]
    leader = until(lambda: next((each for each in schedulers if leads(each)), None))
    before = [asked.queue().draining for asked in apis]

    status = leader.end(signal.SIGTERM)
    after = [asked.queue().draining for asked in apis]

    assert (before, after, status) == ([False] * 2, [False] * 2, 0)


def test_a_stopped_api_finishes_its_requests_and_takes_no_more(
    site: SeparateSite, apis: tuple[Client, Client], clip: Path
) -> None:
    api = site.programs[0]
    with listening(api, site.key) as events, upload(api, site.key, clip) as halfway:
        api.send(signal.SIGTERM)
        until(lambda: probe(api, "readyz") == 503)
        until(events.ended.is_set)
        alive = probe(api, "livez")
        until(lambda: refuses(api))
        answer = halfway()

    until(lambda: all(job.status in JOB_FINAL for job in apis[1].jobs()))
    assert alive == 200
    assert answer.startswith(b"HTTP/1.1 201")
    assert api.process.wait(60) == 0


def tells_end(line: str, job_id: str) -> bool:
    """The line of an event stream says that the job is completed."""
    if not line.startswith("data:"):
        return False
    data = json.loads(line.removeprefix("data:"))
    return (data.get("job_id"), data.get("status")) == (job_id, "completed")


def probe(program: Program, path: str) -> int:
    return httpx.get(f"http://127.0.0.1:{program.told['probes_port']}/{path}").status_code


def refuses(program: Program) -> bool:
    """Nobody listens any more."""
    try:
        httpx.get(f"{program.told['address']}/livez")
    except httpx.ConnectError:
        return True
    except httpx.TransportError:  # it was in line when the port was closed
        return False
    return False


def health(program: Program) -> str:
    address = program.told.get("grpc_address") or program.told["address"]
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        status = stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(status))


def leads(scheduler: Program) -> bool:
    led = len(scheduler.lines("scheduler.led"))
    return len(scheduler.lines("scheduler.leading")) > led and scheduler.process.poll() is None


class Events(list[str]):
    """Lines of an event stream, as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.ended = threading.Event(), threading.Event()


@contextmanager
def listening(api: Program, key: str) -> Iterator[Events]:
    """Listens to all events that the key's owner may see."""
    lines, leaving = Events(), threading.Event()
    headers = {"Authorization": f"Bearer {key}"}

    def listen() -> None:
        with httpx.stream(
            "GET", f"{api.told['address']}/api/v1/events/stream", headers=headers, timeout=60
        ) as response:
            lines.began.set()
            for line in response.iter_lines():
                lines.append(line)
                if leaving.is_set():
                    return
        lines.ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert lines.began.wait(60)
    yield lines
    leaving.set()
    thread.join(60)


@contextmanager
def upload(api: Program, key: str, clip: Path) -> Iterator[Any]:
    """Half of an upload is sent; a call sends the rest and returns the answer."""
    url = httpx.URL(api.told["address"])
    content = b"".join(
        [
            b'--x\r\nContent-Disposition: form-data; name="selected_pipelines"\r\n\r\njournal\r\n',
            b'--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n',
            clip.read_bytes(),
            b"\r\n--x--\r\n",
        ]
    )
    head = (
        f"POST /api/v1/jobs HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {len(content)}\r\n"
        f"Authorization: Bearer {key}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    ).encode()
    with socket.create_connection((url.host, url.port or 80), 60) as connection:
        connection.sendall(head + content[:-500])

        def rest() -> bytes:
            connection.sendall(content[-500:])
            return connection.recv(65536)

        yield rest
