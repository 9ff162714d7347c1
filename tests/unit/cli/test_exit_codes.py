"""Every documented exit code, by a command that ends with it."""

import json

import pytest

from tests.fakes.server import API, Answer, FakeServer, envelope, job_body, run_body
from tests.unit.cli.conftest import Command
from videoannotator.cli.exits import MEANINGS, ExitCode, exit_code
from videoannotator.cli.main import app
from videoannotator.cli.output import tell_interrupted
from videoannotator.domain import errors

JOB = f"{API}/jobs/j1"


def test_0_when_all_is_well(command: Command, server: FakeServer) -> None:
    server.gives("GET", JOB, job_body())

    assert command("job", "status", "j1").code == 0


@pytest.mark.parametrize(
    "body",
    [
        job_body("failed"),
        job_body("cancelled", runs=[run_body("cancelled")]),
        job_body("completed", runs=[run_body("succeeded"), run_body("failed", "b")]),
    ],
    ids=["failed", "cancelled", "in part"],
)
def test_1_when_a_job_that_was_waited_for_did_not_succeed(
    command: Command, server: FakeServer, body: dict[str, object]
) -> None:
    server.gives("GET", JOB, body)

    assert command("job", "watch", "j1").code == 1


def test_1_when_the_server_refuses_for_another_reason(command: Command, server: FakeServer) -> None:
    server.gives("POST", f"{JOB}/cancel", envelope("JOB_ALREADY_COMPLETED", "It ended."), 409)

    assert command("job", "cancel", "j1").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("job", "status"),
        ("nonsense",),
        ("job", "list", "--status", "nonsense"),
        ("job", "submit", "nowhere.mp4", "--pipelines", "a"),
        ("job", "status", "j1", "--server", "nonsense"),
        ("process", "nowhere.mp4"),
        ("config", "validate", "nowhere.json"),
    ],
)
def test_2_when_the_command_is_wrong(command: Command, arguments: tuple[str, ...]) -> None:
    ended = command(*arguments)

    assert ended.code == 2
    assert ended.err


def test_2_when_a_setting_is_wrong(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "x")

    ended = command("config", "show")

    assert ended.code == 2
    assert "API_PORT has a value 'x'" in ended.err


def test_2_when_a_parameter_is_wrong(command: Command, server: FakeServer) -> None:
    server.gives("GET", JOB, envelope("INVALID_CONFIG", "Bad."), 400)

    assert command("job", "status", "j1").code == 2


def test_3_when_the_server_is_not_there(command: Command) -> None:
    ended = command("job", "list", "--server", "http://127.0.0.1:9")

    assert ended.code == 3
    assert "--server" in ended.err


def test_3_when_a_part_of_the_server_does_not_answer(command: Command, server: FakeServer) -> None:
    server.gives("GET", JOB, envelope("DATABASE_UNAVAILABLE", "No."), 503)

    assert command("job", "status", "j1").code == 3


@pytest.mark.parametrize(("status", "code"), [(401, "HTTP_ERROR"), (403, "FORBIDDEN")])
def test_4_when_the_key_is_not_enough(
    command: Command, server: FakeServer, status: int, code: str
) -> None:
    server.gives("GET", JOB, envelope(code, "No."), status)

    assert command("job", "status", "j1").code == 4


def test_5_when_there_is_no_such_job(command: Command, server: FakeServer) -> None:
    server.gives("GET", JOB, envelope("JOB_NOT_FOUND", "Job not found", hint="List them."), 404)

    ended = command("job", "status", "j1")

    assert ended.code == 5
    assert ended.out == ""
    assert ended.err == "Error: Job not found\nList them.\n"


def test_130_when_interrupted(command: Command, server: FakeServer, monkeypatch) -> None:
    server.gives("GET", JOB, job_body("running"))
    server.says("GET", f"{JOB}/events", Answer(status=404))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("videoannotator.client.client.signals", interrupted)

    assert command("job", "watch", "j1").code == 130


def test_an_interruption_outside_of_a_command_is_told_too() -> None:
    assert tell_interrupted() == 130


def test_a_program_gets_the_error_as_json(command: Command, server: FakeServer) -> None:
    server.gives("GET", JOB, envelope("JOB_NOT_FOUND", "Job not found", hint="List them."), 404)

    ended = command("job", "status", "j1", "--json")

    (line,) = ended.out.splitlines()
    told = {"kind": "JobNotFound", "message": "Job not found", "hint": "List them.", "field": None}
    assert json.loads(line) == {"error": told}


def test_every_code_is_in_the_help(command: Command) -> None:
    said = " ".join(command("--help").out.split())

    assert set(MEANINGS) == set(ExitCode)
    assert app.info.epilog is not None
    for code in ExitCode:
        assert f"{code.value} {MEANINGS[code]}" in app.info.epilog
    assert "Exit codes: 0 all is well" in said


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidSetting, ExitCode.USAGE),
        (errors.TooLarge, ExitCode.USAGE),
        (errors.NotLeader, ExitCode.UNREACHABLE),
        (errors.SchemaMismatch, ExitCode.FAILED),
        (errors.Forbidden, ExitCode.DENIED),
        (errors.WorkerNotFound, ExitCode.NOT_FOUND),
        (errors.LimitReached, ExitCode.FAILED),
        (errors.StorageFull, ExitCode.FAILED),
    ],
)
def test_an_error_has_the_code_of_its_kind(
    error: type[errors.VideoAnnotatorError], code: ExitCode
) -> None:
    assert exit_code(error()) is code
