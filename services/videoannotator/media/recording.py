"""Opening a recording: plain files of known formats only, its streams, its clock and its damage.

Time zero. Times are presentation times as stored, so a stream that begins late keeps its offset.
MPEG transport and programme streams and Ogg carry a clock with an arbitrary origin, and MP3 counts
the encoder's delay: there zero is the earliest presentation time of the file, because that is where
players start to count.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from videoannotator.domain.errors import BlobNotFound, MediaError, StorageDenied
from videoannotator.media.complaint import complaint

# Demuxers that read one file and nothing else. Playlists (hls, dash, concat, sdp, image2) would
# open what they name.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,dv,wtv,ivf,"
    "wav,w64,mp3,flac,aac,aiff,caf,au,amr"
)
ARBITRARY_CLOCKS = {"mpegts", "mpeg", "ogg", "mp3"}
LARGEST_SIDE_PIXELS = 16384
LARGEST_PICTURE_PIXELS = 16384 * 8192  # 402 MB as RGB
# What PyAV raises for a file it cannot make sense of: FFmpeg's own errors, and Python's for values
# out of range.
UNREADABLE = (FFmpegError, ValueError, OverflowError, EOFError, RuntimeError)
MOST_DAMAGES = 1000
StreamT = TypeVar("StreamT", bound=Stream)
if TYPE_CHECKING:
    AnyPacket = Packet[Stream]
else:  # the class is generic only to type checkers
    AnyPacket = Packet


class Damage(NamedTuple):
    """A place that could not be read."""

    second: float  #: presentation time
    reason: str


class Damages(list[Damage]):
    """The damage met so far, in the order met; a run of the same trouble is one entry."""

    def __init__(self) -> None:
        """Starts empty."""
        super().__init__()
        self._latest: Damage | None = None

    def note(self, second: Fraction | float, reason: str) -> None:
        """Adds damage, unless the same was met within the second before or the list is full."""
        damage = Damage(round(float(second), 6), reason)
        before, self._latest = self._latest, damage
        repeated = before and before.reason == reason and abs(damage.second - before.second) <= 1
        if not repeated and len(self) < MOST_DAMAGES:
            self.append(damage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An open file. To be used by one thread."""

    container: InputContainer
    video: VideoStream | None  #: the best picture stream that is not a cover
    audio: AudioStream | None
    zero: Fraction  #: seconds of the container's clock at time zero

    def seconds(self, ticks: int, stream: Stream) -> Fraction:
        """Presentation time of a time stamp of `stream`."""
        return ticks * (stream.time_base or Fraction(1)) - self.zero

    def ticks(self, seconds: Fraction, stream: Stream) -> int:
        """Time stamp of `stream`, rounded down, of a presentation time."""
        return int((seconds + self.zero) // (stream.time_base or Fraction(1)))


@contextmanager
def open_recording(path: Path) -> Iterator[Recording]:
    """Opens the file and closes it again.

    Raises: MediaError when it is no recording; BlobNotFound; StorageDenied.
    """
    container = _opened(path)
    try:
        yield _recording(container)
    finally:
        container.close()


def reason(error: BaseException) -> str:
    """What FFmpeg says, without the name of the file."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def only(recording: Recording, stream: Stream | None) -> None:
    """Makes the demuxer skip every other stream; none for None."""
    for other in recording.container.streams:
        wanted = stream is None or other is stream
        other.discard = Discard.default if wanted else Discard.all


def packets(recording: Recording, stream: Stream | None, damages: Damages) -> Iterator[AnyPacket]:
    """Packets from where the file stands, of all streams for None.

    They end with an empty one for each stream, which makes its decoder give what it still holds. A
    read error is noted and ends them.
    """
    source = recording.container.demux(*([stream] if stream else []))
    latest = Fraction(0)
    while True:
        try:
            packet = next(source)
        except (StopIteration, IndexError):
            # PyAV stumbles over a stream that appeared while it was reading, but only at the end,
            # when it has given the empty packets of the streams it knew.
            return
        except UNREADABLE as error:
            damages.note(latest, f"the file cannot be read further: {reason(error)}")
            return
        ticks = presented(packet)
        if ticks is not None:
            latest = recording.seconds(ticks, packet.stream)
        yield packet


def presented(packet: AnyPacket) -> int | None:
    """Time stamp of presentation, or of decoding where the format has no other."""
    return packet.dts if packet.pts is None else packet.pts


def check_size(width: int, height: int) -> None:
    """Raises: MediaError when a picture is larger than is read."""
    if max(width, height) > LARGEST_SIDE_PIXELS or width * height > LARGEST_PICTURE_PIXELS:
        raise MediaError(
            f"The picture is too large: {width} x {height} pixels.",
            hint=f"At most {LARGEST_SIDE_PIXELS} pixels a side are read; scale the video down.",
        )


def _opened(path: Path) -> InputContainer:
    _check_plain_file(path)
    # The prefix keeps a name from being taken for an address, as "concat:a|b".
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        return av.open(
            f"file:{path.absolute()}", container_options=options, metadata_errors="replace"
        )
    except UNREADABLE as error:
        raise MediaError(complaint(path, reason(error))) from error


def _check_plain_file(path: Path) -> None:
    try:
        if not path.is_file():
            raise BlobNotFound("There is no such video file.")
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError("The file is empty.", hint="Upload the video again.")
    except PermissionError as error:
        raise StorageDenied("The video file may not be read.") from error


def _recording(container: InputContainer) -> Recording:
    video = _best(list(container.streams.video), container.streams.best("video"))
    audio = _best(list(container.streams.audio), container.streams.best("audio"))
    if video is None and audio is None:
        raise MediaError("The file holds neither picture nor sound.")
    if video is not None:
        check_size(video.codec_context.width, video.codec_context.height)
        video.codec_context.options = {"max_pixels": str(LARGEST_PICTURE_PIXELS)}
    return Recording(container=container, video=video, audio=audio, zero=_zero(container))


def _best(streams: list[StreamT], best: Stream | None) -> StreamT | None:
    """The stream a player would choose; a cover picture is none."""
    usable = [
        s for s in streams if s.codec_context and not s.disposition & Disposition.attached_pic
    ]
    return next((s for s in usable if s is best), usable[0] if usable else None)


def _zero(container: InputContainer) -> Fraction:
    if container.format.name not in ARBITRARY_CLOCKS:
        return Fraction(0)
    starts = [
        s.start_time * s.time_base
        for s in container.streams
        if s.start_time is not None and s.time_base
    ]
    return min(starts, default=Fraction(0))
