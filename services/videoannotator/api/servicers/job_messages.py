"""Jobs as messages, from the same bodies that REST sends."""

from collections.abc import Iterable
from datetime import UTC, datetime

from videoannotator.api.bodies.files import ArtifactBody
from videoannotator.api.bodies.jobs import FailureBody, RunBody
from videoannotator.api.operations.results import Results
from videoannotator.api.schemas import artifacts_body, job_body
from videoannotator.domain.jobs import Artifact
from videoannotator.rpc.states import JOB_STATES, RUN_STATES
from videoannotator.rpc.well_known import struct_to, timestamp_to
from videoannotator.store.rows import JobRows
from videoannotator.v1 import job_pb2


def job_message(rows: JobRows, artifacts: Iterable[Artifact] = ()) -> job_pb2.Job:
    """A job as a message."""
    body = job_body(rows, datetime.now(UTC), base="")
    files = artifact_messages(Results(rows=rows, artifacts=tuple(artifacts)))
    return job_pb2.Job(
        id=body.id,
        status=JOB_STATES[body.status],
        video_id=body.video_id,
        video_filename=body.video_filename,
        video_size_bytes=body.video_size_bytes,
        video_duration_seconds=body.video_duration_seconds,
        video_sha256=body.video_sha256,
        config=struct_to(body.config),
        selected_pipelines=body.selected_pipelines,
        created_at=timestamp_to(body.created_at),
        updated_at=timestamp_to(body.updated_at),
        started_at=timestamp_to(body.started_at),
        completed_at=timestamp_to(body.completed_at),
        cancelled_at=timestamp_to(body.cancelled_at),
        error_message=body.error_message,
        queue_position=body.queue_position,
        waiting_reason=body.waiting_reason,
        progress=body.progress,
        eta_seconds=body.eta_seconds,
        runs=[run_message(run, files) for run in body.runs],
        owner=body.owner,
        priority=body.priority,
        retry_count=body.retry_count,
    )


def run_message(body: RunBody, files: Iterable[job_pb2.Artifact]) -> job_pb2.Run:
    """One pipeline of a job as a message, with its files out of those of the job."""
    return job_pb2.Run(
        id=body.id,
        pipeline=body.pipeline,
        status=RUN_STATES[body.status],
        attempt=body.attempt,
        progress=body.progress,
        stage=body.stage,
        rate=body.rate,
        eta_seconds=body.eta_seconds,
        queue_position=body.queue_position,
        waiting_reason=body.waiting_reason,
        parameters=struct_to(body.parameters),
        ignored_parameters=body.ignored_parameters,
        summary=body.summary,
        started_at=timestamp_to(body.started_at),
        finished_at=timestamp_to(body.finished_at),
        error=error_message(body.error),
        artifacts=[each for each in files if each.pipeline == body.pipeline],
        gpu_seconds=body.gpu_seconds,
    )


def error_message(body: FailureBody | None) -> job_pb2.RunError | None:
    """Why a run failed, as a message."""
    if body is None:
        return None
    return job_pb2.RunError(
        code=body.code,
        message=body.message,
        hint=body.hint,
        stage=body.stage,
        position_seconds=body.position_seconds,
        log_tail=body.log_tail,
    )


def artifact_messages(results: Results) -> list[job_pb2.Artifact]:
    """The files of a job as messages."""
    return [_artifact(body) for body in artifacts_body(results, base="").files]


def _artifact(body: ArtifactBody) -> job_pb2.Artifact:
    return job_pb2.Artifact(
        id=body.id,
        pipeline=body.pipeline,
        name=body.name,
        public_name=body.public_name,
        role=body.role,
        media_type=body.media_type,
        size_bytes=body.size_bytes,
        sha256=body.sha256,
    )
