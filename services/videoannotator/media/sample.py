"""A short video with known cuts and known speech.

`python -m videoannotator.media.sample OUT.mp4` writes it.
"""

import argparse
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

#: Four sentences spoken by espeak-ng 1.51, mono 16 kHz
SPEECH = Path(__file__).parent / "data" / "speech.flac"
#: when each sentence is spoken, in seconds, measured on the synthesised waveform
SPEECH_SPANS = ((0.5, 1.756), (2.456, 4.152), (5.652, 6.930), (7.530, 8.862))

WIDTH, HEIGHT = 640, 360  # pixels
FRAMES_PER_SECOND = 25
SCENE_STARTS = (0, 60, 125, 180)  #: the frames with which a scene begins
FRAMES = 240
CUT_SECONDS = tuple(frame / FRAMES_PER_SECOND for frame in SCENE_STARTS[1:])
DURATION_SECONDS = FRAMES / FRAMES_PER_SECOND

#: of each scene, as (background, ball), RGB
COLOURS = (
    ((40, 70, 120), (240, 200, 60)),
    ((200, 190, 170), (170, 40, 40)),
    ((30, 110, 60), (235, 235, 235)),
    ((110, 40, 90), (90, 210, 220)),
)
BALL_PIXELS = 46  # radius
STEP_PIXELS = 4  # the ball's way from frame to frame


def make_sample(path: Path) -> None:
    """Writes the sample as MP4: H.264 (yuv420p, 25 frames/s) and AAC, fast start."""
    options = {"movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as target, av.open(SPEECH) as heard:
        picture = target.add_stream("libx264", rate=FRAMES_PER_SECOND, options={"crf": "23"})
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = target.add_stream("aac", rate=heard.streams.audio[0].rate, layout="mono")
        for frame in _speech(heard):
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))
        for number in range(FRAMES):
            target.mux(picture.encode(_frame(number)))
        target.mux(picture.encode(None))


def image(number: int) -> NDArray[np.uint8]:
    """Frame `number` from 0: a ball that moves before a shaded wall; RGB, (height, width, 3)."""
    scene = sum(number >= start for start in SCENE_STARTS) - 1
    x = (150 + 90 * scene + STEP_PIXELS * (number - SCENE_STARTS[scene])) % WIDTH
    rows, columns = np.ogrid[0:HEIGHT, 0:WIDTH]
    drawn = _wall(scene).copy()
    drawn[(columns - x) ** 2 + (rows - HEIGHT // 2) ** 2 < BALL_PIXELS**2] = COLOURS[scene][1]
    return drawn


@cache
def _wall(scene: int) -> NDArray[np.uint8]:
    shade = np.linspace(0.7, 1.0, HEIGHT)[:, None, None]
    wall = shade * np.array(COLOURS[scene][0]) * np.ones((1, WIDTH, 1))
    return np.asarray(wall, np.uint8)


def _frame(number: int) -> VideoFrame:
    frame = VideoFrame.from_ndarray(image(number), format="rgb24")
    frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_SECOND)
    return frame


def _speech(heard: InputContainer) -> Iterator[AudioFrame]:
    yield from heard.decode(audio=0)


def main() -> None:
    """Writes the sample where the command line says."""
    parser = argparse.ArgumentParser(description="Makes a short video to try the pipelines on.")
    parser.add_argument("path", type=Path, metavar="OUT.mp4")
    make_sample(parser.parse_args().path)


if __name__ == "__main__":
    main()
