"""Jobs and results as the bodies of answers."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from videoannotator.api.bodies.files import (
    ArtifactBody,
    ArtifactListBody,
    FileBody,
    PipelineResultBody,
    ResultsBody,
)
from videoannotator.api.bodies.jobs import FailureBody, JobBody, JobListBody, RunBody
from videoannotator.api.operations.jobs import Page
from videoannotator.api.operations.results import Results
from videoannotator.domain.jobs import Artifact, Run, RunState, Worker
from videoannotator.formats.names import public_name
from videoannotator.store.rows import JobRows, reached

#: The public server's words for what a pipeline of a job is doing.
RESULT_STATUS: Mapping[RunState, str] = {
    RunState.PENDING: "pending",
    RunState.STARTING: "running",
    RunState.RUNNING: "running",
    RunState.CANCELLING: "cancelling",
    RunState.SUCCEEDED: "completed",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "cancelled",
}


#: What a run waits for before a scheduler has said anything about it.
NOT_LOOKED_AT = "waiting for the scheduler to look"


def job_body(
    rows: JobRows,
    now: datetime,
    *,
    base: str,
    artifacts: Iterable[Artifact] | None = None,
) -> JobBody:
    """A job as JSON. `base` is the root path, `now` ends the GPU seconds of a living worker."""
    job, video = rows.job, rows.video
    waiting = [run for run in rows.runs if run.state is RunState.PENDING]
    starting = [run for run in rows.runs if run.state is RunState.STARTING]
    files = None if artifacts is None else tuple(artifacts)
    runs = [run_body(rows, run, now, base=base, artifacts=files) for run in rows.runs]
    return JobBody(
        id=job.id,
        status=job.state,
        video_id=video.id,
        video_path=rows.video_name,
        video_filename=rows.video_name,
        video_size_bytes=video.size_bytes,
        video_duration_seconds=video.probe and int(video.probe.duration_seconds),
        video_sha256=video.sha256,
        config=dict(job.config),
        selected_pipelines=[run.pipeline for run in rows.runs],
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        cancelled_at=job.cancelled_at,
        error_message=job.error_message,
        result_path=None,
        storage_path=None,
        queue_position=min(
            (run.queue_position for run in waiting if run.queue_position), default=None
        ),
        waiting_reason=_first_reason(waiting) or _first_reason(starting),
        progress=rows.progress,
        eta_seconds=_eta(rows.runs),
        runs=runs,
        owner=job.owner_id,
        priority=job.priority,
        retry_count=sum(max(run.attempt - 1, 0) for run in runs),
    )


def run_body(
    rows: JobRows, run: Run, now: datetime, *, base: str, artifacts: tuple[Artifact, ...] | None
) -> RunBody:
    """One pipeline of a job as JSON."""
    own = None if artifacts is None else [each for each in artifacts if each.run_id == run.id]
    waits = run.state is RunState.PENDING
    return RunBody(
        id=run.id,
        pipeline=run.pipeline,
        status=run.state,
        attempt=max((each.number for each in rows.attempts if each.run_id == run.id), default=0),
        progress=reached(run),
        stage=run.progress.stage,
        rate=run.progress.rate,
        eta_seconds=_eta([run]),
        queue_position=run.queue_position if waits else None,
        waiting_reason=_first_reason([run]),
        parameters=dict(run.parameters),
        ignored_parameters=dict(run.ignored_parameters),
        summary=dict(run.summary),
        started_at=run.started_at,
        finished_at=run.finished_at,
        error=_failure(run),
        artifacts=None if own is None else [file_body(rows, each, base=base) for each in own],
        gpu_seconds=sum(_gpu_seconds(each, now) for each in rows.workers if each.run_id == run.id),
    )


def _first_reason(runs: Sequence[Run]) -> str | None:
    """What the first run that has a reason waits for; None when nothing waits.

    A run with a worker waits for what the worker waits for: a place, an image.
    """
    waiting = [run for run in runs if run.state in (RunState.PENDING, RunState.STARTING)]
    reasons = (run.waiting_reason for run in waiting if run.waiting_reason)
    unseen = any(run.state is RunState.PENDING for run in waiting)
    return next(reasons, NOT_LOOKED_AT if unseen else None)


def _failure(run: Run) -> FailureBody | None:
    if run.failure is None:
        return None
    return FailureBody(
        code=run.failure.code,
        message=run.failure.message,
        hint=run.failure.advice,
        stage=run.failure.stage or None,
        position_seconds=run.failure.position_seconds,
        log_tail=list(run.failure.log_tail),
    )


def _eta(runs: Iterable[Run]) -> float | None:
    """Seconds until the last of those that run, None when nobody can tell."""
    going = [run.progress.eta_seconds for run in runs if run.state is RunState.RUNNING]
    return max((eta for eta in going if eta is not None), default=None)


def _gpu_seconds(worker: Worker, now: datetime) -> float:
    until = worker.gone_at or now
    return worker.resources.gpus * max((until - worker.created_at).total_seconds(), 0.0)


def file_body(rows: JobRows, artifact: Artifact, *, base: str) -> FileBody:
    """A result file as JSON."""
    return FileBody(
        name=artifact.name,
        public_name=public_name(artifact.public_name, rows.video_name),
        role=artifact.role,
        media_type=artifact.media_type,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
        download_url=f"{_files_url(rows, artifact.pipeline, base)}?file={artifact.name}",
    )


def artifacts_body(results: Results, *, base: str) -> ArtifactListBody:
    """Every result file of a job as JSON."""
    files = [_artifact(results.rows, each, base) for each in results.artifacts]
    return ArtifactListBody(job_id=results.rows.job.id, files=files, total=len(files))


def _artifact(rows: JobRows, artifact: Artifact, base: str) -> ArtifactBody:
    file = file_body(rows, artifact, base=base).model_dump()
    address = f"{base}/api/v1/jobs/{rows.job.id}/files/{artifact.id}"
    own = {"id": artifact.id, "pipeline": artifact.pipeline, "download_url": address}
    return ArtifactBody(**{**file, **own})


def _files_url(rows: JobRows, pipeline: str, base: str) -> str:
    return f"{base}/api/v1/jobs/{rows.job.id}/results/files/{pipeline}"


def list_body(page: Page, now: datetime, *, base: str) -> JobListBody:
    """A page of jobs as JSON."""
    return JobListBody(
        jobs=[job_body(rows, now, base=base) for rows in page.jobs],
        total=page.total,
        page=page.page,
        per_page=page.per_page,
    )


def results_body(results: Results, *, base: str) -> ResultsBody:
    """Results as JSON."""
    job = results.rows.job
    return ResultsBody(
        job_id=job.id,
        status=job.state,
        pipeline_results={
            run.pipeline: _pipeline_result(results, run, base=base) for run in results.rows.runs
        },
        created_at=job.created_at,
        completed_at=job.completed_at,
        result_path=None,
        error_message=job.error_message,
    )


def _pipeline_result(results: Results, run: Run, *, base: str) -> PipelineResultBody:
    files = [file_body(results.rows, each, base=base) for each in results.of(run.pipeline)]
    return PipelineResultBody(
        pipeline_name=run.pipeline,
        status=RESULT_STATUS[run.state],
        start_time=run.started_at,
        end_time=run.finished_at,
        processing_time=_seconds(run),
        annotation_count=next(iter(run.summary.values()), None),
        output_file=files[0].public_name if files else None,
        download_url=_files_url(results.rows, run.pipeline, base) if files else None,
        error_message=run.failure.message if run.failure else None,
        summary=dict(run.summary),
        files=files,
    )


def _seconds(run: Run) -> float | None:
    if run.started_at is None or run.finished_at is None:
        return None
    return (run.finished_at - run.started_at).total_seconds()
