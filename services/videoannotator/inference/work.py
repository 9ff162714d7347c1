"""One attempt, from the request to the manifest. Runs in the worker's one thread for it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from videoannotator import __version__
from videoannotator.domain.errors import InvalidConfig
from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Progress
from videoannotator.domain.videos import Probe
from videoannotator.formats.manifest import (
    Manifest,
    describe_file,
    write_manifest,
)
from videoannotator.inference.context import WorkContext
from videoannotator.inference.failures import failure_of
from videoannotator.inference.places import Place, place_of
from videoannotator.inference.provenance import provenance
from videoannotator.inference.results import completed, written_outputs
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
        scratch: Path | None = None,
    ) -> None:
        """`stop_wanted` is asked at every checkpoint; `scratch` is for what must be fetched."""
        self.assignment = assignment  #: with the newest addresses
        self._scratch = scratch
        self._stage = ""
        self._spec = spec
        self._voice = voice
        self._stop_wanted = stop_wanted
        self._device = "cuda:0" if spec.resources.gpus else "cpu"
        self._context: WorkContext | None = None

    def do(self) -> Completed:
        """Does the work. Raises what the pipeline raises, and our errors for the rest."""
        parameters = checked_parameters(self._spec, self.assignment)
        place = place_of(lambda: self.assignment, self._scratch, self._tell, self._stop_wanted)
        with place as at:
            there = at.finished()
            if there is None:
                there = self._done(at, parameters)
            return there

    def renew(self, assignment: Assignment) -> None:
        """Takes the newest addresses; one that they leave out is kept."""
        signed = {**(self.assignment.signed or {}), **(assignment.signed or {})} or None
        self.assignment = replace(
            self.assignment,
            url=assignment.url or self.assignment.url,
            signed=signed,
            manifest_url=assignment.manifest_url or self.assignment.manifest_url,
        )

    def failure(self, error: BaseException) -> Failure:
        """What to say about `error`, with where the work was."""
        context = self._context
        if context is None:
            return failure_of(error, self._stage)
        return failure_of(error, self._stage or context.stage, context.position_seconds)

    def _tell(self, stage: str) -> None:
        """Tells what is done outside of the pipeline; the request was taken by then."""
        if stage == self._stage:
            return
        self._stage = stage
        if self._context is None:
            self._voice.accept(Accepted(device=self._device))
        self._voice.report(self._progress(stage))

    def _progress(self, stage: str) -> Progress:
        context = self._context
        if context is None:
            return Progress(stage=stage)
        return Progress(
            stage=stage,
            position_seconds=context.position_seconds or 0.0,
            duration_seconds=context.probe.duration_seconds,
        )

    def _done(self, at: Place, parameters: Parameters) -> Completed:
        at.fetch()
        context = WorkContext(
            at.local,
            self._opened(Path(at.local.path or "")),
            reports=self._voice,
            stop_wanted=self._stop_wanted,
        )
        self._context, self._stage = context, ""
        outcome = self._annotated(context, parameters)
        result = self._sealed(context, parameters, outcome)
        at.publish(result.files)
        return result

    def _opened(self, video: Path) -> Probe:
        from videoannotator.media.probe import probe

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


def checked_parameters(spec: PipelineSpec, assignment: Assignment) -> Parameters:
    """The parameters as the pipeline's model. Raises: InvalidConfig naming the first at fault."""
    problems = validate(spec, assignment.parameters, strict=True).problems
    if problems:
        first = problems[0]
        raise InvalidConfig(f"{first.field}: {first.message}", hint=first.hint, problems=problems)
    return spec.parameters.model_validate(dict(assignment.parameters))
