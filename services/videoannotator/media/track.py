"""The picture track of an open recording.

Decoded pictures with their times, and moving about in it.
"""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videoannotator.domain.errors import MediaError
from videoannotator.media.extent import Reach
from videoannotator.media.lookahead import plan
from videoannotator.media.recording import (
    UNREADABLE,
    AnyPacket,
    Damages,
    Recording,
    only,
    packets,
    presented,
    reason,
)
from videoannotator.media.sampling import Stamped

NO_RATE_SECONDS = Fraction(1, 25)  # duration of a picture when nothing is known of its rate
EARLIER_SECONDS = (0, 1, 2, 5, 10, 30, 60, 300, 3600)  # how far before the wanted time a seek aims

Picture = Stamped[VideoFrame]


class Track:
    """Decodes one picture stream. To be used by one thread."""

    def __init__(
        self,
        recording: Recording,
        stream: VideoStream,
        damages: Damages,
        wanted: Callable[[Fraction, Fraction], bool] | None = None,
    ) -> None:
        """Decoding uses a thread for each core; streams beside this one are skipped.

        `wanted` tells whether a picture shown from one second to another will be looked at; others
        are left out where nothing depends on them. None: all are wanted.
        """
        self._wanted = wanted if _stamped_by_sample(recording) else None
        self._numbers: dict[int, int] = {}  # of pictures on their way, by time stamp
        self._recording = recording
        self._stream = stream
        self._damages = damages
        self._latest = Fraction(0)
        self.decoded = 0  #: pictures so far
        self.sent = 0  #: packets so far
        stream.thread_type = "AUTO"
        if self._wanted is not None and stream.codec_context.name == "h264":
            # Where the stream does not say how far pictures are out of order, the decoder learns it
            # from the pictures it sees; a strict one assumes the most, and none comes too late.
            stream.codec_context.options |= {"strict": "1"}
        self._reach = Reach(recording, stream)
        only(recording, self._reach.watched)

    @property
    def usual_duration(self) -> Fraction:
        """Seconds between pictures, as the file says; a guess when it says nothing."""
        rate = self._stream.average_rate
        return 1 / rate if rate else NO_RATE_SECONDS

    def pictures(self) -> Iterator[Picture]:
        """Pictures in presentation order, of a file just opened. They are numbered.

        What cannot be decoded is noted and left out.
        """
        if self._wanted is not None:
            yield from self._remaining(())
            return
        for number, picture in enumerate(self._remaining(())):
            yield picture._replace(number=number)

    def _remaining(self, read: Iterable[AnyPacket]) -> Iterator[Picture]:
        """Pictures from where the file stands; `read` are packets that were read already."""
        remaining = chain(read, self._packets(self._damages))
        if self._wanted is None:
            for packet in remaining:
                yield from self._decode(packet)
        else:
            yield from self._decode_wanted(remaining, self._wanted)
        shortfall = self._reach.shortfall()
        if shortfall:
            self._damages.note(self._latest, shortfall)

    def key_pictures(self) -> Iterator[Picture]:
        """Pictures that are complete in themselves; nothing else is decoded."""
        self._stream.codec_context.skip_frame = "NONKEY"
        for packet in self._packets(self._damages):
            if packet.is_keyframe or packet.size == 0:
                yield from self._decode(packet)

    def from_key(self, at: Fraction) -> Iterator[Picture] | None:
        """Moves to a key picture shown at `at` or before and decodes from there.

        None when that cannot be done.

        A container seeks by its own index, often by decoding time, so where it landed is looked at
        and, when that is too late, an earlier place is tried.
        """
        for earlier in EARLIER_SECONDS:
            if not self._seek(at - earlier):
                return None
            first = self._next_key()
            if first is None:
                return None
            if self._time(presented(first)) <= at:
                self._numbers.clear()
                return (p._replace(number=None) for p in self._remaining([first]))
        return None

    def check_read(self) -> None:
        """Raises: MediaError when there were pictures and none could be decoded."""
        if self.decoded == 0 and (self.sent or self._damages):
            why = f": {self._damages[0].reason}" if self._damages else ""
            raise MediaError(f"No picture of the video can be decoded{why}.")

    def _seek(self, at: Fraction) -> bool:
        ticks = self._recording.ticks(at, self._stream)
        try:
            self._recording.container.seek(ticks, stream=self._stream)
        except UNREADABLE:
            return False
        return True

    def _packets(self, damages: Damages) -> Iterator[AnyPacket]:
        for packet in packets(self._recording, self._reach.watched, damages):
            self._reach.see(packet)
            if packet.stream is self._stream:
                yield packet

    def _next_key(self) -> AnyPacket | None:
        for packet in self._packets(Damages()):
            if packet.is_keyframe and not packet.is_corrupt and presented(packet) is not None:
                return packet
        return None

    def _decode_wanted(
        self, remaining: Iterable[AnyPacket], wanted: Callable[[Fraction, Fraction], bool]
    ) -> Iterator[Picture]:
        def wanted_stamps(begin: int, end: int) -> bool:
            return wanted(self._time(begin), self._time(end))

        context = self._stream.codec_context
        for packet, needed, number in plan(remaining, wanted_stamps):
            if not needed and context.codec.intra_only:
                continue
            # The decoder knows on which pictures no other one depends; it leaves those out.
            context.skip_frame = "DEFAULT" if needed else "NONREF"
            if number is not None and packet.pts is not None:
                self._numbers[packet.pts] = number
            yield from self._decode(packet)

    def _decode(self, packet: AnyPacket) -> Iterator[Picture]:
        if packet.size:
            self.sent += 1
            self._latest = self._time(presented(packet))
        if packet.is_corrupt:
            self._damages.note(self._latest, "a packet is cut off or damaged")
            return
        try:
            decoded = self._stream.codec_context.decode(packet)
        except UNREADABLE as error:
            self._damages.note(self._latest, f"a picture cannot be decoded: {reason(error)}")
            return
        for picture in decoded:
            yield self._stamped(picture)

    def _stamped(self, picture: VideoFrame) -> Picture:
        if picture.is_corrupt:
            self._damages.note(self._latest, "a picture is damaged")
        base = self._stream.time_base or Fraction(0)
        ticks = picture.dts if picture.pts is None else picture.pts
        self.decoded += 1
        number = None if ticks is None else self._numbers.pop(ticks, None)
        return Stamped(picture, self._time(ticks), picture.duration * base, number)

    def _time(self, ticks: int | None) -> Fraction:
        """Presentation time; where none is stored, one picture after the latest."""
        if ticks is None:
            return self._latest + self.usual_duration
        return self._recording.seconds(ticks, self._stream)


def _stamped_by_sample(recording: Recording) -> bool:
    """Whether each packet is one whole picture with its time; elsewhere it may be half of one."""
    return recording.container.format.name.startswith(("mov", "matroska"))
