"""Files that would make the reader open other files or addresses: refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.videos import Clip, Sound
from videoannotator.domain.errors import MediaError
from videoannotator.media.audio import audio_blocks
from videoannotator.media.frames import every_frame
from videoannotator.media.probe import probe

Writer = Callable[..., Path]

PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile '{name}.mp4'\n",
    "concat by full path": "ffconcat version 1.0\nfile 'file:{folder}/{name}.mp4'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{folder}/{name}.ts\n"
    "#EXT-X-ENDLIST\n",
    "hls of an address": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n"
    "http://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static"><Period>'
    "<AdaptationSet><Representation><BaseURL>{name}.mp4</BaseURL></Representation>"
    "</AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "smooth streaming": '<SmoothStreamingMedia MajorVersion="2"></SmoothStreamingMedia>',
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".ffconcat", ".mpd", ".sdp", ""])
def test_a_playlist_is_refused_though_what_it_names_is_there(
    tmp_path: Path, clip_file: Writer, kind: str, suffix: str
) -> None:
    for good in (".mp4", ".ts"):
        (tmp_path / f"good{good}").write_bytes(clip_file(Clip(sound=Sound()), good).read_bytes())
    path = tmp_path / f"list{suffix}"
    path.write_text(PLAYLISTS[kind].format(folder=tmp_path, name="good"))

    for read in (probe, lambda p: list(every_frame(p)), lambda p: list(audio_blocks(p))):
        with pytest.raises(MediaError):
            read(path)


@pytest.mark.parametrize(
    "name",
    ["concat:a|b.mp4", "http:x.mp4", "pipe:0", "a%03d.mp4", "-i x.mp4", "a b ☃ '\".mp4", "source"],
)
def test_a_name_is_only_a_name(tmp_path: Path, clip_file: Writer, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(clip_file(Clip(sound=Sound()), ".mp4").read_bytes())

    assert probe(path).duration_seconds == pytest.approx(2.0, abs=0.05)
    assert len(list(every_frame(path))) == 60


def test_a_picture_pattern_opens_no_sequence(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"a{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(200))
    pattern = tmp_path / "a%d.jpg"
    pattern.write_bytes(b"\xff\xd8\xff\xe0" + bytes(200))

    with pytest.raises(MediaError):
        probe(pattern)


def test_a_cover_picture_is_no_video(tmp_path: Path, clip_file: Writer) -> None:
    import av  # writes the cover here only

    source = clip_file(Clip(pictures=None, sound=Sound(codec="mp3")), ".mp3")
    jpeg = clip_file(Clip(), ".mp4")
    path = tmp_path / "song.mp3"
    with av.open(str(source)) as song, av.open(str(path), "w") as out, av.open(str(jpeg)) as video:
        sound = out.add_stream_from_template(song.streams.audio[0])
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 160, 120, "yuvj420p"
        cover.disposition = 1 << 10
        frame = next(video.decode(video=0)).reformat(format="yuvj420p")
        frame.pts = 0
        for packet in cover.encode(frame) + cover.encode(None):
            out.mux(packet)
        for packet in song.demux(song.streams.audio[0]):
            if packet.size:
                packet.stream = sound
                out.mux(packet)

    found = probe(path)

    assert found.video is None
    assert found.audio is not None
    assert list(every_frame(path)) == []


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64 - 1])
def test_a_box_may_claim_any_size(tmp_path: Path, size: int) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"\0\0\0\x01ftyp" + size.to_bytes(8, "big") + bytes(100))

    with pytest.raises(MediaError, match="index is missing"):
        probe(path)
