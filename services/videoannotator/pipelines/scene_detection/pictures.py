"""Pictures of scenes: chosen frames of a video, encoded one by one into a ZIP."""

import zipfile
from collections.abc import Generator, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator.domain.errors import StorageError
from videoannotator.formats.manifest import storage_errors
from videoannotator.media.cursor import Cursor
from videoannotator.media.pictures import Converter
from videoannotator.media.recording import Damages
from videoannotator.media.times import key_frame_seconds
from videoannotator.pipelines.interface import Context

EXTENSIONS = {"jpeg": "jpg", "png": "png"}
JPEG_QUALITY = 90
# A time as float may lie a hair before the exact one; no two frames are this close.
HAIR = Fraction(1, 1_000_000)
NO_DATE = (1980, 1, 1, 0, 0, 0)  #: the earliest of ZIP, so that the same video gives the same bytes


class Picture(NamedTuple):
    """A frame, and when it is shown."""

    timestamp_seconds: float
    image: NDArray[np.uint8]  #: RGB, (height, width, 3)


def frames_at(
    context: Context, times: Sequence[float], damages: Damages, max_width: int | None
) -> Generator[Picture, None, None]:
    """The frames shown at `times`, ascending; fewer when the video breaks off before them."""
    converter = Converter(max_width)
    distance = key_frame_seconds(context.video)
    with Cursor(context.video, damages) as cursor:
        for time in times:
            _move(context, cursor, Fraction(time) + HAIR, distance)
            if cursor.current is None:
                return
            shown = cursor.current
            yield Picture(float(shown.start), converter.image(shown.picture))


def picture_name(number: int, kind: str) -> str:
    """Name of a scene's picture in the ZIP."""
    return f"scene_{number:04d}.{EXTENSIONS[kind]}"


def write_pictures(path: Path, pictures: Iterable[tuple[str, Picture]]) -> list[str]:
    """Writes named pictures as they come; returns the names. Raises: StorageError."""
    names = []
    with storage_errors(), zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, picture in pictures:
            archive.writestr(zipfile.ZipInfo(name, NO_DATE), encoded(picture.image, name))
            names.append(name)
    return names


def encoded(image: NDArray[np.uint8], name: str) -> bytes:
    """An RGB image in the format that the name's extension says."""
    blue_green_red = np.ascontiguousarray(image[:, :, ::-1])
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if name.endswith(".jpg") else []
    done, content = cv2.imencode(Path(name).suffix, blue_green_red, options)
    if not done:
        raise StorageError(f"The picture {name} could not be encoded.")
    return content.tobytes()


def _move(context: Context, cursor: Cursor, at: Fraction, distance: Fraction | None) -> None:
    """Seeks when the way is longer than from one key frame to the next, else decodes on."""
    current = cursor.current
    if current is not None and distance is not None and at - current.end > distance:
        context.checkpoint()
        cursor.jump(at)
    while cursor.current is not None and cursor.current.end <= at:
        context.checkpoint()
        cursor.forward(cursor.current.end)
