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

CUT_OFF = "the file is cut off: it ends here, but states {:.1f} s"
# Formats whose header states one duration for all streams. Others, as MPEG-TS, state none; FFmpeg
# then guesses from the data or the bit rate.
CLAIM_FOR_ALL = {"matroska,webm", "flv", "asf"}

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


class Reach:
    """How far a stream was read, against what the file claims."""

    def __init__(self, recording: Recording, stream: Stream) -> None:
        """To be made before packets are read."""
        self._recording = recording
        self._stream = stream
        self._format = recording.container.format.name
        self._last_dts: int | None = None  # of the stream
        self._end = Fraction(0)  # of all packets

    @property
    def watched(self) -> Stream | None:
        """The stream whose packets must be seen.

        None for all, where only the whole file states its duration.
        """
        return None if self._format in CLAIM_FOR_ALL else self._stream

    def see(self, packet: AnyPacket) -> None:
        """Takes note of a packet."""
        ticks = presented(packet)
        if not packet.size or ticks is None or packet.is_corrupt:
            return
        self._end = max(
            self._end, self._recording.seconds(ticks + (packet.duration or 0), packet.stream)
        )
        if packet.stream is self._stream and packet.dts is not None:
            self._last_dts = packet.dts

    def shortfall(self) -> str | None:
        """What is missing after the last packet was seen; None when nothing is."""
        if self._format.startswith("mov"):
            return self._shortfall_of_index()
        claimed = self._claimed_end()
        if claimed is None or self._end >= claimed - CLAIM_TOLERANCE_SECONDS:
            return None
        return CUT_OFF.format(float(claimed))

    def _shortfall_of_index(self) -> str | None:
        """MP4 lists every packet, so it is known to the packet.

        The list of fragments grows while they are read.
        """
        entries = self._stream.index_entries
        if not len(entries):
            return None
        last = entries[-1].timestamp
        if self._last_dts is not None and self._last_dts >= last:
            return None
        return CUT_OFF.format(float(self._recording.seconds(last, self._stream)))

    def _claimed_end(self) -> Fraction | None:
        container, stream = self._recording.container, self._stream
        if self._format in CLAIM_FOR_ALL and container.duration is not None:
            return Fraction(container.duration, av.time_base)
        if self._format == "avi" and stream.duration is not None:
            ticks = (stream.start_time or 0) + stream.duration
            return self._recording.seconds(ticks, stream)
        return None


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
