"""The folder of an attempt, before and after the work."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.worker_process import assignment, silent_video
from videoannotator.domain.errors import (
    BlobNotFound,
    InvalidConfig,
    ManifestInvalid,
    StorageError,
    VideoAnnotatorError,
)
from videoannotator.domain.pipelines import Output
from videoannotator.formats.manifest import Manifest, write_manifest
from videoannotator.inference.places import check_size, place_of
from videoannotator.inference.results import finished, require_empty, written_outputs
from videoannotator.rpc.work import Assignment


def output(name: str, *, optional: bool = False) -> Output:
    """A declared file."""
    return Output(
        name=name,
        public_name=f"{{stem}}_{name}",
        media_type="text/plain",
        format="TXT",
        optional=optional,
    )


DECLARED = (output("must.txt"), output("may.txt", optional=True))


def write(folder: Path, *names: str) -> Path:
    """Empty files."""
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("names", [("must.txt",), ("must.txt", "may.txt")])
def test_declared_files_are_taken(tmp_path: Path, names: tuple[str, ...]) -> None:
    found = written_outputs(write(tmp_path, *names), DECLARED)

    assert [each.name for each in found] == list(names)


@pytest.mark.parametrize(
    "names", [(), ("may.txt",), ("must.txt", "other.txt"), ("must.txt", ".hidden")]
)
def test_a_missing_or_a_strange_file_is_the_pipelines_fault(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(VideoAnnotatorError) as wrong:
        written_outputs(write(tmp_path, *names), DECLARED)

    assert type(wrong.value) is VideoAnnotatorError


def test_a_folder_that_is_not_there_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(BlobNotFound):
        require_empty(tmp_path / "deleted")

    assert not (tmp_path / "deleted").exists()


def test_a_folder_with_leftovers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid):
        require_empty(write(tmp_path, "leftover"))


def work(folder: Path) -> Assignment:
    """An assignment with its folder."""
    return assignment(folder / "out", silent_video(folder / "v"))


def seal(folder: Path, run_id: str, attempt: int) -> str:
    """Writes a manifest."""
    manifest = Manifest(
        product_version="2",
        pipeline="journal",
        pipeline_version="1",
        run_id=run_id,
        attempt=attempt,
        video_sha256="00",
        summary={"events": 2},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return write_manifest(folder, manifest)


def test_a_result_of_the_same_attempt_is_found(tmp_path: Path) -> None:
    mine = work(tmp_path)
    assert finished(tmp_path / "out", mine) is None

    sha256 = seal(tmp_path / "out", "run-1", 1)
    found = finished(tmp_path / "out", mine)

    assert found is not None
    assert (found.manifest_sha256, found.summary) == (sha256, {"events": 2})


@pytest.mark.parametrize(("run_id", "attempt"), [("run-2", 1), ("run-1", 2)])
def test_a_result_of_something_else_is_not_taken_for_ours(
    tmp_path: Path, run_id: str, attempt: int
) -> None:
    mine = work(tmp_path)
    seal(tmp_path / "out", run_id, attempt)

    with pytest.raises(ManifestInvalid):
        finished(tmp_path / "out", mine)


def test_half_a_place_is_refused_with_what_to_do(tmp_path: Path) -> None:
    mine = work(tmp_path)

    for half in (
        replace(mine, path=None, url="https://x"),
        replace(mine, directory=None, signed={}),
    ):
        with pytest.raises(InvalidConfig, match="not both alike"):
            place_of(lambda half=half: half, None, print, lambda: False)


def test_a_video_of_another_size_or_none_is_a_fault_of_the_storage(tmp_path: Path) -> None:
    video = silent_video(tmp_path / "v")

    check_size(video, video.stat().st_size)
    with pytest.raises(StorageError):
        check_size(video, video.stat().st_size + 1)
    with pytest.raises(BlobNotFound):
        check_size(tmp_path / "none", 1)
