"""Scene detection: one pass over small frames finds the cuts, a second one takes the pictures."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import av
import cv2
import numpy as np
import scenedetect

from videoannotator.domain.annotations import Scene
from videoannotator.domain.errors import MediaError
from videoannotator.domain.videos import Probe
from videoannotator.formats.scenes import ShownScene, write_scenes_json
from videoannotator.media.frames import every_frame
from videoannotator.media.recording import Damages
from videoannotator.pipelines.interface import Context, Outcome
from videoannotator.pipelines.provenance import damage_warnings, decoder, info
from videoannotator.pipelines.scene_detection.cuts import keyframe_of, scenes_between
from videoannotator.pipelines.scene_detection.detecting import Watcher
from videoannotator.pipelines.scene_detection.pictures import (
    Picture,
    frames_at,
    picture_name,
    write_pictures,
)
from videoannotator.pipelines.scene_detection.spec import (
    JSON_NAME,
    KEYFRAMES_NAME,
    SPEC,
    SceneDetectionParameters,
)

DETECTION_WIDTH = 256  #: pixels; what PySceneDetect scales to by itself
UNKNOWN_FRAME_SECONDS = 0.04  #: how long a single frame lasts when nothing says so

DETECTING, PICTURING = "finding cuts", "taking keyframes"


class SceneDetection:
    """Finds where the picture is cut."""

    def load(self, context: Context) -> None:
        """Nothing to load: the detectors have no weights."""
        context.progress("loading", 0.0)

    def annotate(self, context: Context, parameters: SceneDetectionParameters) -> Outcome:
        """Writes the scenes as JSON and a picture of each into a ZIP."""
        if context.probe.video is None:
            raise MediaError(
                "The file has no picture to find scenes in.",
                hint="Choose pipelines for sound alone, or send a file with a picture.",
            )
        damages = Damages()
        watcher = _watch(context, parameters, damages)
        scenes = scenes_between(
            watcher.finish(),
            watcher.times,
            end_seconds=end_of(context.probe, watcher.times),
            min_scene_seconds=parameters.min_scene_seconds,
        )
        shown = [_shown(scene, watcher.times, parameters.keyframes) for scene in scenes]
        if parameters.keyframes != "none":
            shown = _pictured(context, shown, parameters, damages)
        return _written(context, parameters, watcher, shown, damage_warnings(damages))


def _written(
    context: Context,
    parameters: SceneDetectionParameters,
    watcher: Watcher,
    shown: Sequence[ShownScene],
    warnings: tuple[str, ...],
) -> Outcome:
    made = _provenance(parameters, watcher)
    head = info(SPEC, context, parameters, provenance=made, warnings=warnings)
    write_scenes_json(context.folder / JSON_NAME, shown, video_id=context.video_id, info=head)
    pictures = sum(each.picture is not None for each in shown)
    summary = {"scenes": len(shown), "keyframes": pictures}
    return Outcome(summary=summary, provenance=made, warnings=warnings)


def end_of(probe: Probe, times: Sequence[float]) -> float:
    """Presentation time at which the last frame is gone; always after it came."""
    last = times[-1]
    video = probe.video
    end = video.start_seconds + video.duration_seconds if video else last
    if end > last:
        return end
    usual = last - times[-2] if len(times) > 1 else UNKNOWN_FRAME_SECONDS
    return last + usual


def _watch(context: Context, parameters: SceneDetectionParameters, damages: Damages) -> Watcher:
    """Shows every frame to the detector. Raises: MediaError when there is none."""
    watcher = Watcher(parameters)
    context.progress(DETECTING, 0.0)
    with closing(every_frame(context.video, max_width=DETECTION_WIDTH)) as frames:
        for frame in frames:
            watcher.see(frame.timestamp_seconds, frame.image)
            context.progress(DETECTING, frame.timestamp_seconds)
        damages.extend(frames.damage)
    if not watcher.times:
        raise MediaError("The file has no frame that can be decoded.", second=0.0)
    return watcher


def _shown(scene: Scene, times: Sequence[float], which: str) -> ShownScene:
    frame = keyframe_of(scene, times, which)
    return ShownScene(scene=scene, frame=frame, timestamp_seconds=times[frame])


def _pictured(
    context: Context,
    shown: Sequence[ShownScene],
    parameters: SceneDetectionParameters,
    damages: Damages,
) -> list[ShownScene]:
    """Takes the pictures; a scene whose frame cannot be read a second time goes without."""
    context.progress(PICTURING, 0.0)
    names = [picture_name(each.scene.id, parameters.keyframe_format) for each in shown]
    times = [each.timestamp_seconds for each in shown]
    with closing(frames_at(context, times, damages, parameters.keyframe_width)) as taken:
        written = write_pictures(context.folder / KEYFRAMES_NAME, _named(context, names, taken))
    named = zip_longest(shown, written)
    return [replace(each, picture=name) for each, name in named]


def _named(
    context: Context, names: Sequence[str], taken: Iterable[Picture]
) -> Iterator[tuple[str, Picture]]:
    for name, picture in zip(names, taken, strict=False):
        context.progress(PICTURING, picture.timestamp_seconds)
        yield name, picture


def _provenance(parameters: SceneDetectionParameters, watcher: Watcher) -> dict[str, Any]:
    return {
        "engine": f"PySceneDetect, {parameters.detector} detector",
        "libraries": {
            "scenedetect": scenedetect.__version__,
            "opencv": cv2.__version__,
            "numpy": np.__version__,
            "av": av.__version__,
        },
        "decoder": decoder(),
        "device": "cpu",
        "sampling": {
            "frames": len(watcher.times),
            "every": "frame",
            "max_width_pixels": DETECTION_WIDTH,
        },
        "threshold": watcher.threshold,
    }
