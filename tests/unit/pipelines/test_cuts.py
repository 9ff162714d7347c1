"""Scenes from cuts: no gap, no overlap, none too short."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain.annotations import Scene
from videoannotator.pipelines.scene_detection.cuts import Cut, keyframe_of, scenes_between

TIMES = [frame / 10 for frame in range(100)]


def starts(*frames: int, min_scene_seconds: float = 1.0) -> list[int]:
    cuts = [Cut(frame) for frame in frames]
    scenes = scenes_between(cuts, TIMES, end_seconds=10.0, min_scene_seconds=min_scene_seconds)
    return [scene.start_frame for scene in scenes]


@pytest.mark.parametrize(
    ("cuts", "expected"),
    [
        ((), [0]),
        ((50,), [0, 50]),
        ((10, 20), [0, 10, 20]),
        ((50, 55), [0, 50]),
        ((50, 59, 60), [0, 50, 60]),
        ((5,), [0]),
        ((95,), [0]),
        ((85, 95), [0, 85]),
        ((50, 50), [0, 50]),
        ((60, 20), [0, 20, 60]),
        ((0,), [0]),
        ((100, 500), [0]),
    ],
)
def test_a_short_scene_is_merged_with_its_neighbour(
    cuts: tuple[int, ...], expected: list[int]
) -> None:
    assert starts(*cuts) == expected


def test_without_a_shortest_length_every_cut_stays() -> None:
    assert starts(1, 2, 99, min_scene_seconds=0) == [0, 1, 2, 99]


@given(
    steps=st.lists(st.floats(0.001, 3.0), min_size=1, max_size=60),
    first=st.floats(-5, 1e5),
    last=st.floats(0.001, 3.0),
    frames=st.lists(st.integers(-2, 70), max_size=20),
    shortest=st.floats(0, 5),
)
def test_scenes_cover_the_video_once(
    steps: list[float], first: float, last: float, frames: list[int], shortest: float
) -> None:
    times = list(accumulate(steps[1:], initial=first))
    end = times[-1] + last

    scenes = scenes_between(
        [Cut(frame, 0.5) for frame in frames],
        times,
        end_seconds=end,
        min_scene_seconds=shortest,
    )

    assert (scenes[0].start_frame, scenes[0].start_seconds) == (0, times[0])
    assert (scenes[-1].end_frame, scenes[-1].end_seconds) == (len(times), end)
    for before, after in pairwise(scenes):
        assert (before.end_frame, before.end_seconds) == (after.start_frame, after.start_seconds)
    assert [scene.id for scene in scenes] == list(range(1, len(scenes) + 1))
    for scene in scenes:
        assert scene.start_frame < scene.end_frame
        assert scene.end_seconds - scene.start_seconds >= shortest - 1e-5 or len(scenes) == 1
        for which in ("first", "middle", "last"):
            assert scene.start_frame <= keyframe_of(scene, times, which) < scene.end_frame


@pytest.mark.parametrize(("which", "frame"), [("first", 20), ("middle", 35), ("last", 49)])
def test_the_keyframe_is_the_one_asked_for(which: str, frame: int) -> None:
    scene = Scene(id=1, start_seconds=2.0, end_seconds=5.0, start_frame=20, end_frame=50)

    assert keyframe_of(scene, TIMES, which) == frame
