"""Looks for the manifest of an attempt that is over: the truth about a result is in the storage."""

import uuid
from dataclasses import dataclass

from videoannotator.blobs import keys
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.errors import BlobNotFound, ManifestInvalid
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Artifact, Run
from videoannotator.domain.pipelines import ManifestFile
from videoannotator.formats.manifest import MANIFEST_NAME, MAX_BYTES, Manifest, read_manifest
from videoannotator.scheduler.observed import Examined


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose result is looked for."""

    owner_id: str
    run: Run
    attempt: int

    @property
    def folder(self) -> str:
        """Key of the attempt's folder."""
        return keys.attempt_folder(self.owner_id, self.run.job_id, self.run.pipeline, self.attempt)


async def examine(blobs: BlobStore, place: Place) -> Examined:
    """Reads the manifest and compares every file it lists.

    Raises: StorageError when that cannot be done now.
    """
    try:
        manifest = await _manifest(blobs, place)
        artifacts = [
            await _artifact(blobs, place, number, file)
            for number, file in enumerate(manifest.files)
        ]
    except BlobNotFound:
        return Examined(artifacts=None)
    except ManifestInvalid as error:
        failure = Failure(code=Code.MANIFEST_INVALID, message=error.message)
        return Examined(artifacts=None, failure=failure)
    return Examined(artifacts=tuple(artifacts), summary=manifest.summary)


async def _manifest(blobs: BlobStore, place: Place) -> Manifest:
    key = f"{place.folder}/{MANIFEST_NAME}"
    if await blobs.size(key) > MAX_BYTES:
        raise ManifestInvalid("The manifest is too large.")
    manifest = read_manifest(b"".join([chunk async for chunk in blobs.read(key)]))
    if (manifest.run_id, manifest.attempt) != (place.run.id, place.attempt):
        raise ManifestInvalid("The manifest is of another run.")
    return manifest


async def _artifact(blobs: BlobStore, place: Place, position: int, file: ManifestFile) -> Artifact:
    """Raises: ManifestInvalid when the file is not what the manifest says."""
    key = f"{place.folder}/{file.name}"
    try:
        same = await blobs.size(key) == file.size_bytes and await blobs.sha256(key) == file.sha256
    except BlobNotFound as error:
        raise ManifestInvalid(f"The result file {file.name} is missing.") from error
    if not same:
        raise ManifestInvalid(f"The result file {file.name} is not what the manifest says.")
    return Artifact(
        id=str(uuid.uuid4()),
        job_id=place.run.job_id,
        run_id=place.run.id,
        pipeline=place.run.pipeline,
        attempt=place.attempt,
        name=file.name,
        public_name=file.public_name,
        role=file.role,
        position=position,
        media_type=file.media_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
    )
