"""What a file is: container, streams, durations, rates."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import TypeVar

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.frame import Frame
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videoannotator.domain import videos
from videoannotator.domain.errors import MediaError
from videoannotator.media.extent import Ends, measured_ends
from videoannotator.media.pictures import orientation
from videoannotator.media.recording import (
    UNREADABLE,
    AnyPacket,
    Damages,
    Recording,
    open_recording,
    packets,
    presented,
    reason,
)

MOST_PACKETS = 2000  # read from the beginning
MOST_TIMES = 300  # frames looked at to tell a variable frame rate
FrameT = TypeVar("FrameT", bound=Frame)
ROUNDING_SECONDS = Fraction(2, 1000)  # containers that count milliseconds round each time


@dataclass(slots=True)
class _Beginning:
    """What the first packets tell."""

    picture: VideoFrame | None = None
    sound: AudioFrame | None = None
    times: list[Fraction] = field(default_factory=list)  # of pictures, from packets
    trouble: str = ""


def probe(path: Path) -> videos.Probe:
    """Opens the file and says what it is.

    One picture and one piece of sound are decoded to be sure that it can be done; a stream for
    which it cannot is described as its header does. Durations are those of the data that is there,
    not what a header claims.

    Raises: MediaError when neither picture nor sound can be decoded.
    """
    with open_recording(path) as recording:
        beginning = _read(recording)
        if beginning.picture is None and beginning.sound is None:
            raise MediaError(
                f"Neither picture nor sound can be decoded{beginning.trouble}.", second=0.0
            )
        ends = measured_ends(path)
        video = _video(recording, recording.video, beginning, ends) if recording.video else None
        audio = _audio(recording, recording.audio, beginning, ends) if recording.audio else None
        starts = [s.start_seconds for s in (video, audio) if s]
        stops = [s.start_seconds + s.duration_seconds for s in (video, audio) if s]
        return videos.Probe(
            container=recording.container.format.name,
            start_seconds=min(starts),
            duration_seconds=max(stops) - min(starts),
            video=video,
            audio=audio,
        )


def _read(recording: Recording) -> _Beginning:
    """Reads until a picture and a piece of sound are decoded and the frame rate can be told."""
    found = _Beginning()
    for packet in islice(packets(recording, None, Damages()), MOST_PACKETS):
        if packet.stream is recording.video:
            _look_at_picture(recording, packet, found)
        elif packet.stream is recording.audio and found.sound is None:
            found.sound = _first(packet, AudioFrame, found)
        if _enough(recording, found):
            break
    return found


def _look_at_picture(recording: Recording, packet: AnyPacket, found: _Beginning) -> None:
    ticks = presented(packet)
    if packet.size and ticks is not None and not packet.is_discard:
        found.times.append(recording.seconds(ticks, packet.stream))
    if found.picture is None:
        found.picture = _first(packet, VideoFrame, found)


def _first(packet: AnyPacket, kind: type[FrameT], found: _Beginning) -> FrameT | None:
    if packet.is_corrupt:
        return None
    try:
        decoded: Iterable[object] = packet.decode()
        return next((frame for frame in decoded if isinstance(frame, kind)), None)
    except UNREADABLE as error:
        found.trouble = found.trouble or f": {reason(error)}"
        return None


def _enough(recording: Recording, found: _Beginning) -> bool:
    picture = recording.video is None or (found.picture and len(found.times) >= MOST_TIMES)
    return bool(picture and (recording.audio is None or found.sound))


def _video(
    recording: Recording, stream: VideoStream, found: _Beginning, ends: Ends
) -> videos.VideoStream:
    start = _start(recording, stream, found.picture)
    context = stream.codec_context
    return videos.VideoStream(
        codec=context.name,
        width=context.width,
        height=context.height,
        rotation=orientation(found.picture).degrees if found.picture else 0,
        mean_frame_rate=stream.average_rate or None,
        variable_frame_rate=_varies(found.times),
        sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
        start_seconds=float(start),
        duration_seconds=float(max(Fraction(0), ends.get(stream.index, start) - start)),
    )


def _audio(
    recording: Recording, stream: AudioStream, found: _Beginning, ends: Ends
) -> videos.AudioStream:
    start = _start(recording, stream, found.sound)
    context = stream.codec_context
    return videos.AudioStream(
        codec=context.name,
        sample_rate=context.sample_rate,
        channels=context.channels,
        layout=context.layout.name,
        start_seconds=float(start),
        duration_seconds=float(max(Fraction(0), ends.get(stream.index, start) - start)),
    )


def _start(recording: Recording, stream: Stream, first: Frame | None) -> Fraction:
    """Presentation time of the first decoded frame; what the header says where there is none."""
    ticks = stream.start_time if first is None or first.pts is None else first.pts
    return recording.seconds(ticks or 0, stream)


def _varies(times: list[Fraction]) -> bool:
    """Whether pictures follow each other at changing distances, beyond what rounding explains."""
    # In the order of the file; the last ones may still lack an earlier neighbour.
    ordered = sorted(times)[: -8 if len(times) > MOST_TIMES // 2 else None]
    steps = [later - earlier for earlier, later in pairwise(ordered)]
    if not steps:
        return False
    return max(steps) - min(steps) > max(ROUNDING_SECONDS, min(steps) / 20)
