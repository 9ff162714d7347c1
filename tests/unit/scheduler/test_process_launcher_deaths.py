"""A scheduler that dies by SIGKILL at any line of its launcher: the next one finds the truth."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

Found = dict[str, object]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Has a short path, for the sockets in it."""
    with tempfile.TemporaryDirectory(prefix="va", dir="/tmp") as name:
        yield Path(name)


def play(scene: str, folder: Path) -> list[Found]:
    """Dies at each line of `scene` in turn; what was found each time."""
    played = subprocess.run(
        [sys.executable, "-m", "tests.fakes.dying", scene, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.returncode == 0, played.stderr
    found: list[Found] = json.loads(played.stdout)
    assert found[-1]["line"] == ""
    return found


def wrong(found: list[Found]) -> list[Found]:
    """Twice started, called gone too early, left running, or started after it was gone."""
    return [
        one
        for one in found
        if one["starts"] not in (0, 1) or one["early"] or one["left"] or one["late_starts"]
    ]


@pytest.mark.slow
def test_a_create_that_dies_anywhere_starts_one_process_or_none(folder: Path) -> None:
    found = play("create", folder)

    assert len(found) > 50
    assert wrong(found) == []
    # Before the start was written down it is repeated; after it, adopted or given up.
    assert {one["first"] for one in found} == {"unseen", "alive", "gone"}
    assert {one["starts"] for one in found if one["first"] == "unseen"} == {1}


@pytest.mark.slow
def test_an_end_that_dies_anywhere_is_carried_on(folder: Path) -> None:
    found = play("ending", folder)

    assert len(found) > 50
    assert wrong(found) == []
    assert {one["starts"] for one in found} == {1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "starts"), [("proving", {1}), ("refusing", {0}), ("forgetting", {1})]
)
def test_a_proof_that_dies_anywhere_is_found_again(
    scene: str, starts: set[int], folder: Path
) -> None:
    found = play(scene, folder)

    assert len(found) > 10
    assert wrong(found) == []
    assert {one["starts"] for one in found} == starts
