"""From cuts to scenes: no gap, no overlap, no scene too short. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from videoannotator.domain.annotations import Scene

ROUNDING_SECONDS = 1e-6  #: of times; a scene of exactly the shortest length is long enough


class Cut(NamedTuple):
    """A frame that begins a new scene."""

    frame: int  #: its index in presentation order
    score: float | None = None  #: how strong the cut is, 0 to 1; None where nothing says so


def scenes_between(
    cuts: Iterable[Cut],
    times: Sequence[float],
    *,
    end_seconds: float,
    min_scene_seconds: float,
) -> list[Scene]:
    """The scenes of a video whose frames are shown at `times`, ascending.

    The first one starts with the first frame, the last one ends at `end_seconds`.
    """
    kept = merged(cuts, times, end_seconds=end_seconds, min_scene_seconds=min_scene_seconds)
    starts = [Cut(0), *kept]
    ends = [*((times[cut.frame], cut.frame) for cut in kept), (end_seconds, len(times))]
    return [
        Scene(
            id=number,
            start_seconds=times[start.frame],
            end_seconds=end,
            start_frame=start.frame,
            end_frame=end_frame,
            score=start.score,
        )
        for number, (start, (end, end_frame)) in enumerate(zip(starts, ends, strict=True), 1)
    ]


def merged(
    cuts: Iterable[Cut], times: Sequence[float], *, end_seconds: float, min_scene_seconds: float
) -> list[Cut]:
    """The cuts that leave no scene shorter than the shortest allowed one.

    A short scene is merged with the one after it, the last one with the one before it, so of two
    cuts close together the first one stays.
    """
    shortest = min_scene_seconds - ROUNDING_SECONDS
    kept: list[Cut] = []
    for cut in sorted(cuts, key=lambda cut: cut.frame):
        begins = kept[-1].frame if kept else 0
        if begins < cut.frame < len(times) and times[cut.frame] - times[begins] >= shortest:
            kept.append(cut)
    while kept and end_seconds - times[kept[-1].frame] < shortest:
        kept.pop()
    return kept


def keyframe_of(scene: Scene, times: Sequence[float], which: str) -> int:
    """Index of the frame that stands for a scene: its first, its last, or what is shown midway."""
    if which == "first":
        return scene.start_frame
    if which == "last":
        return scene.end_frame - 1
    middle = (scene.start_seconds + scene.end_seconds) / 2
    return max(bisect_right(times, middle) - 1, scene.start_frame)
