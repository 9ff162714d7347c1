"""Parts of the command: words, videos, progress, the private server's settings, the socket."""

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.server import job_body, run_body
from videoannotator.api.process import Started
from videoannotator.api.serving import address_of, listening
from videoannotator.cli import machine, serving
from videoannotator.cli.annotating import real_time
from videoannotator.cli.output import duration, size
from videoannotator.cli.private import private_settings
from videoannotator.cli.progress import found, state, worth_telling
from videoannotator.cli.videos import videos_in
from videoannotator.client.records import Run
from videoannotator.domain.errors import InvalidRequest, InvalidSetting
from videoannotator.settings import Settings, load_settings

HEAVY = (
    "fastapi",
    "grpc",
    "sqlalchemy",
    "uvicorn",
    "httpx",
    "alembic",
    "pydantic",
    "rich.progress",
)


def run(status: str, **more: object) -> Run:
    return Run.read(run_body(status, **more))


def test_the_command_starts_without_what_it_may_never_need() -> None:
    program = (
        "import json, sys; import videoannotator.cli.main; print(json.dumps(list(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert set(HEAVY).isdisjoint(json.loads(result.stdout))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (185.4, "3 min 05 s"),
        (7384, "2 h 03 min"),
    ],
)
def test_a_duration_in_words(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (20 * 1024**3, "20.0 GiB")],
)
def test_a_size_in_words(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (run("pending", waiting_reason="waiting for a slot"), "pending, waiting for a slot"),
        (run("starting"), "starting"),
        (run("starting", waiting_reason="waits for a GPU"), "starting, waits for a GPU"),
        (run("running"), "running, detect, 40%, 12.5x"),
        (run("running", rate=0, stage=""), "running, 40%"),
        (run("succeeded"), "succeeded, 12 scenes, 2.0 s"),
        (run("failed"), "failed: No picture. (MEDIA_ERROR)"),
        (run("cancelled"), "cancelled"),
    ],
)
def test_a_run_in_words(now: Run, words: str) -> None:
    assert state(now) == words


def test_what_was_found_in_words() -> None:
    assert found(run("succeeded", summary={"scenes": 2, "speech_seconds": 6})) == (
        "2 scenes, 6 speech seconds"
    )


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, run("pending"), True),
        (run("pending"), run("starting"), True),
        (run("running"), run("running"), False),
        (run("running", progress=0.1), run("running", progress=0.15), False),
        (run("running", progress=0.1), run("running", progress=0.2), True),
        (run("pending", waiting_reason="a"), run("pending", waiting_reason="b"), True),
        (run("starting", attempt=1), run("starting", attempt=2), True),
    ],
)
def test_a_line_is_written_when_it_says_something_new(
    before: Run | None, now: Run, told: bool
) -> None:
    assert worth_telling(before, now) is told


@pytest.mark.parametrize(
    ("media_seconds", "now", "words"),
    [(20, run("succeeded"), "10.0"), (None, run("succeeded"), ""), (20, run("failed"), "")],
)
def test_times_real_time(media_seconds: float | None, now: Run, words: str) -> None:
    assert real_time(media_seconds, now) == words


def test_a_folder_means_its_videos_and_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    for name in ("b.MP4", "a.mkv", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()

    found = videos_in([tmp_path, tmp_path / "notes.txt", tmp_path / "a.mkv"])

    assert [path.name for path in found] == ["a.mkv", "b.MP4", "notes.txt"]


def test_a_folder_without_a_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no video"):
        videos_in([tmp_path])


def test_a_private_server_is_private_whatever_the_environment_says(tmp_path: Path) -> None:
    site = {
        "DATABASE_URL": "postgresql://site/db",
        "STORAGE_ROOT": "/site",
        "API_PORT": "18011",
        "AUTH_REQUIRED": "false",
        "MAX_CONCURRENT_JOBS": "5",
        "VIDEOANNOTATOR_SCHEDULER__LISTEN": "0.0.0.0:50052",
        "VIDEOANNOTATOR_API__GRPC_PORT": "50051",
        "VIDEOANNOTATOR_TELEMETRY__PORT": "9090",
    }

    settings = load_settings({**site, **private_settings(tmp_path)}, None)

    assert settings.storage.root == tmp_path
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/videoannotator.db"
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 0)
    assert (settings.api.grpc_port, settings.telemetry.port) == (None, None)
    assert settings.scheduler.listen == "unix"
    assert settings.auth.required
    assert settings.scheduler.max_workers == 5


def test_a_port_that_is_taken_is_told_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(InvalidSetting, match=str(port)) as refused:  # noqa: SIM117
            with listening("127.0.0.1", port):
                pass

    assert "--port" in refused.value.hint


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://localhost:")]
)
def test_the_address_is_one_that_this_machine_can_call(host: str, shown: str) -> None:
    with listening(host, 0) as listener:
        assert address_of(listener).startswith(shown)


def test_a_sqlite_database_is_made_when_it_is_missing(tmp_path: Path) -> None:
    settings = Settings.model_validate({"storage": {"root": tmp_path / "new"}})

    machine.prepare_schema(settings)

    assert (tmp_path / "new" / "videoannotator.db").exists()


def test_the_first_key_is_announced_clearly_and_for_programs_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = Started(address="http://h:1", grpc_address="h:2", probes_port=None, admin_key="va_x")
    for announce in (serving.announce_server, serving.announce_api):
        announce(first)
        announce(replace(first, grpc_address=None, admin_key=None))
    plain = capsys.readouterr().out
    serving.announce_json(first)

    assert plain.count("export VIDEOANNOTATOR_TOKEN=va_x") == 2
    assert plain.count("http://h:1") == 4
    assert plain.count("h:2") == 2
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "address": "http://h:1",
        "grpc_address": "h:2",
        "probes_port": None,
        "admin_key": "va_x",
    }


def test_a_job_body_of_the_fake_is_whole() -> None:
    assert job_body()["runs"][0]["pipeline"] == "scene_detection"
