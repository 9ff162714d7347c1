"""Folders of results: one video each."""

from pathlib import Path

import pytest

from videoannotator.cli.folders import MARK, Folders, folders_in, sha256_of

A, B = "a" * 64, "b" * 64


def claim(output: Path, *wanted: tuple[str, str]) -> list[str]:
    """The folders of one call; each gets a file."""
    with folders_in(output) as folders:
        claimed = [folders.claim(Path(video), sha256) for video, sha256 in wanted]
        for folder in claimed:
            (folder / "x.json").touch()
    return [folder.name for folder in claimed]


def test_two_videos_of_one_name_in_one_call_get_a_folder_each(tmp_path: Path) -> None:
    named = claim(tmp_path, ("a/clip.mp4", A), ("b/clip.mp4", B), ("c/clip.mov", A), ("o.mp4", B))

    assert named == ["clip", "clip-2", "clip-3", "o"]


def test_the_same_video_again_gets_its_own_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = claim(tmp_path, ("clip.mp4", A))
    again = claim(tmp_path, ("clip.mp4", A))

    assert first == again == ["clip"]
    assert capsys.readouterr().err == ""


def test_another_video_of_that_name_gets_another_folder_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim(tmp_path, ("a/clip.mp4", A))

    named = [claim(tmp_path, ("b/clip.mp4", B)) for _ in range(2)]

    assert named == [["clip-2"], ["clip-2"]], "its own folder, also the next time"
    assert capsys.readouterr().err.splitlines()[0] == (
        f"{tmp_path}/clip holds another video; the files of b/clip.mp4 go to {tmp_path}/clip-2"
    )


@pytest.mark.parametrize("mark", [None, b"", A.encode()[:30], b"\xff"])
def test_a_folder_of_which_nobody_knows_the_video_is_left_alone(
    tmp_path: Path, mark: bytes | None
) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "clip_scenes.json").touch()
    if mark is not None:
        (tmp_path / "clip" / MARK).write_bytes(mark)

    assert claim(tmp_path, ("clip.mp4", A)) == ["clip-2"]


def test_an_empty_folder_is_used_and_a_file_of_that_name_is_not(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "other").touch()

    assert claim(tmp_path, ("clip.mp4", A), ("other.mp4", B)) == ["clip", "other-2"]


def test_folders_without_a_file_are_removed_also_after_a_failure(tmp_path: Path) -> None:
    def fails(folders: Folders) -> None:
        folders.claim(Path("a.mp4"), A)
        (folders.claim(Path("b.mp4"), B) / "b.json").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), folders_in(tmp_path) as folders:
        fails(folders)

    assert [each.name for each in tmp_path.iterdir()] == ["b"]


def test_the_digest_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")

    assert sha256_of(tmp_path / "x").startswith("ba7816bf8f01cfea")
