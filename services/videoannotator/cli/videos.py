"""Videos on this disk: which files are meant."""

from collections.abc import Iterable
from pathlib import Path

from videoannotator.domain.errors import InvalidRequest

#: Endings of files that a folder is searched for; a file that is named may have any.
ENDINGS = frozenset(
    f".{ending}"
    for ending in (
        *("mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg"),
        *("mts", "m2ts", "ts", "wmv", "flv", "3gp", "ogv", "mxf"),
    )
)


def videos_in(paths: Iterable[Path]) -> list[Path]:
    """The files that are named, and every video directly in a folder that is named, each once.

    Raises: InvalidRequest when one is not there, or a folder holds no video.
    """
    found: list[Path] = []
    for path in paths:
        found += _videos_at(path)
    return list({path.resolve(): path for path in found}.values())


def _videos_at(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InvalidRequest(f"There is no file or folder {path}.")
    inside = sorted(each for each in path.iterdir() if _is_video(each))
    if not inside:
        raise InvalidRequest(
            f"There is no video in the folder {path}.",
            hint=f"Files with these endings are taken: {' '.join(sorted(ENDINGS))}.",
        )
    return inside


def _is_video(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in ENDINGS and path.is_file()
