"""Where one attempt reads and writes: folders that are there, or signed addresses."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from videoannotator.domain.errors import (
    BlobNotFound,
    InvalidConfig,
    StorageError,
)
from videoannotator.formats.manifest import MANIFEST_NAME, MAX_BYTES, storage_errors
from videoannotator.inference.results import earlier_result, finished, require_empty
from videoannotator.inference.transfer import (
    Download,
    Expected,
    Upload,
    fetch_small,
    no_room,
    stoppable,
)
from videoannotator.rpc.work import Assignment, Completed

Tell = Callable[[str], None]  # hears what is being done


class Place(Protocol):
    """Where one attempt reads and writes."""

    @property
    def local(self) -> Assignment:
        """The assignment with a path for the video and a folder for the results."""

    def finished(self) -> Completed | None:
        """The result of an earlier life of this attempt; None: there is none, begin.

        Raises: StorageError, ManifestInvalid.
        """

    def fetch(self) -> None:
        """Makes the video be where the assignment says. Raises: StorageError, Stopped."""

    def publish(self, names: Iterable[str]) -> None:
        """Makes the files `names` and the manifest, which are in the folder, a result.

        The manifest goes last. Raises: StorageError, Stopped.
        """


class LocalPlace:
    """Folders that the scheduler prepared: a manifest in the folder is a result already."""

    def __init__(self, assignment: Assignment) -> None:
        """Both of its places are local."""
        self.local = assignment
        self._folder = Path(assignment.directory or "")

    def finished(self) -> Completed | None:
        """What lies in the folder."""
        there = finished(self._folder, self.local)
        if there is None:
            require_empty(self._folder)
        return there

    def fetch(self) -> None:
        """Only looks whether it is there."""
        check_size(Path(self.local.path or ""), self.local.size_bytes)

    def publish(self, names: Iterable[str]) -> None:
        """Nothing: the files are where they belong."""


class RemotePlace:
    """Signed addresses, and a folder of its own for what is fetched and what is written."""

    def __init__(
        self,
        newest: Callable[[], Assignment],
        scratch: Path,
        tell: Tell,
        stop_wanted: Callable[[], bool],
    ) -> None:
        """`newest` gives the assignment with the newest addresses; `scratch` is there and empty."""
        self._newest = newest
        self._tell = tell
        self._stop_wanted = stop_wanted
        self._video, self._folder = scratch / "source", scratch / "results"
        self.local = replace(newest(), path=str(self._video), directory=str(self._folder))

    def finished(self) -> Completed | None:
        """What is in the storage under the manifest's name."""
        if self._newest().manifest_url is None:
            return None
        fetching = fetch_small(lambda: self._newest().manifest_url or "", MAX_BYTES)
        try:
            content = stoppable(fetching, self._stop_wanted)
        except BlobNotFound:
            return None
        return earlier_result(content, self.local)

    def fetch(self) -> None:
        """Downloads it, and compares size and SHA-256."""
        self._require_room()
        with storage_errors():
            self._folder.mkdir()
        wanted = self._newest()
        expected = Expected(size_bytes=wanted.size_bytes, sha256=wanted.sha256)
        download = Download(expected, self._video, self._told("downloading", wanted.size_bytes))
        stoppable(download.run(lambda: self._newest().url or ""), self._stop_wanted)

    def _require_room(self) -> None:
        with storage_errors():
            free_bytes = shutil.disk_usage(self._video.parent).free
        if free_bytes < self._newest().size_bytes:
            raise no_room()

    def _told(self, stage: str, size_bytes: int) -> Callable[[int], None]:
        """Tells whole percents: what changes is progress, and nothing else is."""
        return lambda done: self._tell(f"{stage} {100 * done // max(size_bytes, 1)} %")

    def publish(self, names: Iterable[str]) -> None:
        """Uploads each to its own address, one after the other."""
        for name in (*names, MANIFEST_NAME):
            with storage_errors():
                size_bytes = (self._folder / name).stat().st_size
            told = self._told(f"uploading {name}", size_bytes)
            upload = Upload(source=self._folder / name, size_bytes=size_bytes, tell=told)
            stoppable(upload.run(self._address(name)), self._stop_wanted)

    def _address(self, name: str) -> Callable[[], str]:
        if name not in (self._newest().signed or {}):
            raise StorageError(
                f"There is no address for the result file {name}.",
                hint="Scheduler and worker differ; the operator must finish the upgrade.",
            )
        return lambda: (self._newest().signed or {})[name]


def place_of(
    newest: Callable[[], Assignment],
    scratch: Path | None,
    tell: Tell,
    stop_wanted: Callable[[], bool],
) -> AbstractContextManager[Place]:
    """Where the assignment says. What is fetched is in a new folder in `scratch`, and goes with it.

    Raises: InvalidConfig when it names neither two local places nor two signed ones.
    """
    assignment = newest()
    if assignment.path is not None and assignment.directory is not None:
        return nullcontext(LocalPlace(assignment))
    if assignment.url is None or assignment.signed is None:
        raise InvalidConfig(
            "This worker was told where to read or where to write, but not both alike.",
            hint="The operator must give scheduler and workers the same version.",
        )
    return _remote(newest, scratch, tell, stop_wanted)


@contextmanager
def _remote(
    newest: Callable[[], Assignment],
    scratch: Path | None,
    tell: Tell,
    stop_wanted: Callable[[], bool],
) -> Iterator[RemotePlace]:
    with storage_errors():
        if scratch is not None:
            scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="videoannotator-", dir=scratch))
    try:
        yield RemotePlace(newest, folder, tell, stop_wanted)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_size(video: Path, size_bytes: int) -> None:
    """Raises: BlobNotFound, StorageError when the video is not the one that was stored."""
    with storage_errors():
        if not video.is_file():
            raise BlobNotFound("The bytes of the video are not in the storage.")
        found = video.stat().st_size
    if found != size_bytes:
        raise StorageError(f"The video has {found} bytes in the storage; {size_bytes} were stored.")
