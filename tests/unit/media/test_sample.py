"""The sample video: what it says of itself is true."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.context import context_for, run
from videoannotator.media import sample
from videoannotator.media.probe import probe
from videoannotator.pipelines.scene_detection.spec import SPEC as SCENES
from videoannotator.pipelines.voice_activity.spec import SPEC as VOICES


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "sample.mp4"
    subprocess.run([sys.executable, "-m", "videoannotator.media.sample", path], check=True)
    return path


def test_it_is_h264_and_aac_that_starts_at_once(made: Path) -> None:
    probed = probe(made)

    assert probed.video is not None
    assert probed.audio is not None
    assert (probed.video.codec, probed.audio.codec) == ("h264", "aac")
    assert (probed.video.width, probed.video.height) == (sample.WIDTH, sample.HEIGHT)
    assert probed.duration_seconds == pytest.approx(sample.DURATION_SECONDS, abs=0.01)
    content = made.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_its_scenes_are_found(made: Path, tmp_path: Path) -> None:
    ran = run(SCENES, context_for(made, tmp_path / "out"))

    scenes = ran.json("scenes.json")["scenes"]
    assert [scene["start_time"] for scene in scenes[1:]] == list(sample.CUT_SECONDS)
    assert scenes[-1]["end_time"] == sample.DURATION_SECONDS


def test_its_speech_is_found(made: Path, tmp_path: Path) -> None:
    ran = run(VOICES, context_for(made, tmp_path / "out"))

    segments = ran.json("voice_activity.json")["segments"]
    found = [(each["start_seconds"], each["end_seconds"]) for each in segments]
    assert np.abs(np.array(found) - np.array(sample.SPEECH_SPANS)).max() < 0.12


def test_the_picture_moves_within_a_scene() -> None:
    for before, after in pairwise(sample.image(number) for number in range(3)):
        assert np.any(before != after)
