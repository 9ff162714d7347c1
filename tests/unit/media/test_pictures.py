"""Pictures as they are displayed: turned once, in RGB, in one size."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.fakes.videos import Clip, Pictures, picture
from videoannotator.domain.errors import MediaError
from videoannotator.media.frames import every_frame, key_frames, sample_frames
from videoannotator.media.pictures import Converter
from videoannotator.media.probe import probe

Writer = Callable[..., Path]


def first_image(path: Path, max_width: int | None = None) -> np.ndarray:
    with every_frame(path, max_width=max_width) as frames:
        return next(frames).image


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_turned_video_is_displayed_upright(clip_file: Writer, rotation: int) -> None:
    path = clip_file(Clip(pictures=Pictures(count=12, rotation=rotation)))
    stored = picture(0, (160, 120))

    image = first_image(path)

    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert difference(image, np.rot90(stored, -rotation // 90)) < 3
    assert probe(path).video.rotation == rotation  # type: ignore[union-attr]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_another_decoder_displays_the_same(clip_file: Writer, rotation: int) -> None:
    path = clip_file(Clip(pictures=Pictures(count=12, rotation=rotation)))

    capture = cv2.VideoCapture(str(path))
    _, blue_first = capture.read()
    capture.release()

    assert difference(first_image(path), blue_first[:, :, ::-1]) < 1


def test_every_way_to_read_turns_alike(clip_file: Writer) -> None:
    path = clip_file(Clip(pictures=Pictures(count=12, rotation=90)))

    images = [
        next(reader).image
        for reader in (
            every_frame(path),
            key_frames(path),
            sample_frames(path, per_second=1, mode="seek"),
        )
    ]

    assert all(np.array_equal(images[0], other) for other in images[1:])


def test_a_mirrored_video_is_mirrored(clip_file: Writer) -> None:
    path = clip_file(Clip(pictures=Pictures(count=12, mirrored=True)))

    assert difference(first_image(path), picture(0, (160, 120))[:, ::-1]) < 3


@pytest.mark.parametrize(
    ("size", "pixel_format"), [((161, 119), "yuv444p"), ((33, 17), "yuv444p"), ((2, 2), "yuv420p")]
)
def test_odd_sizes_keep_every_pixel(
    clip_file: Writer, size: tuple[int, int], pixel_format: str
) -> None:
    path = clip_file(Clip(pictures=Pictures(count=3, size=size, pixel_format=pixel_format)))

    image = first_image(path)

    assert image.shape == (size[1], size[0], 3)
    if min(size) > 16:
        assert difference(image, picture(0, size)) < 6


@pytest.mark.parametrize(
    ("rotation", "max_width", "shape"),
    [(0, 80, (60, 80, 3)), (90, 60, (80, 60, 3)), (0, 500, (120, 160, 3)), (0, 1, (1, 1, 3))],
)
def test_wide_pictures_are_scaled_down_to_the_width_displayed(
    clip_file: Writer, rotation: int, max_width: int, shape: tuple[int, int, int]
) -> None:
    path = clip_file(Clip(pictures=Pictures(count=12, rotation=rotation)))

    assert first_image(path, max_width).shape == shape


def test_pixels_are_not_stretched_to_squares(clip_file: Writer) -> None:
    pictures = Pictures(count=3, sample_aspect_ratio=Fraction(4, 3))
    path = clip_file(Clip(pictures=pictures))

    assert first_image(path).shape == (120, 160, 3)
    assert probe(path).video.sample_aspect_ratio == Fraction(4, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize("matrix", [3, 14, 255])
def test_reserved_colours_are_taken_as_unspecified_ones(clip_file: Writer, matrix: int) -> None:
    path = clip_file(Clip(pictures=Pictures(count=1)))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    plain = Converter(None).image(frame)

    frame.colorspace = matrix
    frame.color_range = 3

    assert difference(Converter(None).image(frame), plain) < 3


def test_a_picture_that_cannot_be_converted_is_refused() -> None:
    frame = av.VideoFrame(64, 48, "gray32le")

    with pytest.raises(MediaError, match="turned into RGB: "):
        Converter(None).image(frame)
