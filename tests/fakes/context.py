"""A context for running a pipeline in a test, without a service around it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videoannotator.domain.errors import Stopped
from videoannotator.domain.videos import Probe
from videoannotator.media.probe import probe
from videoannotator.pipelines.catalogue import implementation
from videoannotator.pipelines.interface import Outcome, PipelineSpec
from videoannotator.pipelines.parameters import validate


@dataclass(slots=True)
class WorkContext:
    """Keeps what a pipeline tells; raises Stopped at the call that `stop_at` counts to."""

    video: Path
    probe: Probe
    folder: Path
    video_id: str = "video-1"
    stop_at: int | None = None  #: number of the checkpoint, from 1, that says stop
    stop_when: Callable[[str], bool] = field(default=lambda stage: False)  #: judged by the stage
    checkpoints: int = 0
    told: list[tuple[str, float]] = field(default_factory=list)  #: every (stage, position)
    logs: list[tuple[str, bool]] = field(default_factory=list)  #: every (message, warning)

    def checkpoint(self) -> None:
        """Counts; stops when asked to."""
        self.checkpoints += 1
        if self.checkpoints == self.stop_at:
            raise Stopped("The test asked to stop.")

    def progress(self, stage: str, position_seconds: float) -> None:
        """Keeps it; stops when asked to."""
        self.told.append((stage, position_seconds))
        self.checkpoint()
        if self.stop_when(stage):
            raise Stopped("The test asked to stop.")

    def log(self, message: str, *, warning: bool = False) -> None:
        """Keeps it."""
        self.logs.append((message, warning))

    @property
    def stages(self) -> list[str]:
        """Names of the stages, each once, in order."""
        return list(dict.fromkeys(stage for stage, _ in self.told))


@dataclass(frozen=True, slots=True)
class Ran:
    """A pipeline that ended well."""

    outcome: Outcome
    context: WorkContext

    @property
    def files(self) -> dict[str, bytes]:
        """What it wrote, by name."""
        return {path.name: path.read_bytes() for path in sorted(self.context.folder.iterdir())}

    def json(self, name: str) -> Any:
        """A file it wrote, parsed."""
        return json.loads(self.files[name])


def context_for(video: Path, folder: Path, **fields: Any) -> WorkContext:
    """A context with an empty folder."""
    folder.mkdir(parents=True)
    return WorkContext(video=video, probe=probe(video), folder=folder, **fields)


def run(spec: PipelineSpec, context: WorkContext, **parameters: Any) -> Ran:
    """Loads a pipeline and lets it annotate, as the inference service does."""
    validated = validate(spec, parameters, strict=True)
    assert not validated.problems, [str(problem) for problem in validated.problems]
    pipeline = implementation(spec)()
    pipeline.load(context)
    model = spec.parameters.model_validate(validated.parameters)
    return Ran(pipeline.annotate(context, model), context)
