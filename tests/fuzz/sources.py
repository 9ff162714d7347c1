"""Intact little recordings of every container and codec that can be written here."""

from fractions import Fraction
from pathlib import Path

from tests.fakes.videos import Clip, Pictures, Sound

SMALL = (64, 48)
H264 = Pictures(count=24, size=SMALL, b_frames=2, cuts=(12,))
SPEECH = Sound(seconds=0.8)
UNEVEN = tuple(Fraction(n * n, 300) for n in range(16))
FRAGMENTS = (("movflags", "frag_keyframe+empty_moov+default_base_moof"),)


def pictures(codec: str, count: int = 16, **fields: object) -> Pictures:
    """Small pictures of another codec."""
    return Pictures(codec=codec, count=count, size=SMALL, **fields)  # type: ignore[arg-type]


def sound(codec: str, **fields: object) -> Sound:
    """A short sound of another codec."""
    return Sound(**{"codec": codec, "seconds": 0.6, **fields})  # type: ignore[arg-type]


CLIPS: dict[str, Clip] = {
    "h264.mp4": Clip(pictures=H264, sound=SPEECH),
    "fast.mov": Clip(pictures=H264, sound=SPEECH, options=(("movflags", "faststart"),)),
    "fragments.mp4": Clip(pictures=H264, sound=SPEECH, options=FRAGMENTS),
    "turned.mp4": Clip(pictures=Pictures(count=16, size=SMALL, rotation=90)),
    "uneven.mp4": Clip(pictures=Pictures(count=16, size=SMALL, times=UNEVEN), sound=SPEECH),
    "late.mp4": Clip(pictures=H264, sound=sound("aac", start_seconds=0.5)),
    "hevc.mp4": Clip(pictures=pictures("libx265", 12)),
    "mpeg4.mp4": Clip(pictures=pictures("mpeg4", rate=Fraction(25)), sound=SPEECH),
    "mjpeg.mov": Clip(
        pictures=pictures("mjpeg", 8, pixel_format="yuvj420p"),
        sound=sound("pcm_s16le", sample_rate=8_000),
    ),
    "h264.mkv": Clip(pictures=H264, sound=SPEECH),
    "ffv1.mkv": Clip(pictures=pictures("ffv1", 8), sound=sound("flac", sample_rate=16_000)),
    "vp9.webm": Clip(pictures=pictures("libvpx-vp9"), sound=sound("libopus")),
    "vp8.webm": Clip(pictures=pictures("libvpx"), sound=sound("libopus")),
    "h264.ts": Clip(pictures=H264, sound=SPEECH),
    "mpeg2.ts": Clip(pictures=pictures("mpeg2video", rate=Fraction(25)), sound=sound("mp2")),
    "mpeg1.mpg": Clip(pictures=pictures("mpeg1video", rate=Fraction(25)), sound=sound("mp2")),
    "mpeg4.avi": Clip(
        pictures=pictures("mpeg4", rate=Fraction(25)), sound=sound("pcm_s16le", sample_rate=8_000)
    ),
    "mjpeg.avi": Clip(pictures=pictures("mjpeg", 8, pixel_format="yuvj420p")),
    "h264.flv": Clip(pictures=Pictures(count=24, size=SMALL), sound=SPEECH),
    "speech.wav": Clip(pictures=None, sound=sound("pcm_s16le", sample_rate=16_000)),
    "float.wav": Clip(pictures=None, sound=sound("pcm_f32le", sample_rate=8_000)),
    "speech.ogg": Clip(pictures=None, sound=sound("libopus")),
    "speech.mp3": Clip(pictures=None, sound=sound("libmp3lame")),
    "speech.flac": Clip(pictures=None, sound=sound("flac")),
    "speech.m4a": Clip(pictures=None, sound=sound("aac", layout="stereo")),
    "speech.mka": Clip(pictures=None, sound=sound("ac3")),
}
#: Files that are no recordings; some name others, which nobody may open.
TEXTS: dict[str, bytes] = {
    "list.m3u8": b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
    "list.ffconcat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "session.sdp": b"v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "page.html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "zeros": bytes(5000),
}


def write_sources(folder: Path) -> None:
    """One file for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, clip in CLIPS.items():
        clip.write(folder / name)
    for name, text in TEXTS.items():
        (folder / name).write_bytes(text)


def read_sources(folder: Path) -> dict[str, bytes]:
    """What was written, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
