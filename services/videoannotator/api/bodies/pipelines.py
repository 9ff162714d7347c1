"""Pipelines and checks of configurations: the public server's fields, and ours."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from videoannotator.domain.pipelines import Stability
from videoannotator.pipelines.catalogue import Readiness


class ValidationRequest(BaseModel):
    """A configuration to check."""

    config: dict[str, Any] = Field(
        {},
        description="Parameters by pipeline. What stands at the top counts for every pipeline.",
        examples=[{"scene_detection": {"min_scene_seconds": 1.0}}],
    )
    selected_pipelines: list[str] | None = Field(
        None,
        description="Names of the pipelines to check it for. Null: those that it names.",
        examples=[["scene_detection"]],
    )


class OutputBody(BaseModel):
    """A file that a pipeline writes."""

    format: str = Field(description="Name of the format.", examples=["JSON"])
    types: list[str] = Field(description="What it holds.", examples=[["scenes"]])
    name: str = Field(description="Its name; {stem} stands for the name of the video.")
    media_type: str = Field(description="Its media type.", examples=["application/json"])


class AvailabilityBody(BaseModel):
    """Whether a pipeline can run here."""

    state: Readiness = Field(description="Whether it can run, or what is missing.")
    reason: str = Field(description="What is missing; empty when it can run.")
    command: str = Field(description="What installs it; empty when it can run.")


class ResourcesBody(BaseModel):
    """What a worker of a pipeline needs."""

    gpus: int = Field(ge=0, description="GPUs.")
    cpus: float = Field(ge=0, description="CPU cores.")
    memory_bytes: int = Field(ge=0, description="Memory.")


class PipelineBody(BaseModel):
    """A pipeline."""

    name: str = Field(description="Its name in requests.", examples=["scene_detection"])
    display_name: str = Field(description="Its name for people.", examples=["Scene detection"])
    description: str = Field(description="What it does.")
    version: str = Field(description="Its version.")
    enabled: bool = Field(description="Whether it can run here.")
    default_enabled: bool = Field(description="Whether it can run here and is stable.")
    pipeline_family: str = Field(description="Its family, as scene, person, face or audio.")
    variant: str = Field(description="Which of its family it is.")
    tasks: list[str] = Field(description="What it is good for.")
    modalities: list[str] = Field(description="What it looks at or listens to.")
    capabilities: list[str] = Field(description="What it can do besides.")
    backends: list[str] = Field(description="Libraries that do the work.")
    stability: Stability = Field(description="How far it can be relied on.")
    outputs: list[OutputBody] = Field(description="Files that it writes.")
    config_schema: dict[str, Any] = Field(
        description="Its parameters by name: type, default and description, as version 1 has them."
    )
    json_schema: dict[str, Any] = Field(description="Its parameters as JSON Schema.")
    examples: list[dict[str, Any]] = Field(description="Fields of a submission.")
    availability: AvailabilityBody = Field(description="Whether it can run here, and why not.")
    resources: ResourcesBody = Field(description="What one of its workers needs.")
    licence: str = Field(description="Licence of the program and its weights.")
    commercial_use: bool = Field(description="Whether the licence allows commercial use.")
    research_only: bool = Field(description="Whether the licence allows research alone.")


class PipelineListBody(BaseModel):
    """The pipelines."""

    pipelines: list[PipelineBody] = Field(description="Every pipeline, by name.")
    total: int = Field(ge=0, description="Their number.")


class ErrorItem(BaseModel):
    """One thing that is wrong with a configuration."""

    field: str = Field(
        description="What is at fault, as `pipeline.parameter`.",
        examples=["scene_detection.threshold"],
    )
    message: str = Field(description="What is wrong with it.")
    code: str = Field(
        description="INVALID_TYPE, VALUE_OUT_OF_RANGE, UNKNOWN_FIELD, INVALID_VALUE, "
        "PIPELINE_NOT_FOUND or PIPELINE_UNAVAILABLE.",
        examples=["VALUE_OUT_OF_RANGE"],
    )
    error_code: str = Field(description="The same as `code`, for the public viewer.")
    hint: str = Field(description="What to do about it.")
    severity: Literal["error"] = Field("error", description="Always error.")
    pipeline: str = Field(description="Name of the pipeline.")


class WarningItem(BaseModel):
    """One thing that is odd about a configuration."""

    field: str = Field(description="What is odd, as `pipeline.parameter`.")
    message: str = Field(description="What is odd about it.")
    suggestion: str = Field(description="The nearest known name; empty when none is near.")
    severity: Literal["warning"] = Field("warning", description="Always warning.")
    pipeline: str = Field(description="Name of the pipeline.")


class ValidationBody(BaseModel):
    """What a check found."""

    valid: bool = Field(description="Whether a job with this configuration would be taken.")
    errors: list[ErrorItem] = Field(description="What is wrong.")
    warnings: list[WarningItem] = Field(description="What is odd; it would be ignored.")
    message: str = Field(description="Both in a sentence.")
    pipelines_validated: list[str] = Field(description="Pipelines that it was checked for.")
