"""Words for a file that cannot be opened, from a look at its first bytes."""

from collections.abc import Iterator
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO

MOST_BOXES = 10_000


def complaint(path: Path, reason: str) -> str:
    """One sentence that says why; `reason` is FFmpeg's."""
    with path.open("rb") as file:
        if file.read(8)[4:] == b"ftyp" and b"moov" not in _boxes(file):
            return (
                "The MP4 file's index is missing: the recording or the upload was not finished, "
                "or the end of the file was lost."
            )
    return f"The file is no video that can be read: {reason}."


def _boxes(file: BinaryIO) -> Iterator[bytes]:
    """Names of the outermost boxes of an MP4 file (ISO/IEC 14496-12, 4.2)."""
    place, end = 0, file.seek(0, SEEK_END)
    for _ in range(MOST_BOXES):
        if place >= end:  # a size may be any number, even one that no file can have
            return
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return
        yield head[4:8]
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:
            return
        place += size
