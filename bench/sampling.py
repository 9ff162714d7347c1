"""Reading frames: `sample_frames` beside other ways to get the same frames of the same file."""

import statistics
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from bench import CACHE, Figure
from videoannotator.media.frames import sample_frames

WIDTH, HEIGHT, FRAMES_PER_SECOND, SECONDS = 1920, 1080, 30, 20
KEY_DISTANCES = (250, 30)  # frames
SEEKING_SECONDS = 4  # the per-sample-seek loop is slow; it gets the beginning only
TRIES = 3


def pictures() -> Iterator[np.ndarray]:
    """A noisy picture that drifts, so that the encoder has something to predict."""
    dice = np.random.default_rng(7)
    coarse = dice.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    still = cv2.resize(coarse, (WIDTH, HEIGHT))
    for number in range(SECONDS * FRAMES_PER_SECOND):
        yield np.roll(still, (number * 2, number * 3), (0, 1))


def clip(key_distance: int) -> Path:
    """A 1080p30 H.264 video with key frames so far apart; made once."""
    path = CACHE / f"1080p30-{SECONDS}s-key{key_distance}.mp4"
    if path.exists():
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.mp4")
    with av.open(part, "w") as container:
        keys = {"g": str(key_distance), "keyint_min": str(key_distance), "sc_threshold": "0"}
        stream = container.add_stream(
            "libx264", rate=FRAMES_PER_SECOND, options={"preset": "veryfast", "crf": "23", **keys}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FRAMES_PER_SECOND)
        for picture in pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return part.rename(path)


def ours(path: Path, per_second: float, mode: str) -> float:
    """Media seconds read for each second of time, by our reader."""
    started = time.perf_counter()
    with sample_frames(path, per_second=per_second, mode=mode) as frames:
        for _ in frames:
            pass
    return SECONDS / (time.perf_counter() - started)


def seek_each(path: Path, per_second: float) -> float:
    """The same by a loop that sets the position before every sample."""
    capture = cv2.VideoCapture(str(path))
    started = time.perf_counter()
    for number in range(int(SEEKING_SECONDS * per_second)):
        capture.set(cv2.CAP_PROP_POS_FRAMES, round(number * FRAMES_PER_SECOND / per_second))
        capture.read()
    elapsed = time.perf_counter() - started
    capture.release()
    return SEEKING_SECONDS / elapsed


def tries(path: Path, per_second: float, mode: str) -> tuple[float, ...]:
    """A few tries."""
    return tuple(ours(path, per_second, mode) for _ in range(TRIES))


def beside_seeking(path: Path, title: str) -> Figure:
    """Five samples a second beside a loop that seeks for each of them."""
    return Figure(
        what=f"5 samples/s, {title}",
        runs=tries(path, 5, "auto"),
        unit="x real time",
        target=8,
        beside="cv2.set(POS_FRAMES) for each sample",
        others=(seek_each(path, 5),),
    )


def beside_both_ways(path: Path, per_second: float, title: str) -> Figure:
    """Few samples: what `auto` chose beside the faster of both ways."""
    ways = {mode: tries(path, per_second, mode) for mode in ("sequential", "seek")}
    faster = max(ways, key=lambda mode: statistics.median(ways[mode]))
    return Figure(
        what=f"{per_second} samples/s, {title}",
        runs=tries(path, per_second, "auto"),
        unit="x real time",
        target=round(0.9 * statistics.median(ways[faster]), 2),
        beside=f"the faster of both ways, {faster}",
        others=ways[faster],
    )


def measure() -> list[Figure]:
    """Speed in times real time, 1080p30."""
    figures = []
    for distance in KEY_DISTANCES:
        path, title = clip(distance), f"key frames every {distance}"
        figures.append(beside_seeking(path, title))
        figures += [beside_both_ways(path, rate, title) for rate in (1, 0.2)]
    return figures
