"""The folder of a private server: nobody's is removed, somebody's never."""

import subprocess
import sys
from pathlib import Path

import pytest

from videoannotator.cli.private_folder import OWNER, private_folder, remove_abandoned

HOLDER = """
import sys, time
from pathlib import Path
from videoannotator.cli.private_folder import private_folder
with private_folder(Path(sys.argv[1])) as folder:
    (folder.path / "video").write_bytes(b"video")
    print(folder.path, flush=True)
    sys.stdin.read()
"""


def start(output: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that holds a private folder until its stdin closes; its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(output)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_the_folder_of_a_killed_command_is_removed_by_the_next_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process, left = start(tmp_path)
    with process:
        process.kill()
    assert (left / "video").exists()

    with private_folder(tmp_path) as folder:
        found = list(tmp_path.iterdir())

    assert found == [folder.path]
    assert list(tmp_path.iterdir()) == []
    assert str(left) in capsys.readouterr().err


def test_a_folder_is_left_alone_while_its_owner_lives(tmp_path: Path) -> None:
    process, held = start(tmp_path)
    with process:
        remove_abandoned(tmp_path)
        survived = (held / "video").exists()
        process.communicate("")

    assert survived
    assert not held.exists()


def test_a_folder_is_left_alone_while_one_lives_that_got_the_lock(tmp_path: Path) -> None:
    with private_folder(tmp_path) as folder:
        sharer = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            pass_fds=(folder.lock,),
        )
        folder.kept = True  # as after a kill: the folder stays, and its lock with the other
    with sharer:
        remove_abandoned(tmp_path)
        survived = folder.path.exists()
        sharer.communicate(b"")
    remove_abandoned(tmp_path)

    assert survived
    assert not folder.path.exists()


def test_a_kept_folder_and_one_of_which_nothing_is_known_are_left_alone(tmp_path: Path) -> None:
    with private_folder(tmp_path) as folder:
        folder.keep()
    (tmp_path / ".videoannotator-new").mkdir()

    remove_abandoned(tmp_path)

    assert {each.name for each in tmp_path.iterdir()} == {folder.path.name, ".videoannotator-new"}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / OWNER).touch()
    (tmp_path / ".videoannotator-link").symlink_to(elsewhere)

    remove_abandoned(tmp_path)

    assert (elsewhere / OWNER).exists()
