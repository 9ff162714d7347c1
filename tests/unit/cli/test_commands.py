"""Commands against a server: what they ask, what they write."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.fakes.server import API, Answer, FakeServer, envelope, file_body, job_body, run_body
from tests.unit.cli.conftest import Command

JOBS = f"{API}/jobs"
JOB = f"{JOBS}/j1"
PIPELINE = {
    "name": "scene_detection",
    "version": "1.0",
    "availability": {"state": "missing_part", "reason": "x is missing", "command": "pip install x"},
    "outputs": [{"format": "JSON", "types": ["scenes"]}],
    "config_schema": {"threshold": {"type": "number", "default": 27, "description": "How much."}},
}

QUEUE = {
    "waiting": [
        {"position": 1, "pipeline": "voice_activity", "job_id": "j2", "reason": "no free slot"}
    ],
    "slots": [
        {
            "worker_id": "w1",
            "pipeline": "scene_detection",
            "job_id": "j1",
            "state": "running",
            "gpus": 1,
            "since": "2026-01-31T12:00:00Z",
            "unproven_since": None,
        }
    ],
    "max_workers": 2,
    "max_gpu_workers": 1,
    "draining": True,
    "ticked_at": "2026-01-31T12:00:00Z",
}


@pytest.fixture
def video(tmp_path: Path) -> str:
    (tmp_path / "clip.mp4").write_bytes(b"video")
    return "clip.mp4"


def only_json(text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()]


def test_submit_writes_the_id_and_nothing_else(
    command: Command, server: FakeServer, video: str
) -> None:
    server.gives("POST", JOBS, job_body("pending"), 201)

    ended = command("job", "submit", video, "--pipelines", "a, b")

    assert ended.out == "j1\n"
    assert b"a,b" in server.asked[0].body
    assert "videoannotator job watch j1" in ended.err


def test_submit_sends_the_parameters_of_a_file(
    command: Command, server: FakeServer, video: str, tmp_path: Path
) -> None:
    server.gives("POST", JOBS, job_body("pending"), 201)
    (tmp_path / "c.json").write_text('{"a": {"x": 1}}')

    command("job", "submit", video, "--pipelines", "a", "--config", "c.json", "--priority", "2")

    assert b'{"a": {"x": 1}}' in server.asked[0].body


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_a_file_that_holds_no_parameters_is_refused(
    command: Command, server: FakeServer, video: str, tmp_path: Path, text: str
) -> None:
    (tmp_path / "c.json").write_text(text)

    ended = command("job", "submit", video, "--pipelines", "a", "--config", "c.json")

    assert (ended.code, server.asked) == (2, [])


def test_submit_can_wait_for_the_end(command: Command, server: FakeServer, video: str) -> None:
    server.gives("POST", JOBS, job_body("pending"), 201)
    server.gives("GET", JOB, job_body("failed"))

    ended = command("job", "submit", video, "--pipelines", "a", "--wait")

    assert ended.code == 1
    assert "failed: No picture. (MEDIA_ERROR)" in ended.out
    assert "Convert it." in ended.err


def test_watch_writes_a_document_for_each_change(command: Command, server: FakeServer) -> None:
    running = job_body("running", runs=[run_body("running")])
    server.says("GET", JOB, Answer(body=running), Answer(body=job_body()))
    server.says("GET", f"{JOB}/events", Answer(body=b"data: {}\n\n"))

    ended = command("job", "watch", "j1", "--json")

    assert only_json(ended.out) == [running, job_body()]
    assert ended.err == ""


def test_watch_writes_lines_where_there_is_no_terminal(
    command: Command, server: FakeServer
) -> None:
    running = job_body("running", runs=[run_body("running")])
    server.says("GET", JOB, Answer(body=running), Answer(body=job_body()))
    server.says("GET", f"{JOB}/events", Answer(body=b"data: {}\n\n"))

    ended = command("job", "watch", "j1")

    assert ended.err.splitlines() == [
        "clip.mp4: scene_detection: running, detect, 40%, 12.5x",
        "clip.mp4: scene_detection: succeeded, 12 scenes, 2.0 s",
    ]
    assert "\x1b" not in ended.err + ended.out


def test_list_asks_for_what_is_wanted(command: Command, server: FakeServer) -> None:
    page = {"jobs": [job_body()], "total": 7, "page": 2, "per_page": 1}
    server.gives("GET", JOBS, page)

    ended = command("job", "list", "--status", "failed", "--page", "2", "--per-page", "1")

    query = server.asked[0].query
    assert (query["status_filter"], query["page"]) == (["failed"], ["2"])
    assert "clip.mp4" in ended.out
    assert "1 of 7 jobs" in ended.err


@pytest.mark.parametrize(
    ("arguments", "method", "path", "body"),
    [
        (("job", "status", "j1"), "GET", JOB, job_body()),
        (("job", "list"), "GET", JOBS, {"jobs": [], "total": 0, "page": 1, "per_page": 20}),
        (("job", "cancel", "j1"), "POST", f"{JOB}/cancel", job_body("cancelling")),
        (
            ("job", "results", "j1"),
            "GET",
            f"{JOB}/results",
            {"job_id": "j1", "status": "completed", "pipeline_results": {}},
        ),
        (("scheduler", "status"), "GET", f"{API}/queue", QUEUE),
        (("pipelines", "show", "x"), "GET", f"{API}/pipelines/x", PIPELINE),
        (("pipelines", "list"), "GET", f"{API}/pipelines", {"pipelines": [PIPELINE], "total": 1}),
    ],
)
def test_a_program_gets_the_servers_own_words(
    command: Command,
    server: FakeServer,
    arguments: tuple[str, ...],
    method: str,
    path: str,
    body: object,
) -> None:
    server.gives(method, path, body)

    ended = command(*arguments, "--json")

    assert only_json(ended.out) == [body]
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "method", "path"),
    [
        (("job", "delete", "j1"), "DELETE", JOB),
        (("scheduler", "drain"), "POST", f"{API}/scheduler/drain"),
        (("scheduler", "abandon", "w1"), "POST", f"{API}/workers/w1/abandon"),
    ],
)
def test_a_command_without_data_writes_json_only_when_asked(
    command: Command, server: FakeServer, arguments: tuple[str, ...], method: str, path: str
) -> None:
    server.says(method, path, Answer(status=204))

    plain, for_program = command(*arguments), command(*arguments, "--json")

    assert plain.out == ""
    assert plain.err
    assert len(only_json(for_program.out)) == 1
    assert server.paths(method) == [path, path]


def test_drain_can_be_undone(command: Command, server: FakeServer) -> None:
    server.gives("POST", f"{API}/scheduler/drain", {})

    command("scheduler", "drain", "--off")

    assert server.asked[0].body == b'{"on":false}'


def test_a_pipeline_is_shown_with_its_parameters(command: Command, server: FakeServer) -> None:
    server.gives("GET", f"{API}/pipelines/scene_detection", PIPELINE)

    said = command("pipelines", "show", "scene_detection").out

    for word in ("threshold", "27", "How much.", "missing_part", "pip install x", "JSON (scenes)"):
        assert word in said


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (
            {"type": "float", "default": 0.5, "minimum": 0, "maximum": 255.0, "unit": "s"},
            ["float", "0.5", "0 to 255", "s"],
        ),
        ({"type": "integer", "default": None, "minimum": 1}, ["integer", "none", "at least 1"]),
        ({"type": "float", "exclusiveMinimum": 0, "maximum": 2}, ["more than 0, at most 2"]),
        ({"type": "string", "default": "a", "enum": ["a", "b"]}, ["string", "a", "a, b"]),
        ({"type": "boolean", "default": False}, ["boolean", "false"]),
        ({"type": "array", "default": []}, ["array", "[]"]),
    ],
)
def test_a_parameter_is_shown_with_default_bounds_choices_and_unit(
    command: Command, server: FakeServer, described: dict[str, object], words: list[str]
) -> None:
    schema = {"knob": {**described, "description": "Help."}}
    server.gives("GET", f"{API}/pipelines/p", {"name": "p", "config_schema": schema})

    said = command("pipelines", "show", "p").out.splitlines()[-1]

    assert said.split("  ")[0] == "knob"
    cells = [cell.strip() for cell in said.split("  ") if cell.strip()]
    assert cells[-1].endswith("Help.")
    for word in words:
        assert word in [*cells, *" ".join(cells[1:]).split()]


def test_the_scheduler_is_shown_with_its_workers_and_what_waits(
    command: Command, server: FakeServer
) -> None:
    server.gives("GET", f"{API}/queue", QUEUE)

    said = command("scheduler", "status").out

    assert "1 of 2" in said
    assert "nothing new is launched" in said
    (worker,) = [line.split() for line in said.splitlines() if line.startswith("w1")]
    assert worker[:5] == ["w1", "running", "scene_detection", "j1", "1"]
    (waits,) = [line.split() for line in said.splitlines() if "j2" in line]
    assert waits == ["1", "voice_activity", "j2", "no", "free", "slot"]


def test_an_idle_scheduler_is_shown_without_tables(command: Command, server: FakeServer) -> None:
    server.gives("GET", f"{API}/queue", {**QUEUE, "waiting": [], "slots": []})

    said = command("scheduler", "status").out

    assert "0 of 2" in said
    assert "WORKER" not in said


def test_submit_says_once_that_it_must_wait(
    command: Command, server: FakeServer, video: str
) -> None:
    busy = Answer(
        status=429,
        body=envelope("LIMIT_REACHED", "Too many uploads."),
        headers={"Retry-After": "7"},
    )
    server.says("POST", JOBS, busy, busy, Answer(status=201, body=job_body("pending")))

    ended = command("job", "submit", video, "--pipelines", "a")

    assert (ended.code, ended.out) == (0, "j1\n")
    assert ended.err.splitlines()[0] == "Too many uploads. Trying again in 7 s."
    assert ended.err.count("Trying again") == 1


def test_a_server_that_is_away_for_a_moment_is_no_reason_for_words(
    command: Command, server: FakeServer
) -> None:
    away = Answer(status=503, body=envelope("UNAVAILABLE", "Not now."))
    server.says("GET", JOB, away, Answer(body=job_body()))

    assert command("job", "status", "j1").err == ""


def test_download_writes_the_paths(command: Command, server: FakeServer, tmp_path: Path) -> None:
    run = run_body("succeeded", artifacts=[file_body(hashlib.sha256(b"{}").hexdigest())])
    server.gives("GET", JOB, job_body(runs=[run]))
    server.gives("GET", f"{JOB}/results/files/scene_detection", b"{}")

    ended = command("job", "download", "j1", "-o", "out")

    assert ended.out == "out/clip_scene_detection.json\n"
    assert (tmp_path / "out" / "clip_scene_detection.json").read_bytes() == b"{}"


def test_download_can_save_one_archive(
    command: Command, server: FakeServer, tmp_path: Path
) -> None:
    server.gives("GET", f"{JOB}/artifacts", b"PK")

    ended = command("job", "download", "j1", "--zip", "all.zip", "--json")

    assert only_json(ended.out) == [{"files": ["all.zip"]}]
    assert (tmp_path / "all.zip").read_bytes() == b"PK"


@pytest.mark.parametrize(("valid", "code"), [(True, 0), (False, 2)])
def test_parameters_are_checked_by_the_server(
    command: Command, server: FakeServer, tmp_path: Path, valid: bool, code: int
) -> None:
    finding = {"field": "a.x", "message": "Too low.", "hint": "At least 1.", "severity": "error"}
    answer = {"valid": valid, "errors": [] if valid else [finding]}
    server.gives("POST", f"{API}/config/validate", answer)
    (tmp_path / "c.json").write_text('{"a": {"x": 0}}')

    ended = command("config", "validate", "c.json")

    assert ended.code == code
    assert ("error: a.x: Too low. At least 1." in ended.out) is not valid
    sent = json.loads(server.asked[0].body)
    assert sent == {"config": {"a": {"x": 0}}, "selected_pipelines": ["a"]}


def test_settings_are_shown_with_their_origin_and_without_secrets(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hidden@host/db")
    monkeypatch.setenv("VIDEOANNOTATOR_TOKEN", "va_hidden")

    plain, for_program = command("config", "show"), command("config", "show", "--json")
    described = command("config", "show", "--describe")

    assert "environment DATABASE_URL" in plain.out
    assert "Largest video" in described.out
    for said in (plain.out, described.out, for_program.out):
        assert "hidden" not in said
    (document,) = only_json(for_program.out)
    assert isinstance(document, dict)
    assert {"setting", "variable", "value", "origin", "description"} == set(document["settings"][0])


def test_the_version_is_told(command: Command) -> None:
    from videoannotator import __version__

    assert command("version").out == f"{__version__}\n"
    assert only_json(command("version", "--json").out) == [{"version": __version__}]
