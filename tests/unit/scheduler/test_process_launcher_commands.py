"""What a local worker is started with."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.workers import a_worker
from videoannotator.domain.errors import InvalidRequest
from videoannotator.scheduler.launchers.commands import Command, command_of

TERMINATION = Path("/folder/termination")


def commanded(
    arguments: list[str] | None = None,
    environment: dict[str, str] | None = None,
    gpus: tuple[int, ...] = (),
    inherited: dict[str, str] | None = None,
) -> Command:
    worker = a_worker(arguments or ["/bin/sh"], environment=environment, gpus=gpus)
    return command_of(worker, inherited or {}, "unix:/s/1", TERMINATION)


@pytest.mark.parametrize(
    ("gpus", "visible", "expected"),
    [
        ((), None, ""),
        ((), "2,3", ""),
        ((0,), None, "0"),
        ((1, 3), None, "1,3"),
        ((0, 1), "2, 3", "2,3"),
        ((1,), "GPU-1a,GPU-2b", "GPU-2b"),
    ],
)
def test_a_worker_sees_the_gpus_of_its_row_and_no_others(
    gpus: tuple[int, ...], visible: str | None, expected: str
) -> None:
    inherited = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}

    command = commanded(gpus=gpus, inherited=inherited)

    assert command.environment["CUDA_VISIBLE_DEVICES"] == expected


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="GPU"):
        commanded(gpus=(2,), inherited={"CUDA_VISIBLE_DEVICES": "0,1"})


def test_the_body_wins_over_what_is_inherited_and_the_launcher_over_both() -> None:
    body = {"LANG": "C", "VIDEOANNOTATOR_WORKER_LISTEN": "tcp:0.0.0.0", "CUDA_VISIBLE_DEVICES": "7"}

    environment = commanded(environment=body, inherited={"LANG": "en"}).environment

    assert environment["LANG"] == "C"
    assert environment["VIDEOANNOTATOR_WORKER_LISTEN"] == "unix:/s/1"
    assert environment["VIDEOANNOTATOR_WORKER_TERMINATION_FILE"] == str(TERMINATION)
    assert environment["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    "name", ["VIDEOANNOTATOR_TOKEN", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"]
)
def test_secrets_are_not_inherited(name: str) -> None:
    assert name not in commanded(inherited={name: "secret"}).environment


def test_python_paths_stay_right_in_another_folder() -> None:
    inherited = {"PYTHONPATH": "services::/lib/python"}

    environment = commanded(inherited=inherited).environment

    assert environment["PYTHONPATH"] == f"{Path.cwd() / 'services'}:/lib/python"


def test_a_program_is_looked_for_in_the_path_of_the_worker(tmp_path: Path) -> None:
    program = tmp_path / "annotate"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    command = commanded(["annotate", "voice_activity"], {"PATH": str(tmp_path)})

    assert command.arguments == (str(program), "voice_activity")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"arguments": []},
        {"arguments": "sh"},
        {"arguments": ["/bin/sh", 1]},
        {"arguments": ["/bin/sh", "a\0b"]},
        {"arguments": ["/no/such/program"]},
        {"arguments": [os.fspath(Path(__file__))]},
        {"arguments": ["/bin/sh"], "environment": {"A": 1}},
        {"arguments": ["/bin/sh"], "environment": {"A=B": "1"}},
        {"arguments": ["/bin/sh"], "environment": {"": "1"}},
        {"arguments": ["/bin/sh"], "environment": {"A": "\0"}},
        {"arguments": ["/bin/sh"], "environment": ["A"]},
    ],
)
def test_a_body_that_can_never_start_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        command_of(replace(a_worker(), body=body), {}, "unix:/s/1", TERMINATION)
