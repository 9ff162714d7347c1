"""Voice activity on recordings with known speech."""

import csv
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import jsonschema
import numpy as np
import pytest

from tests.fakes.context import Ran, context_for, run
from tests.fakes.videos import Clip, Sound, truncated, write_clip
from videoannotator.domain.errors import Stopped
from videoannotator.formats.segments import JSON_SCHEMA
from videoannotator.media.sample import SPEECH, SPEECH_SPANS
from videoannotator.pipelines.voice_activity.pipeline import NO_SOUND
from videoannotator.pipelines.voice_activity.silero import SHA256
from videoannotator.pipelines.voice_activity.spec import CSV_NAME, JSON_NAME, SPEC


def annotated(video: Path, folder: Path, **parameters: Any) -> Ran:
    return run(SPEC, context_for(video, folder / "out"), **parameters)


def segments(ran: Ran) -> list[dict[str, Any]]:
    return ran.json(JSON_NAME)["segments"]  # type: ignore[no-any-return]


def spoken(path: Path, *, start_seconds: float = 0.0, times: int = 1) -> Path:
    """Writes the clip of speech, so many times in a row, as the sound of a Matroska file."""
    with av.open(str(path), "w") as target, av.open(str(SPEECH)) as source:
        stream = target.add_stream("flac", rate=16_000, layout="mono")
        stream.codec_context.format = "s16"
        samples = np.concatenate([frame.to_ndarray() for frame in source.decode(audio=0)], axis=1)
        for frame in framed(np.tile(samples, times), start_seconds):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def framed(samples: np.ndarray[Any, Any], start_seconds: float) -> Iterator[av.AudioFrame]:
    for first in range(0, samples.shape[1], 4096):
        part = np.ascontiguousarray(samples[:, first : first + 4096])
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate, frame.time_base = 16_000, Fraction(1, 16_000)
        frame.pts = first + round(start_seconds * 16_000)
        yield frame


def test_speech_is_found_where_it_is_known_to_be(tmp_path: Path) -> None:
    ran = annotated(spoken(tmp_path / "a.mkv"), tmp_path)

    found = [(each["start_seconds"], each["end_seconds"]) for each in segments(ran)]
    assert np.abs(np.array(found) - np.array(SPEECH_SPANS)).max() < 0.12
    assert ran.outcome.summary == {"segments": 4, "speech_seconds": 6}


def test_a_late_start_of_the_sound_is_kept(tmp_path: Path) -> None:
    plain = segments(annotated(spoken(tmp_path / "a.mkv"), tmp_path / "a"))
    late = segments(annotated(spoken(tmp_path / "b.mkv", start_seconds=2.5), tmp_path / "b"))

    assert [each["start_seconds"] for each in late] == pytest.approx(
        [each["start_seconds"] + 2.5 for each in plain], abs=0.04
    )


def test_csv_and_json_tell_the_same_and_the_schema_holds(tmp_path: Path) -> None:
    ran = annotated(spoken(tmp_path / "a.mkv"), tmp_path)

    jsonschema.validate(ran.json(JSON_NAME), JSON_SCHEMA)
    rows = list(csv.DictReader(io.StringIO(ran.files[CSV_NAME].decode(), newline="")))
    assert [{**row, "label": row["label"]} for row in rows] == [
        {key: str(value) for key, value in each.items()} for each in segments(ran)
    ]


def test_speech_over_the_edge_of_a_block_is_one_segment(tmp_path: Path) -> None:
    # The first block ends at 10 s; the clip, heard twice, speaks from 9.96 s on.
    found = segments(annotated(spoken(tmp_path / "a.mkv", times=2), tmp_path))

    assert len(found) == 8
    assert found[4]["start_seconds"] < 10.0 < found[4]["end_seconds"]


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({"min_silence_ms": 1000}, 2),
        ({"min_speech_ms": 1500}, 1),
        ({"min_speech_ms": 60_000}, 0),
        ({"threshold": 0.99, "end_threshold": 0.98}, None),
        ({"max_speech_seconds": 1.0}, None),
    ],
)
def test_parameters_are_applied(
    parameters: dict[str, Any], count: int | None, tmp_path: Path
) -> None:
    video = spoken(tmp_path / "a.mkv")
    plain = segments(annotated(video, tmp_path / "plain"))

    found = segments(annotated(video, tmp_path / "other", **parameters))

    assert found != plain
    assert count is None or len(found) == count


def test_padding_widens_each_side(tmp_path: Path) -> None:
    video = spoken(tmp_path / "a.mkv")
    bare = segments(annotated(video, tmp_path / "bare", padding_ms=0))

    wide = segments(annotated(video, tmp_path / "wide", padding_ms=100))

    for one, other in zip(bare, wide, strict=True):
        assert other["start_seconds"] == pytest.approx(one["start_seconds"] - 0.1, abs=0.002)
        assert other["end_seconds"] == pytest.approx(one["end_seconds"] + 0.1, abs=0.002)


def test_segments_are_cut_where_they_would_grow_too_long(tmp_path: Path) -> None:
    ran = annotated(spoken(tmp_path / "a.mkv"), tmp_path, max_speech_seconds=1.0)

    assert max(each["duration_seconds"] for each in segments(ran)) <= 1.0


def test_without_sound_the_result_is_empty_and_says_so(tmp_path: Path) -> None:
    ran = annotated(write_clip(tmp_path / "mute.mp4"), tmp_path)

    assert segments(ran) == []
    assert ran.files[CSV_NAME].decode().splitlines() == [
        "start_seconds,end_seconds,duration_seconds,label,score"
    ]
    jsonschema.validate(ran.json(JSON_NAME), JSON_SCHEMA)
    assert ran.outcome.warnings == (NO_SOUND,)
    assert ran.outcome.summary == {"segments": 0, "speech_seconds": 0}


def test_a_tone_is_no_speech(tmp_path: Path) -> None:
    video = Clip(pictures=None, sound=Sound()).write(tmp_path / "tone.mp4")

    assert segments(annotated(video, tmp_path)) == []


def test_a_truncated_recording_is_heard_up_to_the_damage(tmp_path: Path) -> None:
    ran = annotated(truncated(spoken(tmp_path / "a.mkv"), 0.55), tmp_path)

    assert 1 <= len(segments(ran)) < 4
    assert "Damaged at 00:0" in ran.outcome.warnings[0]


def test_a_stop_closes_the_file_that_is_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So little is read ahead that most of the file is still to come.
    monkeypatch.setattr("videoannotator.media.audio.AHEAD_BYTES", 1)
    monkeypatch.setattr("videoannotator.pipelines.voice_activity.pipeline.BLOCK_SECONDS", 0.5)
    context = context_for(spoken(tmp_path / "a.mkv"), tmp_path / "out", stop_at=6)
    threads = threading.active_count()

    with pytest.raises(Stopped) as kept:
        run(SPEC, context)

    # `kept` holds the frames of the stopped call, so nothing was closed by letting go of it.
    assert kept.value.__traceback__ is not None
    assert threading.active_count() == threads


def test_the_provenance_names_model_libraries_and_sampling(tmp_path: Path) -> None:
    provenance = annotated(write_clip(tmp_path / "mute.mp4"), tmp_path).outcome.provenance

    assert provenance["weights"][0]["sha256"] == SHA256
    assert {"onnxruntime", "faster-whisper", "numpy", "av"} <= set(provenance["libraries"])
    assert provenance["sampling"]["sample_rate_hz"] == 16_000
    assert provenance["threads"] == 1
    assert provenance["decoder"]["ffmpeg"]


def test_the_engine_is_loaded_without_what_it_does_not_need() -> None:
    program = (
        "import json, sys;"
        "from videoannotator.pipelines.catalogue import Catalogue, implementation;"
        "implementation(Catalogue.load().get('voice_activity'));"
        "print(json.dumps(sorted(name.partition('.')[0] for name in sys.modules)))"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert not {"faster_whisper", "ctranslate2", "cv2", "torch"} & set(json.loads(said.stdout))
