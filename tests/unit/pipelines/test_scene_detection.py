"""Scenes of videos with known cuts, to the frame."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest
import scenedetect
from numpy.typing import NDArray

from tests.fakes.context import Ran, context_for, run
from tests.fakes.videos import Clip, Pictures, Sound, picture_number, truncated, write_clip
from videoannotator.domain.errors import MediaError
from videoannotator.formats.scenes import JSON_SCHEMA
from videoannotator.pipelines.scene_detection.pipeline import PICTURING
from videoannotator.pipelines.scene_detection.spec import JSON_NAME, KEYFRAMES_NAME, SPEC

CUTS = (30, 55, 90)
EDITED = Pictures(count=120, cuts=CUTS, key_distance=40, size=(320, 240))


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Clip(pictures=EDITED).write(tmp_path_factory.mktemp("edited") / "edited.mp4")


def scenes(video: Path, folder: Path, **parameters: Any) -> list[dict[str, Any]]:
    return annotated(video, folder, **parameters).json(JSON_NAME)["scenes"]  # type: ignore[no-any-return]


def annotated(video: Path, folder: Path, **parameters: Any) -> Ran:
    return run(SPEC, context_for(video, folder / "out"), **parameters)


def starts(video: Path, folder: Path, **parameters: Any) -> list[int]:
    return [scene["frame_start"] for scene in scenes(video, folder, **parameters)]


def pictures(ran: Ran) -> dict[str, NDArray[np.uint8]]:
    """The keyframes, RGB, read by OpenCV."""
    archive = zipfile.ZipFile(io.BytesIO(ran.files[KEYFRAMES_NAME]))
    read = {name: np.frombuffer(archive.read(name), np.uint8) for name in archive.namelist()}
    return {name: cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) for name, data in read.items()}


@pytest.mark.parametrize("detector", ["adaptive", "content", "histogram"])
def test_every_detector_of_colour_finds_the_cuts_to_the_frame(
    detector: str, edited: Path, tmp_path: Path
) -> None:
    assert starts(edited, tmp_path, detector=detector) == [0, *CUTS]


def test_the_hash_detector_finds_cuts_between_shapes(tmp_path: Path) -> None:
    video = drawn(tmp_path / "shapes.mp4", lambda number: shapes(int(number >= 40)))

    assert starts(video, tmp_path, detector="hash") == [0, 40]


def test_fades_to_black_are_found_by_the_threshold_detector(tmp_path: Path) -> None:
    video = drawn(tmp_path / "fade.mp4", lambda number: grey(0 if 40 <= number < 50 else 120))

    # Midway in the fade, by frames.
    assert starts(video, tmp_path, detector="threshold") == [0, 45]


def drawn(path: Path, draw: Callable[[int], NDArray[np.uint8]]) -> Path:
    return Clip(pictures=Drawn(draw, count=90, size=(320, 240))).write(path)


def shapes(seed: int) -> NDArray[np.uint8]:
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 8), np.uint8)
    return np.repeat(np.kron(blocks, np.ones((40, 40), np.uint8))[:, :, None], 3, axis=2)


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((240, 320, 3), level, np.uint8)


class Drawn(Pictures):
    """Pictures drawn by a function of their number."""

    __slots__ = ("draw",)

    def __init__(self, draw: Callable[[int], NDArray[np.uint8]], **plan: Any) -> None:
        super().__init__(**plan)
        object.__setattr__(self, "draw", draw)

    def image(self, number: int) -> NDArray[np.uint8]:
        return self.draw(number)


def test_cuts_are_those_that_scenedetect_finds_itself(edited: Path, tmp_path: Path) -> None:
    detector = scenedetect.AdaptiveDetector(
        adaptive_threshold=3.5, window_width=3, min_scene_len=0.6
    )

    expected = scenedetect.detect(str(edited), detector, backend="pyav")

    found = scenes(edited, tmp_path)
    assert [scene["start_time"] for scene in found] == pytest.approx(
        [start.seconds for start, _ in expected], abs=1e-6
    )


def test_the_strength_of_a_cut_is_that_of_scenedetect(tmp_path: Path) -> None:
    # Narrow enough that nobody scales it down, so the numbers are the same to the fourth place.
    video = write_clip(tmp_path / "small.mp4", count=60, cuts=(30,))
    manager = scenedetect.SceneManager(scenedetect.StatsManager())
    manager.auto_downscale = False
    manager.add_detector(scenedetect.ContentDetector(threshold=31))

    manager.detect_scenes(scenedetect.open_video(str(video), backend="pyav"))

    at = scenedetect.FrameTimecode(30, 30.0)
    (expected,) = manager.stats_manager.get_metrics(at, ["content_val"])
    _, second = scenes(video, tmp_path, detector="content")
    assert second["score"] == pytest.approx(expected / 255, abs=0.002)


def test_the_file_follows_its_schema_and_the_viewers_rules(edited: Path, tmp_path: Path) -> None:
    ran = annotated(edited, tmp_path)
    written = ran.json(JSON_NAME)

    jsonschema.validate(written, JSON_SCHEMA)
    assert not {"annotations", "results"} & set(written)
    text = ran.files[JSON_NAME].decode()
    assert '"scene_type"' in text[:5000]
    assert '"keypoints"' not in text
    assert '"bbox"' not in text


def test_times_are_exact_on_a_variable_frame_rate(tmp_path: Path) -> None:
    # 30 frames/s for 45 frames, then 12.5: the cut lies 1.5 + 20 / 12.5 seconds in.
    times = [Fraction(k, 30) for k in range(45)]
    times += [Fraction(3, 2) + Fraction(2 * k, 25) for k in range(55)]
    video = write_clip(
        tmp_path / "vfr.mp4",
        times=tuple(times),
        count=100,
        cuts=(45, 65),
        start_seconds=Fraction(1, 4),
        size=(320, 240),
    )

    found = scenes(video, tmp_path)

    assert [scene["frame_start"] for scene in found] == [0, 45, 65]
    expected = [Fraction(1, 4) + times[frame] for frame in (0, 45, 65)]
    assert [scene["start_time"] for scene in found] == pytest.approx(
        [float(time) for time in expected], abs=2e-6
    )
    assert found[-1]["end_time"] == pytest.approx(float(Fraction(1, 4) + times[-1]), abs=0.09)
    assert found[-1]["end_time"] > float(Fraction(1, 4) + times[-1])


def test_scenes_shorter_than_allowed_are_merged_never_dropped(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "short.mp4", count=120, cuts=(40, 46, 80), size=(320, 240))

    found = scenes(video, tmp_path)

    assert [scene["frame_start"] for scene in found] == [0, 40, 80]
    assert [scene["frame_end"] for scene in found] == [40, 80, 120]
    assert found[-1]["end_time"] == pytest.approx(4.0)


def test_the_shortest_length_is_a_parameter(edited: Path, tmp_path: Path) -> None:
    assert starts(edited, tmp_path, min_scene_seconds=1.2) == [0, 55]


def test_the_threshold_is_a_parameter(edited: Path, tmp_path: Path) -> None:
    assert starts(edited, tmp_path, detector="content", threshold=250) == [0]


def test_the_least_change_is_a_parameter(edited: Path, tmp_path: Path) -> None:
    assert starts(edited, tmp_path, min_content=250) == [0]


@pytest.mark.parametrize(("window_frames", "expected"), [(3, [0, 30, 35]), (6, [0])])
def test_the_window_is_a_parameter(window_frames: int, expected: list[int], tmp_path: Path) -> None:
    # Within six frames of each other, neither cut stands out against the other one.
    video = drawn(tmp_path / "a.mp4", lambda number: grey({0: 60, 1: 160}[30 <= number < 35]))
    wanted = {"threshold": 50, "detector": "adaptive", "min_scene_seconds": 0}

    assert starts(video, tmp_path, window_frames=window_frames, **wanted) == expected


def test_every_keyframe_taken_is_told(edited: Path, tmp_path: Path) -> None:
    told = annotated(edited, tmp_path).context.told

    taken = [position for stage, position in told if stage == PICTURING]
    assert taken == pytest.approx([0.0, 15 / 30, 42 / 30, 72 / 30, 105 / 30], abs=1e-6)


@pytest.mark.parametrize(
    ("which", "frames"),
    [("first", (0, 30, 55, 90)), ("middle", (15, 42, 72, 105)), ("last", (29, 54, 89, 119))],
)
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_keyframes_are_the_frames_asked_for(
    which: str, frames: tuple[int, ...], kind: str, edited: Path, tmp_path: Path
) -> None:
    ran = annotated(edited, tmp_path, keyframes=which, keyframe_format=kind)

    found = pictures(ran)
    assert [picture_number(image) for image in found.values()] == list(frames)
    assert all(image.shape == (240, 320, 3) for image in found.values())
    written = ran.json(JSON_NAME)["scenes"]
    assert [scene["keyframe"] for scene in written] == list(found)
    assert [scene["timestamp"] for scene in written] == pytest.approx(
        [frame / 30 for frame in frames], abs=1e-6
    )
    assert ran.outcome.summary == {"scenes": 4, "keyframes": 4}


def test_a_keyframe_shows_its_scene_in_true_colours(edited: Path, tmp_path: Path) -> None:
    image = pictures(annotated(edited, tmp_path))["scene_0001.jpg"]

    # The first scene of the test videos is red.
    red, green, blue = image[130, 280].tolist()
    assert red > 170
    assert max(green, blue) < 80


def test_keyframes_can_be_scaled_down_or_left_out(edited: Path, tmp_path: Path) -> None:
    small = annotated(edited, tmp_path / "small", keyframe_width=80)
    none = annotated(edited, tmp_path / "none", keyframes="none")

    assert {image.shape for image in pictures(small).values()} == {(60, 80, 3)}
    assert list(none.files) == [JSON_NAME]
    assert all("keyframe" not in scene for scene in none.json(JSON_NAME)["scenes"])


def test_keyframes_are_turned_as_displayed(tmp_path: Path) -> None:
    video = Clip(pictures=replace(EDITED, rotation=90)).write(tmp_path / "turned.mp4")

    found = pictures(annotated(video, tmp_path))

    assert {image.shape for image in found.values()} == {(320, 240, 3)}


def test_a_video_of_one_frame_is_one_scene(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "one.mp4", count=1)

    ran = annotated(video, tmp_path)

    (scene,) = ran.json(JSON_NAME)["scenes"]
    assert (scene["frame_start"], scene["frame_end"]) == (0, 1)
    assert scene["duration"] > 0
    assert "score" not in scene
    assert len(pictures(ran)) == 1


def test_a_file_without_pictures_is_a_media_error(tmp_path: Path) -> None:
    video = Clip(pictures=None, sound=Sound()).write(tmp_path / "sound.mp4")

    with pytest.raises(MediaError, match="no picture") as caught:
        annotated(video, tmp_path)

    assert caught.value.hint


def test_a_truncated_video_is_annotated_up_to_the_damage_and_says_so(tmp_path: Path) -> None:
    video = Clip(pictures=replace(EDITED, key_distance=10)).write(tmp_path / "cut.mkv")

    ran = annotated(truncated(video, 0.7), tmp_path)

    assert ran.outcome.warnings
    assert "Damaged at 00:0" in ran.outcome.warnings[0]
    assert ran.json(JSON_NAME)["info"]["warnings"] == list(ran.outcome.warnings)
    assert ran.json(JSON_NAME)["scenes"][0]["frame_end"] == 30


def test_the_provenance_names_engine_libraries_and_sampling(edited: Path, tmp_path: Path) -> None:
    provenance = annotated(edited, tmp_path, detector="content").outcome.provenance

    assert provenance["engine"] == "PySceneDetect, content detector"
    assert provenance["libraries"]["scenedetect"] == scenedetect.__version__
    assert provenance["sampling"] == {"frames": 120, "every": "frame", "max_width_pixels": 256}
    assert provenance["threshold"] == 31.0
    assert provenance["device"] == "cpu"
    assert provenance["decoder"]["ffmpeg"]
