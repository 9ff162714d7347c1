"""Files that are saved, and what is tried again."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.client.repeating import Patience, delay_seconds
from videoannotator.client.saving import local_name, save
from videoannotator.domain import errors


@given(st.text(max_size=300), st.lists(st.text(max_size=10), max_size=3))
def test_a_name_of_the_server_is_one_plain_name_of_a_file(name: str, taken: list[str]) -> None:
    local = local_name(name, taken)

    assert local == Path(local).name
    assert local not in (*taken, "", ".", "..")
    assert not local.startswith(".")
    assert len(local) < 210


@pytest.mark.parametrize(
    ("name", "taken", "local"),
    [
        ("clip_scenes.json", [], "clip_scenes.json"),
        ("../../etc/passwd", [], "passwd"),
        ("..\\..\\boot.ini", [], "boot.ini"),
        (".bashrc", [], "bashrc"),
        ("", [], "file"),
        ("a.json", ["a.json", "a-2.json"], "a-3.json"),
        ("Ätna 1.csv", [], "Ätna 1.csv"),
        ("a\nb.json", [], "ab.json"),
    ],
)
def test_names_are_made_safe(name: str, taken: list[str], local: str) -> None:
    assert local_name(name, taken) == local


def test_a_file_that_was_there_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def chunks():
        yield b"new"
        assert path.read_bytes() == b"old"

    save(chunks(), path)

    assert path.read_bytes() == b"new"


def test_a_source_that_breaks_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def chunks():
        yield b"new"
        raise ConnectionResetError

    with pytest.raises(errors.StorageError):
        save(chunks(), path)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(errors.StorageError):
        save([b"x"], tmp_path / "a" / "b")


@pytest.mark.parametrize(
    ("tried", "asked", "expected"),
    [
        (1, None, 0.75),
        (2, None, 1.5),
        (3, None, 3.0),
        (4, None, None),
        (1, 9.0, 9.0),
        (1, 61.0, None),
    ],
)
def test_waits_double_and_end(tried: int, asked: float | None, expected: float | None) -> None:
    patience = Patience(base_delay_seconds=1.0)

    assert delay_seconds(patience, tried, asked, 0.5) == expected


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_no_wait_is_longer_than_the_longest(tried: int, dice: float) -> None:
    patience = Patience(tries=200)

    wait = delay_seconds(patience, tried, None, dice)

    assert wait is not None
    assert 0 < wait <= patience.max_delay_seconds
