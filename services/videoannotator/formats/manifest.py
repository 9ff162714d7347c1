"""The manifest: the file that makes a folder of files a result. Written last, checked first."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from videoannotator.domain.errors import ManifestInvalid, StorageDenied, StorageError, StorageFull
from videoannotator.domain.pipelines import ManifestFile, Output

MANIFEST_NAME = "manifest.json"
SCHEMA = "videoannotator.manifest/1"
MAX_BYTES = 4 * 1024 * 1024  #: a manifest lists files, it holds none; more is not one of ours
HASH_CHUNK_BYTES = 1024 * 1024

# Names are fixed words of ours, so that a manifest can never point outside its folder.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one attempt wrote, from what, and with what."""

    schema: str = SCHEMA
    product_version: str
    pipeline: str
    pipeline_version: str
    run_id: str
    attempt: int  #: from 1
    video_id: str = ""
    video_sha256: str
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: after defaults
    #: unknown name -> nearest known one or ""
    ignored_parameters: Mapping[str, str] = field(default_factory=dict)
    files: tuple[ManifestFile, ...] = ()
    summary: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime  #: aware, UTC


_ADAPTER: TypeAdapter[Manifest] = TypeAdapter(Manifest)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns what the operating system says about files into our errors.

    Raises: StorageFull, StorageDenied, StorageError.
    """
    try:
        yield
    except OSError as error:
        raise _storage_error(error) from error


def describe_file(folder: Path, output: Output) -> ManifestFile:
    """Size and SHA-256 of a written output, which is on the disk when this returns.

    Raises: StorageError when it is not there or cannot be read.
    """
    with storage_errors(), (folder / output.name).open("rb") as stream:
        os.fsync(stream.fileno())
        sha256 = hashlib.sha256()
        while chunk := stream.read(HASH_CHUNK_BYTES):
            sha256.update(chunk)
        return ManifestFile(
            name=output.name,
            public_name=output.public_name,
            media_type=output.media_type,
            role=output.role,
            size_bytes=stream.tell(),
            sha256=sha256.hexdigest(),
        )


def write_manifest(folder: Path, manifest: Manifest) -> str:
    """Writes manifest.json whole or not at all; returns its SHA-256, hexadecimal.

    Raises: StorageError, StorageFull, StorageDenied.
    """
    content = encode(manifest)
    unfinished = folder / f".{MANIFEST_NAME}.{os.getpid()}"
    with storage_errors():
        try:
            _write_durably(unfinished, content)
            unfinished.replace(folder / MANIFEST_NAME)
            _sync_folder(folder)
        finally:
            unfinished.unlink(missing_ok=True)
    return hashlib.sha256(content).hexdigest()


def encode(manifest: Manifest) -> bytes:
    """The bytes of manifest.json: JSON for people too, keys in the order of the record."""
    record = asdict(manifest) | {"created_at": manifest.created_at.isoformat()}
    return (json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_manifest(content: bytes) -> Manifest:
    """Reads the bytes of a manifest.json, which may come from a worker that lies.

    Raises: ManifestInvalid.
    """
    if len(content) > MAX_BYTES:
        raise ManifestInvalid(f"The manifest has {len(content)} bytes; {MAX_BYTES} are allowed.")
    try:
        manifest = _ADAPTER.validate_json(content)
    except ValidationError as error:
        raise ManifestInvalid(f"The manifest cannot be read: {_first(error)}.") from error
    _check(manifest)
    return manifest


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of manifest.json."""
    return _ADAPTER.json_schema(mode="serialization")


def _check(manifest: Manifest) -> None:
    if manifest.schema != SCHEMA:
        raise ManifestInvalid(f"The manifest has schema '{manifest.schema}', not '{SCHEMA}'.")
    names = [file.name for file in manifest.files]
    if len(set(names)) != len(names):
        raise ManifestInvalid("The manifest lists a file twice.")
    for file in manifest.files:
        _check_file(file)


def _check_file(file: ManifestFile) -> None:
    if not _PLAIN_NAME.fullmatch(file.name) or file.name == MANIFEST_NAME:
        raise ManifestInvalid("The manifest lists a file under a name that is not allowed.")
    if not _SHA256.fullmatch(file.sha256) or file.size_bytes < 0:
        raise ManifestInvalid(f"The manifest gives {file.name} no valid size or SHA-256.")


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    # Without this the new name may be lost with the power, though the bytes are kept.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _storage_error(error: OSError) -> StorageError:
    if error.errno in {ENOSPC, EDQUOT}:
        return StorageFull("There is no space left for the results.")
    if error.errno in {EACCES, EPERM, EROFS}:
        return StorageDenied("The results cannot be written or read here.")
    return StorageError(f"Reading or writing a result failed: {error.strerror or error}.")
