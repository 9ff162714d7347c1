"""Folders of results: each holds the files of one video, and never those of two."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from videoannotator.cli.output import say
from videoannotator.client.saving import local_name, typed_errors

#: Holds the SHA-256 of the video whose results are beside it, hexadecimal.
MARK = ".video-sha256"


class Folders:
    """Chooses the folder of each video of one call."""

    def __init__(self, output: Path) -> None:
        """Makes folders in `output`."""
        self._output = output
        self._taken: list[str] = []

    def claim(self, video: Path, sha256: str) -> Path:
        """The folder of `video`, whose bytes have `sha256`: by its name, with a number when the
        folder of that name holds another video. Says so when it is.

        Raises: StorageError.
        """
        with typed_errors(self._output):
            name = next(
                each for each in self._names(video) if _claimed(self._output / each, sha256)
            )
        self._taken.append(name)
        folder, usual = self._output / name, self._output / local_name(video.stem)
        if folder != usual:
            say(f"{usual} holds another video; the files of {video} go to {folder}")
        return folder

    def leave(self) -> None:
        """Removes each folder that got no file."""
        for name in self._taken:
            _removed_if_empty(self._output / name)

    def _names(self, video: Path) -> Iterator[str]:
        """Names for the folder of `video`, the best one first."""
        refused = list(self._taken)
        while True:
            name = local_name(video.stem, refused)
            yield name
            refused.append(name)


@contextmanager
def folders_in(output: Path) -> Iterator[Folders]:
    """Folders in `output`; in the end those without a file are removed."""
    folders = Folders(output)
    try:
        yield folders
    finally:
        folders.leave()


def sha256_of(video: Path) -> str:
    """The SHA-256 of a file, hexadecimal. Raises: StorageError."""
    with typed_errors(video), video.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _claimed(folder: Path, sha256: str) -> bool:
    """Whether `folder` is now, or was before, the one of the video with `sha256`.

    A folder with files and without a mark holds something else: nobody knows of what video.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # a file of that name
        return False
    if not (folder / MARK).exists() and _holds_files(folder):
        return False
    # Two processes may come here together: only one of them makes the file.
    with suppress(FileExistsError), (folder / MARK).open("x", encoding="ascii") as mark:
        mark.write(sha256 + "\n")
    return (folder / MARK).read_bytes().strip() == sha256.encode()


def _holds_files(folder: Path) -> bool:
    return any(not each.name.startswith(".") for each in folder.iterdir())


def _removed_if_empty(folder: Path) -> None:
    with suppress(OSError):
        if not _holds_files(folder):
            (folder / MARK).unlink(missing_ok=True)
            folder.rmdir()
