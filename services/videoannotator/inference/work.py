"""One attempt, from the request to the manifest. Runs in the worker's one thread for it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from videoannotator import __version__
from videoannotator.domain.errors import BlobNotFound, InvalidConfig, StorageError
from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Progress
from videoannotator.domain.videos import Probe
from videoannotator.formats.manifest import (
    Manifest,
    describe_file,
    storage_errors,
    write_manifest,
)
from videoannotator.inference.context import WorkContext
from videoannotator.inference.failures import failure_of
from videoannotator.inference.provenance import provenance
from videoannotator.inference.results import completed, finished, require_empty, written_outputs
from videoannotator.pipelines.catalogue import implementation
from videoannotator.pipelines.interface import Outcome, Parameters, PipelineSpec
from videoannotator.pipelines.parameters import validate
from videoannotator.rpc.work import Accepted, Assignment, Completed, LogLine


class Voice(Protocol):
    """Where the work's words go, from any thread."""

    def accept(self, accepted: Accepted) -> None:
        """The request was taken."""

    def report(self, progress: Progress) -> None:
        """How far the work is."""

    def log(self, line: LogLine) -> None:
        """A line for the owner of the job."""


class Work:
    """One attempt. `do` is called once, in a thread of its own."""

    def __init__(
        self,
        assignment: Assignment,
        spec: PipelineSpec,
        voice: Voice,
        stop_wanted: Callable[[], bool],
    ) -> None:
        """`stop_wanted` is asked at every checkpoint."""
        self.assignment = assignment
        self._spec = spec
        self._voice = voice
        self._stop_wanted = stop_wanted
        self._device = "cuda:0" if spec.resources.gpus else "cpu"
        self._context: WorkContext | None = None

    def do(self) -> Completed:
        """Does the work. Raises what the pipeline raises, and our errors for the rest."""
        video, folder = local_places(self.assignment)
        parameters = checked_parameters(self._spec, self.assignment)
        there = finished(folder, self.assignment)
        if there is None:
            require_empty(folder)
        probe = self._opened(video)
        if there is not None:
            return there
        context = WorkContext(
            self.assignment, probe, reports=self._voice, stop_wanted=self._stop_wanted
        )
        self._context = context
        outcome = self._annotated(context, parameters)
        return self._sealed(context, parameters, outcome)

    def failure(self, error: BaseException) -> Failure:
        """What to say about `error`, with where the work was."""
        if self._context is None:
            return failure_of(error)
        return failure_of(error, self._context.stage, self._context.position_seconds)

    def _opened(self, video: Path) -> Probe:
        from videoannotator.media.probe import probe

        check_size(video, self.assignment.size_bytes)
        found = probe(video)
        self._voice.accept(Accepted(probe=found, device=self._device))
        return found

    def _annotated(self, context: WorkContext, parameters: Parameters) -> Outcome:
        context.progress("loading", 0.0)
        pipeline = implementation(self._spec)()
        context.checkpoint()
        pipeline.load(context)
        context.checkpoint()
        context.begin()
        return pipeline.annotate(context, parameters)

    def _sealed(self, context: WorkContext, parameters: Parameters, outcome: Outcome) -> Completed:
        """Checks what was written and makes it a result, by writing the manifest."""
        outputs = written_outputs(context.folder, self._spec.outputs)
        files = tuple(describe_file(context.folder, output) for output in outputs)
        common = provenance(self.assignment, self._spec, self._device)
        manifest = Manifest(
            product_version=__version__,
            pipeline=self._spec.name,
            pipeline_version=self._spec.version,
            run_id=self.assignment.run_id,
            attempt=self.assignment.attempt,
            video_id=self.assignment.video_id,
            video_sha256=self.assignment.sha256,
            parameters=parameters.model_dump(mode="json"),
            ignored_parameters=self.assignment.ignored_parameters,
            files=files,
            summary=outcome.summary,
            warnings=outcome.warnings,
            provenance={**common, **outcome.provenance},
            created_at=datetime.now(UTC),
        )
        # Hashing may have taken long: a worker that should have ended by now leaves no result.
        context.checkpoint()
        return completed(manifest, write_manifest(context.folder, manifest))


def local_places(assignment: Assignment) -> tuple[Path, Path]:
    """The video and the folder for the results. Raises: InvalidConfig for signed addresses."""
    if assignment.path is None or assignment.directory is None:
        raise InvalidConfig(
            "This worker reads and writes local files only.",
            hint="The operator must mount the storage into the workers.",
        )
    return Path(assignment.path), Path(assignment.directory)


def checked_parameters(spec: PipelineSpec, assignment: Assignment) -> Parameters:
    """The parameters as the pipeline's model. Raises: InvalidConfig naming the first at fault."""
    problems = validate(spec, assignment.parameters, strict=True).problems
    if problems:
        first = problems[0]
        raise InvalidConfig(f"{first.field}: {first.message}", hint=first.hint, problems=problems)
    return spec.parameters.model_validate(dict(assignment.parameters))


def check_size(video: Path, size_bytes: int) -> None:
    """Raises: BlobNotFound, StorageError when the video is not the one that was stored."""
    with storage_errors():
        if not video.is_file():
            raise BlobNotFound("The bytes of the video are not in the storage.")
        found = video.stat().st_size
    if found != size_bytes:
        raise StorageError(f"The video has {found} bytes in the storage; {size_bytes} were stored.")
