"""Whether an attempt left a result: the truth is in the storage."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.rows import NOW, a_run
from videoannotator.blobs.files import FileBlobs
from videoannotator.domain.errors import StorageError
from videoannotator.domain.failures import Code
from videoannotator.domain.pipelines import ManifestFile
from videoannotator.formats.manifest import MAX_BYTES, Manifest, encode
from videoannotator.scheduler.examine import Place, examine
from videoannotator.scheduler.observed import Examined

RUN = a_run()
PLACE = Place(owner_id="ada", run=RUN, attempt=2)
SCENES = b'{"scenes": []}'
FILE = ManifestFile(
    name="scenes.json",
    public_name="{stem}_scenes.json",
    media_type="application/json",
    role="result",
    size_bytes=len(SCENES),
    sha256=hashlib.sha256(SCENES).hexdigest(),
)
MANIFEST = Manifest(
    product_version="1",
    pipeline="p",
    pipeline_version="1",
    run_id=RUN.id,
    attempt=2,
    video_sha256="0" * 64,
    files=(FILE,),
    summary={"scenes": 3},
    created_at=NOW,
)


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    """The storage in which a complete result lies."""
    made = FileBlobs(tmp_path)
    folder = made.path(PLACE.folder)
    folder.mkdir(parents=True)
    (folder / "scenes.json").write_bytes(SCENES)
    (folder / "manifest.json").write_bytes(encode(MANIFEST))
    return made


def put(blobs: FileBlobs, name: str, content: bytes) -> None:
    """Writes a file into the attempt's folder."""
    (blobs.path(PLACE.folder) / name).write_bytes(content)


def invalid(examined: Examined) -> bool:
    """There is a manifest and it cannot be used."""
    failure = examined.failure
    return not examined.found and failure is not None and failure.code is Code.MANIFEST_INVALID


async def test_a_complete_result_is_found_with_its_files(blobs: FileBlobs) -> None:
    examined = await examine(blobs, PLACE)

    assert examined.found
    assert examined.artifacts is not None
    (artifact,) = examined.artifacts
    assert (artifact.name, artifact.public_name) == ("scenes.json", "{stem}_scenes.json")
    assert (artifact.size_bytes, artifact.sha256) == (FILE.size_bytes, FILE.sha256)
    assert (artifact.run_id, artifact.job_id, artifact.attempt) == (RUN.id, RUN.job_id, 2)
    assert examined.summary == {"scenes": 3}


async def test_a_result_without_files_is_a_result(blobs: FileBlobs) -> None:
    put(blobs, "manifest.json", encode(replace(MANIFEST, files=())))

    assert (await examine(blobs, PLACE)).artifacts == ()


async def test_without_a_manifest_there_is_no_result_whatever_else_is_there(
    blobs: FileBlobs,
) -> None:
    (blobs.path(PLACE.folder) / "manifest.json").unlink()

    assert await examine(blobs, PLACE) == Examined(artifacts=None)


async def test_of_an_attempt_that_wrote_nothing_there_is_no_result(blobs: FileBlobs) -> None:
    assert await examine(blobs, replace(PLACE, attempt=1)) == Examined(artifacts=None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        encode(MANIFEST)[:-20],
        encode(replace(MANIFEST, schema="other/9")),
        encode(replace(MANIFEST, files=(FILE, FILE))),
        encode(replace(MANIFEST, files=(replace(FILE, name="../../secret"),))),
        b" " * (MAX_BYTES + 1),
    ],
    ids=["empty", "cut", "no text", "a list", "cut late", "schema", "twice", "path", "large"],
)
async def test_a_damaged_manifest_is_no_result_and_says_so(
    blobs: FileBlobs, content: bytes
) -> None:
    put(blobs, "manifest.json", content)

    assert invalid(await examine(blobs, PLACE))


@pytest.mark.parametrize("change", [{"run_id": "other"}, {"attempt": 1}])
async def test_the_manifest_of_another_run_or_attempt_is_no_result(
    blobs: FileBlobs, change: dict[str, object]
) -> None:
    put(blobs, "manifest.json", encode(replace(MANIFEST, **change)))

    assert invalid(await examine(blobs, PLACE))


@pytest.mark.parametrize("content", [SCENES + b" ", SCENES[:-1], SCENES.replace(b"s", b"z"), b""])
async def test_a_file_that_is_not_what_the_manifest_says_spoils_the_result(
    blobs: FileBlobs, content: bytes
) -> None:
    put(blobs, "scenes.json", content)

    examined = await examine(blobs, PLACE)

    assert invalid(examined)
    assert examined.failure is not None
    assert "scenes.json" in examined.failure.message


async def test_a_file_that_is_missing_spoils_the_result(blobs: FileBlobs) -> None:
    (blobs.path(PLACE.folder) / "scenes.json").unlink()

    assert invalid(await examine(blobs, PLACE))


class Unreadable(FileBlobs):
    """A storage that can tell sizes and not give bytes."""

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        raise StorageError("The storage does not answer.")
        yield b""

    async def sha256(self, key: str) -> str:
        raise StorageError("The storage does not answer.")


async def test_what_cannot_be_read_now_is_neither_a_result_nor_none(
    blobs: FileBlobs, tmp_path: Path
) -> None:
    with pytest.raises(StorageError):
        await examine(Unreadable(tmp_path), PLACE)
