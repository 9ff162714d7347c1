"""Presentation times and key frames, read from packets without decoding a picture."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

from videoannotator.media.recording import (
    AnyPacket,
    Damages,
    only,
    open_recording,
    packets,
    presented,
)

MOST_KEY_FRAMES = 8  # looked at to learn how far they are apart
MOST_PACKETS = 3000  # looked at for the same; 100 s at 30 frames/s


def frame_times(path: Path) -> list[float]:
    """Presentation times in seconds of all frames, ascending. Raises: MediaError."""
    with open_recording(path) as recording:
        stream = recording.video
        if stream is None:
            return []
        only(recording, stream)
        ticks = [
            time
            for packet in packets(recording, stream, Damages())
            if packet.size and not packet.is_discard and (time := presented(packet)) is not None
        ]
        return [float(recording.seconds(time, stream)) for time in sorted(ticks)]


def key_frame_seconds(path: Path) -> Fraction | None:
    """Mean distance of key frames at the beginning of the video; None when only one was met."""
    with open_recording(path) as recording:
        stream = recording.video
        if stream is None:
            return None
        only(recording, stream)
        beginning = islice(packets(recording, stream, Damages()), MOST_PACKETS)
        keys = [
            recording.seconds(time, stream)
            for packet in islice(_keys(beginning), MOST_KEY_FRAMES)
            if (time := presented(packet)) is not None
        ]
        return (keys[-1] - keys[0]) / (len(keys) - 1) if len(keys) > 1 else None


def _keys(stream_packets: Iterator[AnyPacket]) -> Iterator[AnyPacket]:
    return (packet for packet in stream_packets if packet.size and packet.is_keyframe)
