"""How far a recording reaches: what its header claims, and what is there."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from av.stream import Stream

from videoannotator.media.recording import (
    UNREADABLE,
    AnyPacket,
    Damages,
    Recording,
    open_recording,
    packets,
    presented,
)

# A claim that is missed by less is rounding, or the last picture's own duration.
CLAIM_TOLERANCE_SECONDS = Fraction(1, 2)

Ends = dict[
    int, Fraction
]  #: presentation time at which the last packet of a stream ends, by stream number


def measured_ends(path: Path) -> Ends:
    """Where each stream really ends.

    Looks at the packets after the last key frame; where a header lies about the end, at all
    packets.
    """
    with open_recording(path) as recording:
        ends = _tail(recording)
    if ends:
        return ends
    with open_recording(path) as recording:
        return last_ends(recording, packets(recording, None, Damages()))


def last_ends(recording: Recording, read: Iterable[AnyPacket]) -> Ends:
    """The latest end of the packets of each stream."""
    ends: Ends = {}
    for packet in read:
        ticks = presented(packet)
        if packet.size and ticks is not None and not packet.is_corrupt and not packet.is_discard:
            end = recording.seconds(ticks + (packet.duration or 0), packet.stream)
            ends[packet.stream_index] = max(end, ends.get(packet.stream_index, end))
    return ends


def claimed_last(recording: Recording, stream: Stream) -> Fraction | None:
    """The time that the file says its stream reaches; None when it says nothing.

    MP4 lists every packet, so the last one's decoding time is taken; others state a duration, some
    for the whole file.
    """
    if recording.container.format.name.startswith("mov") and len(stream.index_entries):
        return recording.seconds(stream.index_entries[-1].timestamp, stream)
    start = recording.seconds(stream.start_time or 0, stream)
    if stream.duration is not None:
        return start + stream.duration * (stream.time_base or Fraction(0))
    duration = recording.container.duration
    if duration is not None and len(recording.container.streams) == 1:
        return start + Fraction(duration, av.time_base)
    return None


def cut_off_reason(recording: Recording, stream: Stream, end: Fraction) -> str | None:
    """What is wrong when the stream ends at `end`, well before the file says.

    None when nothing is.
    """
    claimed = claimed_last(recording, stream)
    if claimed is None or end >= claimed - CLAIM_TOLERANCE_SECONDS:
        return None
    return f"the file is cut off: it ends here, but states {float(claimed):.1f} s"


def _tail(recording: Recording) -> Ends:
    container = recording.container
    if container.duration is None:
        return {}
    end = container.duration + (container.start_time or 0)
    try:
        container.seek(end)
    except UNREADABLE:
        return {}
    return last_ends(recording, packets(recording, None, Damages()))
