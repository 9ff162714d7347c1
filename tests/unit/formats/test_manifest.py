"""The manifest: written whole or not at all, read without trust."""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from videoannotator.domain.errors import ManifestInvalid, StorageDenied, StorageError, StorageFull
from videoannotator.domain.pipelines import ManifestFile, Output
from videoannotator.formats.manifest import (
    MANIFEST_NAME,
    MAX_BYTES,
    Manifest,
    describe_file,
    encode,
    json_schema,
    read_manifest,
    storage_errors,
    write_manifest,
)

FILE = ManifestFile(
    name="scenes.json",
    public_name="{stem}_scene_detection.json",
    media_type="application/json",
    role="result",
    size_bytes=2,
    sha256="a" * 64,
)
MANIFEST = Manifest(
    product_version="2.0.0",
    pipeline="scene_detection",
    pipeline_version="1.0.0",
    run_id="run-1",
    attempt=2,
    video_id="video-1",
    video_sha256="b" * 64,
    parameters={"threshold": 3.5, "labels": False, "prompts": []},
    ignored_parameters={"pps": ""},
    files=(FILE,),
    summary={"scenes": 3},
    warnings=("Damaged at 00:03.000: Müll.",),
    provenance={"libraries": {"av": "18"}},
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    sha256 = write_manifest(tmp_path, MANIFEST)

    content = (tmp_path / MANIFEST_NAME).read_bytes()
    assert read_manifest(content) == MANIFEST
    assert hashlib.sha256(content).hexdigest() == sha256
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST_NAME]


def test_the_file_follows_the_schema() -> None:
    jsonschema.validate(json.loads(encode(MANIFEST)), json_schema())


def test_a_manifest_is_there_only_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageFull):
        write_manifest(tmp_path, MANIFEST)

    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        write_manifest(tmp_path / "gone", MANIFEST)


def changed(**values: Any) -> bytes:
    return json.dumps(json.loads(encode(MANIFEST)) | values).encode()


def with_file(**values: Any) -> bytes:
    file = json.loads(encode(MANIFEST))["files"][0] | values
    return changed(files=[file])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (MAX_BYTES + 1),
        encode(MANIFEST)[:-20],
        changed(schema="videoannotator.manifest/99"),
        changed(attempt="two"),
        changed(created_at="yesterday"),
        changed(files="scenes.json"),
        changed(files=[json.loads(encode(MANIFEST))["files"][0]] * 2),
        with_file(name="../scenes.json"),
        with_file(name="/etc/passwd"),
        with_file(name="manifest.json"),
        with_file(name=""),
        with_file(name="a\n"),
        with_file(sha256="nothing"),
        with_file(size_bytes=-1),
    ],
)
def test_what_does_not_fit_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        read_manifest(content)


def test_a_field_of_a_later_release_is_passed_over() -> None:
    assert read_manifest(changed(colour="blue")) == MANIFEST


def test_a_file_is_described_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x" * 3_000_000)
    output = Output(name="a.csv", public_name="{stem}_a.csv", media_type="text/csv", format="CSV")

    described = describe_file(tmp_path, output)

    assert described.size_bytes == 3_000_000
    assert described.sha256 == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert described.public_name == "{stem}_a.csv"


def test_a_file_that_is_not_there_cannot_be_described(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        describe_file(tmp_path, Output(name="a", public_name="a", media_type="x/y", format="CSV"))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (28, StorageFull),
        (122, StorageFull),
        (13, StorageDenied),
        (30, StorageDenied),
        (5, StorageError),
    ],
)
def test_the_systems_errors_become_ours(number: int, expected: type[StorageError]) -> None:
    with pytest.raises(StorageError) as caught, storage_errors():
        raise OSError(number, "broken")

    assert type(caught.value) is expected
    assert isinstance(caught.value.__cause__, OSError)
