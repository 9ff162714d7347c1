"""Small test videos with known content, written through PyAV.

Every picture carries its number as a row of black and white blocks at its foot, which survives
coding: a test asks `picture_number(image)` which picture it was given. The top left quarter is
lighter, so a turned picture shows. Sound is silence with bursts of a tone at known times. The
suffix of the path chooses the container.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from random import Random

import av
import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

# Backgrounds of consecutive scenes; neighbours differ in hue and in brightness.
COLOURS = ((200, 40, 40), (30, 60, 120), (40, 180, 60), (60, 30, 70), (190, 180, 40), (20, 90, 90))
BITS = 10  # of a picture's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A sound track: silence with bursts of a 440 Hz tone."""

    codec: str = "aac"
    sample_rate: int = 48_000
    layout: str = "mono"
    seconds: float = 2.0
    start_seconds: float = 0.0  #: when its first sample is heard
    bursts: tuple[tuple[float, float], ...] = ((0.5, 0.1), (1.5, 0.1))  #: (begin, length) in it
    gap: tuple[float, float] | None = None  #: from this second of it on, all is later by so much
    drift: float = 0.0  #: by which share its time stamps run slow
    level: float = 0.7

    def samples(self) -> NDArray[np.float32]:
        """One channel, before any gap."""
        wave = np.zeros(round(self.seconds * self.sample_rate), np.float32)
        for begin, length in self.bursts:
            first = round(begin * self.sample_rate)
            times = np.arange(round(length * self.sample_rate)) / self.sample_rate
            tone = self.level * np.sin(2 * np.pi * 440 * times)
            wave[first : first + len(tone)] = tone[: max(0, len(wave) - first)]
        return wave


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """A picture track."""

    codec: str = "libx264"
    count: int = 60
    rate: Fraction = Fraction(30)
    times: tuple[Fraction, ...] = ()  #: presentation time of each picture; empty: count / rate
    start_seconds: Fraction = Fraction(0)
    size: tuple[int, int] = (160, 120)  #: width and height as stored
    cuts: tuple[int, ...] = ()  #: numbers of the pictures that begin a new scene
    key_distance: int = 12  #: pictures from one key frame to the next, at most
    b_frames: int = 0
    open_gop: bool = False
    rotation: int = 0  #: degrees clockwise to turn it for display, as a phone writes it
    mirrored: bool = False
    pixel_format: str = "yuv420p"
    sample_aspect_ratio: Fraction = Fraction(1)

    def seconds(self) -> list[Fraction]:
        """Presentation time of each picture."""
        steps = self.times or tuple(k / self.rate for k in range(self.count))
        return [self.start_seconds + step for step in steps]

    def image(self, number: int) -> NDArray[np.uint8]:
        """The picture before coding: RGB, (height, width, 3)."""
        return picture(number, self.size, scene=sum(cut <= number for cut in self.cuts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A whole file."""

    pictures: Pictures | None = Pictures()
    sound: Sound | None = None
    options: tuple[tuple[str, str], ...] = ()  #: of the container, as (("movflags", "faststart"),)

    def write(self, path: Path) -> Path:
        """Writes the file and returns its path."""
        with av.open(str(path), "w", options=dict(self.options)) as container:
            packets = [
                *(_coded_pictures(container, self.pictures) if self.pictures else ()),
                *(_coded_sound(container, self.sound) if self.sound else ()),
            ]
            for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
                container.mux(packet)
        return path


def picture(number: int, size: tuple[int, int], scene: int = 0) -> NDArray[np.uint8]:
    """A picture of a scene that carries its number; RGB, (height, width, 3)."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[:] = COLOURS[scene % len(COLOURS)]
    image[: height // 2, : width // 2] += 50
    foot = image[height - height // 6 :]
    for bit in range(BITS):
        foot[:, width * bit // BITS : width * (bit + 1) // BITS] = 255 * (number >> bit & 1)
    return image


def picture_number(image: NDArray[np.uint8]) -> int:
    """The number that a picture carries, whatever its size; it must not be turned."""
    height, width, _ = image.shape
    row = image[height - height // 12 - 1].mean(axis=1)
    middles = [width * (2 * bit + 1) // (2 * BITS) for bit in range(BITS)]
    return sum(1 << bit for bit, middle in enumerate(middles) if row[middle] > 127)


def write_clip(path: Path, **pictures: object) -> Path:
    """A silent clip; the arguments are those of Pictures."""
    return Clip(pictures=replace(Pictures(), **pictures)).write(path)  # type: ignore[arg-type]


def truncated(path: Path, keep: float) -> Path:
    """Cuts the file off after this share of its media data."""
    whole = path.read_bytes()
    path.write_bytes(whole[: _place(whole, keep)])
    return path


def zeroed(path: Path, begin: float, end: float) -> Path:
    """Overwrites the bytes between two shares of the media data with zeros."""
    data = bytearray(path.read_bytes())
    first, last = _place(data, begin), _place(data, end)
    data[first:last] = bytes(last - first)
    path.write_bytes(bytes(data))
    return path


def _place(data: bytes | bytearray, share: float) -> int:
    """Where a share of the media data ends; the header of an MP4 is not counted."""
    start = data.find(b"mdat") + 4 if data[4:8] == b"ftyp" else 0
    return start + int((len(data) - start) * share)


def claiming(path: Path, seconds: float) -> Path:
    """Changes the duration in the headers of an MP4 or Matroska file."""
    data = bytearray(path.read_bytes())
    if data[4:8] == b"ftyp":
        _claim_mp4(data, seconds)
    else:
        place = data.index(b"\x44\x89\x88") + 3  # Duration, eight bytes, in milliseconds
        data[place : place + 8] = np.array(seconds * 1000, ">f8").tobytes()
    path.write_bytes(bytes(data))
    return path


def mutated(data: bytes, seed: int) -> bytes:
    """The bytes after accidents: flipped, cut off, zeroed, left out, repeated or exchanged."""
    random = Random(seed)
    mutant = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        _damage(mutant, random)
    return bytes(mutant) or b"\0"


def _damage(data: bytearray, random: Random) -> None:
    size = len(data)
    first = random.randrange(max(1, size))
    last = min(size, first + random.choice((1, 4, 100, 3000)))
    accident = random.randrange(6)
    if accident == 0:
        for _ in range(random.choice((1, 8, 60, 400))):
            data[random.randrange(size)] ^= 1 << random.randrange(8)
    elif accident == 1:
        del data[max(1, first) :]
    elif accident == 2:
        data[first:last] = bytes(last - first)
    elif accident == 3:
        del data[max(1, first) : last]
    elif accident == 4:
        data[first:first] = data[first:last]
    else:
        data[first:last] = random.randbytes(last - first)


def _claim_mp4(data: bytearray, seconds: float) -> None:
    # ISO/IEC 14496-12, boxes of version 0: name, bytes from it to the time scale, to the duration
    movie = data.index(b"mvhd")
    movie_scale = int.from_bytes(data[movie + 16 : movie + 20], "big")
    _put(data, movie + 20, seconds * movie_scale)
    for name, scale_at, duration_at in ((b"tkhd", None, 24), (b"mdhd", 16, 20)):
        place = data.find(name)
        while place >= 0:
            scale = movie_scale
            if scale_at is not None:
                scale = int.from_bytes(data[place + scale_at : place + scale_at + 4], "big")
            _put(data, place + duration_at, seconds * scale)
            place = data.find(name, place + 4)


def _put(data: bytearray, place: int, value: float) -> None:
    data[place : place + 4] = int(value).to_bytes(4, "big")


def _coded_pictures(container: av.container.OutputContainer, plan: Pictures) -> list[Packet]:
    stream = container.add_stream(plan.codec, rate=plan.rate)
    stream.width, stream.height = plan.size
    stream.pix_fmt = plan.pixel_format
    stream.codec_context.gop_size = plan.key_distance
    stream.codec_context.sample_aspect_ratio = plan.sample_aspect_ratio
    ticks = 90_000 if plan.codec == "libx264" else plan.rate
    stream.codec_context.time_base = 1 / Fraction(ticks)
    stream.codec_context.thread_count = 1
    if plan.codec == "libx264":
        extra = f"scenecut=0:open-gop={int(plan.open_gop)}:bframes={plan.b_frames}:b-adapt=0"
        stream.options = {"preset": "superfast", "crf": "23", "x264-params": extra}
    elif plan.b_frames:
        stream.codec_context.max_b_frames = plan.b_frames
    if plan.rotation or plan.mirrored:
        stream.set_display_rotation(-plan.rotation, hflip=plan.mirrored)
    packets = []
    for number, second in enumerate(plan.seconds()):
        frame = av.VideoFrame.from_ndarray(plan.image(number), format="rgb24")
        frame.pts, frame.time_base = round(second * ticks), 1 / Fraction(ticks)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _coded_sound(container: av.container.OutputContainer, plan: Sound) -> list[Packet]:
    stream = container.add_stream(plan.codec, rate=plan.sample_rate, layout=plan.layout)
    channels = len(stream.codec_context.layout.channels)
    wave = plan.samples()
    step = stream.codec_context.frame_size or 1024
    packets = []
    for first in range(0, len(wave), step):
        part = np.repeat(wave[None, first : first + step], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(part), format="fltp", layout=plan.layout
        )
        late = plan.gap[1] if plan.gap and first / plan.sample_rate >= plan.gap[0] else 0.0
        frame.sample_rate, frame.time_base = plan.sample_rate, Fraction(1, plan.sample_rate)
        late += plan.start_seconds + plan.drift * first / plan.sample_rate
        frame.pts = first + round(late * plan.sample_rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)
