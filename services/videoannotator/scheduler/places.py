"""Where a worker finds the video and puts its results: a folder here, a mount, signed addresses."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from videoannotator.blobs import keys
from videoannotator.domain.errors import StorageDenied, StorageError
from videoannotator.domain.jobs import Worker
from videoannotator.store.rows import JobRows

MOUNTED_VIDEO = "/video/source"  # in every pod, by a sub-path mount of the video's folder
MOUNTED_RESULTS = "/results"  # in every pod, by a sub-path mount of the attempt's folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where one worker reads and writes, as an Assignment says it: of each pair one is set."""

    path: str | None = None  #: of the video
    url: str | None = field(default=None, repr=False)  #: signed address of the video
    directory: str | None = None  #: a folder that is there and empty, for the results
    #: declared file name, or that of the manifest -> signed address to write it
    signed: Mapping[str, str] | None = field(default=None, repr=False)
    manifest_url: str | None = field(default=None, repr=False)  #: signed address to read it


class Places(Protocol):
    """Knows where the workers of one site read and write."""

    #: Addresses given out are replaced so often, in seconds; None: they hold for good.
    renewed_every_seconds: float | None
    #: what was given out may still be used to write so long after a worker is gone
    late_write_seconds: float

    async def prepare(self, rows: JobRows, worker: Worker) -> None:
        """Makes what must be there before the worker starts; may be repeated.

        Raises: StorageError.
        """
        ...

    async def of(self, rows: JobRows, worker: Worker) -> Addresses:
        """Where this worker reads and writes. Raises: StorageError."""
        ...


class LocalPlaces:
    """Workers that see the storage folder as the scheduler does."""

    renewed_every_seconds: float | None = None
    late_write_seconds = 0.0

    def __init__(self, root: Path) -> None:
        """`root` is the folder of all keys."""
        self._root = root.absolute()

    async def prepare(self, rows: JobRows, worker: Worker) -> None:
        """Makes the folder for the results."""
        await asyncio.to_thread(_make, self._root / attempt_folder(rows, worker), None)

    async def of(self, rows: JobRows, worker: Worker) -> Addresses:
        """Paths below the storage folder."""
        return Addresses(
            path=str(self._root / rows.video.key),
            directory=str(self._root / attempt_folder(rows, worker)),
        )


class MountedPlaces:
    """Pods that have the storage mounted: each sees its own video and its own folder, no more."""

    renewed_every_seconds: float | None = None
    late_write_seconds = 0.0

    def __init__(self, root: Path, owner: tuple[int, int] | None = None) -> None:
        """`root` is where the scheduler sees the volume.

        `owner` is the user and group that workers run as; None: as the scheduler does.
        """
        self._root = root.absolute()
        self._owner = owner

    async def prepare(self, rows: JobRows, worker: Worker) -> None:
        """Makes the folder for the results before the kubelet does, who would make it root's."""
        await asyncio.to_thread(_make, self._root / attempt_folder(rows, worker), self._owner)

    async def of(self, rows: JobRows, worker: Worker) -> Addresses:
        """Paths inside the pod, the same in each."""
        return Addresses(path=MOUNTED_VIDEO, directory=MOUNTED_RESULTS)


def attempt_folder(rows: JobRows, worker: Worker) -> str:
    """Key of the folder of a worker's attempt."""
    run = next(run for run in rows.runs if run.id == worker.run_id)
    return keys.attempt_folder(rows.job.owner_id, rows.job.id, run.pipeline, worker.attempt)


def _make(folder: Path, owner: tuple[int, int] | None) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        facts = folder.stat()
        if owner is not None and (facts.st_uid, facts.st_gid) != owner:
            os.chown(folder, *owner)
    except PermissionError as error:
        raise StorageDenied(
            "The folder for the results cannot be made, or not be given to the workers.",
            hint="The operator must run scheduler and workers as the same user.",
        ) from error
    except OSError as error:
        raise StorageError("The folder for the results cannot be made.") from error
