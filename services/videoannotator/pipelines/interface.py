"""What a pipeline is: a light specification and a heavy implementation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from videoannotator.domain.jobs import Resources
from videoannotator.domain.pipelines import Output, Stability
from videoannotator.domain.videos import Probe


class Parameters(BaseModel):
    """Parameters of one pipeline.

    Each field has bounds, a description and, where it has one, a unit. It is written as
    `Field(default, ge=…, le=…, description=…, json_schema_extra={"unit": "s"})`; a name of the
    public server is an alias (`validation_alias=AliasChoices(…)`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """All that is known of a pipeline without importing its engine."""

    name: str
    display_name: str
    description: str
    version: str  #: grows whenever the same input may give another output
    parameters: type[Parameters]
    outputs: tuple[Output, ...]
    implementation: str  #: "module:Class", imported by the inference service alone
    #: modules that must be importable for it to run, as ("scenedetect", "av")
    requires: tuple[str, ...]
    extra: str  #: the extra of the distribution that brings them
    resources: Resources = field(default_factory=Resources)
    licence: str = "MIT"
    commercial_use: bool = True
    research_only: bool = False
    stability: Stability = Stability.STABLE
    family: str = ""  #: the public server's pipeline_family
    variant: str = ""
    tasks: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    longest_seconds: float = 3600.0  #: time limit of an attempt for a short video
    longest_per_media_second: float = 10.0  #: added for each second of video
    listed: bool = True  #: False: internal


class Context(Protocol):
    """What the inference service gives to a pipeline while it works.

    Used from the pipeline's one thread.
    """

    @property
    def video(self) -> Path:
        """The video's bytes, read-only."""

    @property
    def video_id(self) -> str:
        """Id of the video; names it inside results."""

    @property
    def probe(self) -> Probe:
        """What the video is."""

    @property
    def folder(self) -> Path:
        """An empty folder for the declared outputs, under their fixed names."""

    def checkpoint(self) -> None:
        """To be called at least every half second of work.

        Raises: Stopped when the work shall end.
        """

    def progress(self, stage: str, position_seconds: float) -> None:
        """Tells how far the work is, in presentation time; may be called for every frame.

        Includes a checkpoint.
        """

    def log(self, message: str, *, warning: bool = False) -> None:
        """A line for the owner of the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a pipeline says about a finished piece of work; goes into the manifest."""

    summary: Mapping[str, int]  #: what was found, for people: {"scenes": 12}
    #: engine, sampling used, decoder, device, precision
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()  #: as "12 s damaged at 31:07"


class Pipeline(Protocol):
    """One method. Made once in a worker, used for one video."""

    def load(self, context: Context) -> None:
        """Loads models; slow; calls `checkpoint` where it can."""

    def annotate(self, context: Context, parameters: Any) -> Outcome:
        """Annotates the video and writes the declared outputs into the folder.

        `parameters` is an instance of the spec's model. Raises: MediaError, Stopped, StorageError.
        """
