"""The requests of the REST guide, sent in its order to a real server."""

import json
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.architecture.source import ROOT
from tests.architecture.test_docs import REQUESTS, commands
from videoannotator.cli.private import PrivateServer, private_server
from videoannotator.cli.private_folder import private_folder
from videoannotator.media.sample import make_sample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
GRACE_SECONDS = 10.0
LONGEST_SECONDS = 120.0
ENDED = ("completed", "failed", "cancelled")


@dataclass(slots=True)
class Request:
    """What a curl command sends."""

    url: str = ""
    method: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)


def parsed(command: str) -> Request:
    """A curl command; the few options that the guide uses."""
    request = Request()
    words = iter(shlex.split(command)[1:])
    for word in words:
        match word:
            case "-H":
                name, value = next(words).split(": ", 1)
                request.headers[name] = value
            case "-F":
                name, value = next(words).split("=", 1)
                request.form[name] = value
            case "-X":
                request.method = next(words)
            case "-o":
                next(words)
            case "-N":
                pass
            case _:
                request.url = word
    return request


def send(client: httpx.Client, request: Request, video: Path) -> httpx.Response:
    """Sends it; of an endless answer only the beginning is awaited."""
    method = request.method or ("POST" if request.form else "GET")
    files = {
        name: (video.name, video.read_bytes()) if value.startswith("@") else (None, value)
        for name, value in request.form.items()
    }
    with client.stream(
        method, request.url, headers=request.headers, files=files or None
    ) as response:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            response.read()
        return response


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    """A server of its own."""
    with (
        private_folder(tmp_path_factory.mktemp("server")) as folder,
        private_server(folder, GRACE_SECONDS) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample under the name of the guide."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_sample(path)
    return path


def wait_until_ended(client: httpx.Client, url: str, headers: dict[str, str]) -> None:
    """Looks at the job until it has ended."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while client.get(url, headers=headers).json()["status"] not in ENDED:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_requests_of_the_guide_work(server: PrivateServer, video: Path) -> None:
    job, sent, bearer = "", [], {"Authorization": f"Bearer {server.token}"}
    page = (ROOT / REQUESTS).read_text(encoding="utf-8")
    with httpx.Client(timeout=60) as client:
        for command in commands(page):
            if not command.startswith("curl"):
                continue
            filled = command.replace("$TOKEN", server.token).replace("$JOB", job)
            request = parsed(filled.replace("http://localhost:18011", server.address))
            if request.url.endswith("/results"):
                wait_until_ended(client, request.url.removesuffix("/results"), bearer)
            response = send(client, request, video)
            expected = (200, 201, 204, 409) if "/cancel" in command else (200, 201, 204)
            assert response.status_code in expected, f"{command}: {response.status_code}"
            if response.status_code == 201:
                job = json.loads(response.content)["id"]
            sent.append(command)

    assert len(sent) >= 8


def test_the_python_of_the_guide_works(
    server: PrivateServer, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(video.parent)
    (program,) = PYTHON.findall((ROOT / REQUESTS).read_text(encoding="utf-8"))
    program = program.replace("http://localhost:18011", server.address)
    names: dict[str, object] = {}

    exec(program.replace("va_…", server.token), names)

    assert getattr(names["job"], "id", "")
