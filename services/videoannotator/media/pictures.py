"""From a decoded picture to RGB as it is displayed."""

import struct
from typing import NamedTuple

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from videoannotator.domain.errors import MediaError
from videoannotator.media.recording import UNREADABLE, check_size, reason

Image = NDArray[np.uint8]
COLOURS_UNSPECIFIED, RANGE_UNSPECIFIED = 2, 0  # ITU-T H.273, table 4; FFmpeg's AVColorRange


class Orientation(NamedTuple):
    """How a stored picture is turned for display: first swap x and y, then mirror."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @property
    def degrees(self) -> int:
        """Clockwise turn, a multiple of 90.

        Of a mirrored picture the turn that is left after mirroring x.
        """
        if self.transposed:
            return 90 if self.mirrored_x else 270
        return 180 if self.mirrored_y else 0

    def apply(self, image: Image) -> Image:
        """The picture as displayed; memory in rows again."""
        turned = image.swapaxes(0, 1) if self.transposed else image
        turned = turned[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]
        return np.ascontiguousarray(turned)


def orientation(picture: VideoFrame) -> Orientation:
    """Reads the display matrix that came with the picture.

    Angles between are taken to the nearest quarter.
    """
    matrix = picture.side_data.get(Type.DISPLAYMATRIX.name)
    # x' = a x + c y, y' = b x + d y, in 16.16 fixed point (ISO/IEC 14496-12, 6.2.2)
    if not isinstance(matrix, SideData) or matrix.buffer_size < 36:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix)[:36])
    if abs(b) > abs(a):
        return Orientation(transposed=True, mirrored_x=c < 0, mirrored_y=b < 0)
    return Orientation(mirrored_x=a < 0, mirrored_y=d < 0)


class Converter:
    """Makes RGB images, all of one size, of the pictures of one video.

    Images are uint8, (height, width, 3), RGB, turned as displayed, pixels as stored (not stretched
    to square).
    """

    def __init__(self, max_width: int | None) -> None:
        """Images that would be displayed wider than `max_width` pixels are scaled down."""
        self._max_width = max_width
        self._scaler = VideoReformatter()
        self._orientation: Orientation | None = None
        self._size = (0, 0)

    def image(self, picture: VideoFrame) -> Image:
        """The picture in RGB. Raises: MediaError when it is too large, or of no known colours."""
        check_size(picture.width, picture.height)
        if self._orientation is None:
            self._orientation = orientation(picture)
            self._size = self._stored_size(picture, self._orientation.transposed)
        try:
            scaled = self._scaled(picture)
        except UNREADABLE:
            # Reserved numbers where the file names its colours: players guess then, as we do.
            picture.colorspace = COLOURS_UNSPECIFIED
            picture.color_range = RANGE_UNSPECIFIED
            scaled = self._guessed(picture)
        return self._orientation.apply(np.asarray(scaled.to_ndarray(), np.uint8))

    def _scaled(self, picture: VideoFrame) -> VideoFrame:
        width, height = self._size
        return self._scaler.reformat(picture, width=width, height=height, format="rgb24")

    def _guessed(self, picture: VideoFrame) -> VideoFrame:
        try:
            return self._scaled(picture)
        except UNREADABLE as error:
            raise MediaError(f"A picture cannot be turned into RGB: {reason(error)}.") from error

    def _stored_size(self, picture: VideoFrame, transposed: bool) -> tuple[int, int]:
        displayed = picture.height if transposed else picture.width
        if self._max_width is None or displayed <= self._max_width:
            return picture.width, picture.height
        scale = self._max_width / displayed
        return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
