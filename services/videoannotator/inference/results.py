"""The folder of one attempt: what must lie in it at the end, and the manifest, written last."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from videoannotator.domain.errors import BlobNotFound, ManifestInvalid, VideoAnnotatorError
from videoannotator.domain.pipelines import Output
from videoannotator.formats.manifest import (
    MANIFEST_NAME,
    Manifest,
    read_manifest,
    storage_errors,
)
from videoannotator.rpc.work import Assignment, Completed

HINT = "Report this to who wrote the pipeline; its declared outputs and what it writes differ."


def finished(folder: Path, assignment: Assignment) -> Completed | None:
    """The result that is there already, from an earlier life of the same attempt; None: none.

    Raises: ManifestInvalid when the folder holds the result of something else.
    """
    path = folder / MANIFEST_NAME
    with storage_errors():
        if not path.is_file():
            return None
        content = path.read_bytes()
    return earlier_result(content, assignment)


def earlier_result(content: bytes, assignment: Assignment) -> Completed:
    """What the manifest with `content` says. Raises: ManifestInvalid, also for another attempt."""
    manifest = read_manifest(content)
    if (manifest.run_id, manifest.attempt) != (assignment.run_id, assignment.attempt):
        raise ManifestInvalid("The folder for the results holds another result.")
    return completed(manifest, hashlib.sha256(content).hexdigest())


def completed(manifest: Manifest, sha256: str) -> Completed:
    """The last word about a result."""
    return Completed(
        manifest_sha256=sha256,
        files=tuple(file.name for file in manifest.files),
        summary=dict(manifest.summary),
    )


def require_empty(folder: Path) -> None:
    """The scheduler makes the folder of an attempt; the worker never does.

    Raises: BlobNotFound when it is not there (its job may be deleted), ManifestInvalid when
    something lies in it.
    """
    if not folder.is_dir():
        raise BlobNotFound("The folder for the results is not there.")
    if _names(folder):
        raise ManifestInvalid("The folder for the results is not empty.")


def written_outputs(folder: Path, declared: Sequence[Output]) -> list[Output]:
    """The declared outputs that are there.

    Raises: VideoAnnotatorError when one is missing that must be there, or something else is there.
    """
    names = _names(folder)
    missing = sorted(each.name for each in declared if not each.optional and each.name not in names)
    if missing:
        raise VideoAnnotatorError(f"The pipeline did not write {', '.join(missing)}.", hint=HINT)
    strangers = sorted(names - {each.name for each in declared})
    if strangers:
        count = len(strangers)
        raise VideoAnnotatorError(
            f"The pipeline wrote {count} files it did not declare.", hint=HINT
        )
    return [each for each in declared if each.name in names]


def _names(folder: Path) -> set[str]:
    with storage_errors():
        return {entry.name for entry in folder.iterdir()}
