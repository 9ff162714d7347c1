"""What scene detection is, without its engine."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import AliasChoices, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from videoannotator.domain.jobs import Resources
from videoannotator.domain.pipelines import Output
from videoannotator.pipelines.interface import Parameters, PipelineSpec

JSON_NAME = "scenes.json"
KEYFRAMES_NAME = "keyframes.zip"

NO_LABELS = "Scene labels are not available in this release"
NO_LABELS_HINT = (
    "They need open_clip and its weights, which this release does not bring. Leave out labels "
    "(enable_clip_labels) and prompts (scene_prompts)."
)


class Scale(NamedTuple):
    """Thresholds of one detector."""

    default: float
    low: float
    high: float


# Defaults of adaptive and content: the best single set over three public collections in
# PySceneDetect's own benchmark (0.7). The others: the library's defaults.
THRESHOLDS: Mapping[str, Scale] = {
    "adaptive": Scale(3.5, 1.0, 255.0),
    "content": Scale(31.0, 0.0, 255.0),
    "threshold": Scale(12.0, 0.0, 255.0),
    "hash": Scale(0.35, 0.0, 1.0),
    "histogram": Scale(0.20, 0.0, 1.0),
}


class SceneDetectionParameters(Parameters):
    """What counts as a cut, and what is kept of each scene."""

    detector: Literal["adaptive", "content", "threshold", "hash", "histogram"] = Field(
        "adaptive",
        description=(
            "How cuts are found: adaptive (change against its surroundings), content (change of "
            "colour), threshold (fades to black), hash or histogram (change of the picture's "
            "hash or brightness)."
        ),
    )
    threshold: float | None = Field(
        None,
        ge=0.0,
        le=255.0,
        description=(
            "How strong a cut must be, in the detector's own scale; none: 3.5 for adaptive, 31 for "
            "content, 12 for threshold, 0.35 for hash, 0.2 for histogram. Given without a "
            "detector it is that of content, as in older configurations."
        ),
    )
    min_scene_seconds: float = Field(
        0.6,
        ge=0.0,
        le=3600.0,
        validation_alias=AliasChoices("min_scene_seconds", "min_scene_length"),
        description="A shorter scene is merged with its neighbour.",
        json_schema_extra={"unit": "s"},
    )
    window_frames: int = Field(
        3,
        ge=1,
        le=100,
        validation_alias=AliasChoices("window_frames", "window_width"),
        description="Frames on each side that the adaptive detector compares a frame with.",
        json_schema_extra={"unit": "frames"},
    )
    min_content: float = Field(
        15.0,
        ge=0.0,
        le=255.0,
        validation_alias=AliasChoices("min_content", "min_content_val"),
        description="Change of colour below which the adaptive detector sees no cut.",
    )
    keyframes: Literal["middle", "first", "last", "none"] = Field(
        "middle",
        validation_alias=AliasChoices("keyframes", "keyframe_extraction"),
        description="Which frame of each scene is kept as a picture.",
    )
    keyframe_format: Literal["jpeg", "png"] = Field(
        "jpeg", description="Format of those pictures; png loses nothing."
    )
    keyframe_width: int | None = Field(
        None,
        ge=16,
        le=16384,
        description="Wider pictures are scaled down to this; none: as wide as the video.",
        json_schema_extra={"unit": "pixels"},
    )
    labels: bool = Field(
        False,
        validation_alias=AliasChoices("labels", "enable_clip_labels"),
        description=f"{NO_LABELS}: open_clip and its weights are missing.",
    )
    prompts: list[str] = Field(
        [],
        validation_alias=AliasChoices("prompts", "scene_prompts"),
        description=f"Labels to choose from. {NO_LABELS}.",
    )

    @model_validator(mode="before")
    @classmethod
    def _older_threshold(cls, values: Any) -> Any:
        """A threshold alone comes from a configuration that knew the content detector only."""
        if isinstance(values, Mapping) and values.get("threshold") is not None:
            return {"detector": "content", **values}
        return values

    @field_validator("threshold")
    @classmethod
    def _in_scale(cls, threshold: float | None, info: ValidationInfo) -> float | None:
        scale = THRESHOLDS.get(info.data.get("detector", ""))
        if threshold is None or scale is None or scale.low <= threshold <= scale.high:
            return threshold
        raise PydanticCustomError(
            "less_than_or_greater_than",
            "Out of the scale of detector '{detector}'",
            {
                "detector": info.data["detector"],
                "hint": f"Allowed: {scale.low} to {scale.high}; default {scale.default}.",
            },
        )

    @field_validator("labels", "prompts")
    @classmethod
    def _no_labels(cls, asked: bool | list[str]) -> bool | list[str]:
        if asked:
            raise PydanticCustomError("unavailable", NO_LABELS, {"hint": NO_LABELS_HINT})
        return asked


SPEC = PipelineSpec(
    name="scene_detection",
    display_name="Scene detection",
    description=(
        "Scenes between cuts, to the frame, with a picture of each. Labels of what a scene shows "
        "are not available in this release."
    ),
    version="1.0.0",
    parameters=SceneDetectionParameters,
    outputs=(
        Output(
            name=JSON_NAME,
            public_name="{stem}_scene_detection.json",
            media_type="application/json",
            format="JSON",
            types=("scenes",),
        ),
        Output(
            name=KEYFRAMES_NAME,
            public_name="{stem}_keyframes.zip",
            media_type="application/zip",
            format="ZIP",
            types=("keyframes",),
            optional=True,
        ),
    ),
    implementation="videoannotator.pipelines.scene_detection.pipeline:SceneDetection",
    requires=("av", "cv2", "numpy", "scenedetect"),
    extra="scene",
    resources=Resources(cpus=2.0, memory_bytes=2 * 1024**3),
    family="scene",
    variant="pyscenedetect",
    tasks=("scene-detection", "scene-segmentation"),
    modalities=("video",),
    capabilities=("shot-boundaries", "keyframes"),
    backends=("pyscenedetect",),
    longest_per_media_second=5.0,
)
