"""What make hands to the program, with a program that writes down what it got."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

RECORDER = '#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done >> "$RECORD"\n'
# Older than the stamps beside them, so that nothing is installed.
INPUTS = ("pyproject.toml", "uv.lock", "protos/build.py")
OLD, NEW = 1_000_000_000, 1_000_000_100


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile in which everything seems to be installed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    version = installed_uv()
    stamps = (f".make/tools/uv-{version}", ".venv/ready-to-run", ".venv/ready-to-develop")
    for name in (*INPUTS, *stamps):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in INPUTS:
            shutil.copy(ROOT / name, path)
        else:
            path.touch()
        os.utime(path, (OLD, OLD) if name in INPUTS else (NEW, NEW))
    for name in ("videoannotator", "python"):
        program = tmp_path / ".venv" / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(RECORDER, encoding="utf-8")
        program.chmod(0o755)
    return tmp_path


def installed_uv() -> str:
    """The version of uv in the lock file."""
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    return lock.split('name = "uv"\nversion = "')[1].split('"')[0]


def made(checkout: Path, *arguments: str) -> list[str]:
    """The words that programs got when make was called with `arguments`."""
    record = checkout / "record"
    environment = {"PATH": os.environ["PATH"], "HOME": "", "RECORD": str(record)}
    result = subprocess.run(
        ["make", *arguments],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return record.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    "name", ["clip.mp4", "two words.mp4", 'it\'s "it".mp4', "five$dollars.mp4", "Müller/ä.mov"]
)
def test_the_name_of_a_video_reaches_the_command_as_it_is(checkout: Path, name: str) -> None:
    words = made(checkout, "annotate", f"VIDEO={name}")

    assert words == [
        "process",
        name,
        "--pipelines",
        "scene_detection,voice_activity",
        "--output",
        "results",
    ]


def test_pipelines_and_output_are_chosen_by_variables(checkout: Path) -> None:
    words = made(checkout, "annotate", "VIDEO=a.mp4", "PIPELINES=voice_activity", "OUTPUT=out put")

    assert words == ["process", "a.mp4", "--pipelines", "voice_activity", "--output", "out put"]


def test_without_a_video_the_sample_is_made_first(checkout: Path) -> None:
    words = made(checkout, "annotate")

    assert words[:3] == ["-m", "videoannotator.media.sample", ".make/sample/sample.mp4"]
    assert words[3:5] == ["process", ".make/sample/sample.mp4"]


def test_a_dry_run_does_nothing(checkout: Path) -> None:
    subprocess.run(["make", "-n", "annotate"], cwd=checkout, capture_output=True, check=True)

    assert not (checkout / "record").exists()
