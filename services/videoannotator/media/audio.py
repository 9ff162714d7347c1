"""Sound as a stream of blocks: float32, mono, 16 kHz, read ahead in a thread."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from videoannotator.domain.errors import MediaError
from videoannotator.media.ahead import ahead
from videoannotator.media.extent import Reach
from videoannotator.media.reader import Reader
from videoannotator.media.recording import (
    UNREADABLE,
    AnyPacket,
    Damages,
    Recording,
    only,
    open_recording,
    packets,
    presented,
    reason,
)
from videoannotator.media.sampling import Stamped
from videoannotator.media.timeline import RATE, Samples, Sound, Timeline

AHEAD_BYTES = 16 * 1024 * 1024  # blocks that wait; four minutes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AudioBlock:
    """A stretch of sound."""

    start_seconds: (
        float  #: presentation time of the first sample; sample i is at start_seconds + i / 16000
    )
    samples: Samples  #: float32, (n,), mono, 16 kHz, -1 to 1


class AudioReader(Reader[AudioBlock]):
    """The sound of one recording, once through."""

    def __init__(self, path: Path, block_seconds: float) -> None:
        """Blocks are `block_seconds` long, the last one is shorter."""
        damages = Damages()
        blocks = ahead(
            partial(_blocks, path, block_seconds, damages),
            limit=AHEAD_BYTES,
            weight=lambda block: block.samples.nbytes,
        )
        super().__init__(blocks, damages)


def audio_blocks(path: Path, *, block_seconds: float = 10.0) -> AudioReader:
    """The sound from time zero on, or from its own beginning when that is earlier.

    Without a sound track there is no block.

    A late start and gaps are silence, so every sample's number gives its presentation time. Several
    channels are mixed to one, no louder than the loudest of them.
    """
    return AudioReader(path, block_seconds)


def _blocks(
    path: Path, block_seconds: float, damages: Damages
) -> Generator[AudioBlock, None, None]:
    with open_recording(path) as recording:
        if recording.audio is None:
            return
        timeline = Timeline(damages)
        pieces = timeline.pieces(_sounds(recording, recording.audio, damages))
        laid = 0
        for samples in _cut(pieces, max(1, round(block_seconds * RATE))):
            start = timeline.origin + Fraction(laid, RATE)
            yield AudioBlock(start_seconds=float(start), samples=samples)
            laid += len(samples)


def _cut(pieces: Iterable[Samples], length: int) -> Iterator[Samples]:
    """The same samples in arrays of `length`; the last one is shorter."""
    held: list[Samples] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        if count >= length:
            joined = np.concatenate(held)
            whole = count - count % length
            yield from np.split(joined[:whole], range(length, whole, length))
            held, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(held)


def _sounds(recording: Recording, stream: AudioStream, damages: Damages) -> Iterator[Sound]:
    """Decoded sound in the order of the file.

    Raises: MediaError when there was sound and none could be decoded.
    """
    reach = Reach(recording, stream)
    only(recording, reach.watched)
    latest = Fraction(0)
    read = decoded = False
    for packet in packets(recording, reach.watched, damages):
        reach.see(packet)
        if packet.stream is not stream:
            continue
        read = read or packet.size > 0
        ticks = presented(packet)
        latest = latest if ticks is None else recording.seconds(ticks, stream)
        for frame in _decoded(packet, latest, damages):
            decoded = True
            begins = latest if frame.pts is None else recording.seconds(frame.pts, stream)
            seconds = Fraction(frame.samples, max(1, frame.sample_rate))
            yield Stamped(frame, begins, seconds)
            latest = begins + seconds
    shortfall = reach.shortfall()
    if shortfall:
        damages.note(latest, shortfall)
    if read and not decoded:
        raise MediaError("The sound cannot be decoded.", second=float(latest))


def _decoded(packet: AnyPacket, latest: Fraction, damages: Damages) -> list[AudioFrame]:
    if packet.is_corrupt:
        damages.note(latest, "a packet of sound is cut off or damaged")
        return []
    try:
        decoded: Iterable[object] = packet.decode()
        return [frame for frame in decoded if isinstance(frame, AudioFrame)]
    except UNREADABLE as error:
        damages.note(latest, f"sound cannot be decoded: {reason(error)}")
        return []
