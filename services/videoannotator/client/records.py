"""What the server tells, as records. A field that an older server does not know is empty."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from videoannotator.client import reading
from videoannotator.client.reading import Fields
from videoannotator.domain.jobs import JOB_FINAL, RUN_FINAL, JobState, RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One result file."""

    name: str  #: as it is saved, `clip_scene_detection.json`
    stored_name: str  #: the fixed word by which the server knows it, `scenes.json`
    pipeline: str
    role: str  #: result | view
    media_type: str
    size_bytes: int
    sha256: str  #: empty when the server does not tell
    download_url: str  #: below the server's address

    @classmethod
    def read(cls, data: Fields, pipeline: str) -> Self:
        """From the server's JSON."""
        stored_name = reading.required(data, "name")
        return cls(
            name=reading.text(data, "public_name") or stored_name,
            stored_name=stored_name,
            pipeline=pipeline,
            role=reading.text(data, "role"),
            media_type=reading.text(data, "media_type"),
            size_bytes=reading.whole(data, "size_bytes"),
            sha256=reading.text(data, "sha256"),
            download_url=reading.required(data, "download_url"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """Why a run failed."""

    code: str
    message: str
    hint: str  #: what to do next
    stage: str  #: what it was doing; empty when the server does not tell
    position_seconds: float | None  #: where in the video; None when nobody knows
    log_tail: tuple[str, ...]  #: the worker's last lines, oldest first

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            code=reading.text(data, "code"),
            message=reading.text(data, "message"),
            hint=reading.text(data, "hint"),
            stage=reading.text(data, "stage"),
            position_seconds=reading.maybe_number(data, "position_seconds"),
            log_tail=reading.texts(data, "log_tail"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One pipeline of a job."""

    pipeline: str
    status: RunState
    attempt: int  #: from 1; 0 before the first
    progress: float  #: 0 to 1
    stage: str
    rate: float  #: media seconds per second; 0: unknown
    started_at: datetime | None
    finished_at: datetime | None
    error: RunError | None
    artifacts: tuple[File, ...]  #: empty in lists of jobs
    summary: Mapping[str, int]  #: what was found, as {"scenes": 12}
    waiting_reason: str
    queue_position: int | None

    @property
    def ended(self) -> bool:
        """Nothing more happens to it."""
        return self.status in RUN_FINAL

    @property
    def seconds(self) -> float | None:
        """Wall time from its first start to its end, None before that."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        error = data.get("error")
        pipeline = reading.required(data, "pipeline")
        return cls(
            pipeline=pipeline,
            status=_run_state(reading.required(data, "status")),
            attempt=reading.whole(data, "attempt"),
            progress=reading.number(data, "progress"),
            stage=reading.text(data, "stage"),
            rate=reading.number(data, "rate"),
            started_at=reading.maybe_time(data, "started_at"),
            finished_at=reading.maybe_time(data, "finished_at"),
            error=RunError.read(reading.fields(error)) if error else None,
            artifacts=reading.items(data, "artifacts", lambda file: File.read(file, pipeline)),
            summary=dict(data.get("summary") or {}),
            waiting_reason=reading.text(data, "waiting_reason"),
            queue_position=reading.maybe_whole(data, "queue_position"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One annotation request."""

    id: str
    status: JobState
    video_filename: str
    video_size_bytes: int
    video_duration_seconds: float | None  #: None until a worker has opened the video
    video_sha256: str  #: hexadecimal; empty when the server does not tell
    selected_pipelines: tuple[str, ...]
    config: Mapping[str, Any]
    created_at: datetime | None
    updated_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    error_message: str
    queue_position: int | None  #: from 1, while it waits
    waiting_reason: str
    progress: float  #: 0 to 1
    eta_seconds: float | None
    priority: int
    owner: str
    retry_count: int
    runs: tuple[Run, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)  #: the server's own words

    @property
    def ended(self) -> bool:
        """Nothing more happens to it."""
        return self.status in JOB_FINAL

    @property
    def files(self) -> tuple[File, ...]:
        """Every file of every run."""
        return tuple(each for run in self.runs for each in run.artifacts)

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            id=reading.required(data, "id"),
            status=_job_state(reading.required(data, "status")),
            video_filename=reading.text(data, "video_filename"),
            video_size_bytes=reading.whole(data, "video_size_bytes"),
            video_duration_seconds=reading.maybe_number(data, "video_duration_seconds"),
            video_sha256=reading.text(data, "video_sha256"),
            selected_pipelines=reading.texts(data, "selected_pipelines"),
            config=dict(data.get("config") or {}),
            created_at=reading.maybe_time(data, "created_at"),
            updated_at=reading.maybe_time(data, "updated_at"),
            started_at=reading.maybe_time(data, "started_at"),
            completed_at=reading.maybe_time(data, "completed_at"),
            cancelled_at=reading.maybe_time(data, "cancelled_at"),
            error_message=reading.text(data, "error_message"),
            queue_position=reading.maybe_whole(data, "queue_position"),
            waiting_reason=reading.text(data, "waiting_reason"),
            progress=reading.number(data, "progress"),
            eta_seconds=reading.maybe_number(data, "eta_seconds"),
            priority=reading.whole(data, "priority"),
            owner=reading.text(data, "owner"),
            retry_count=reading.whole(data, "retry_count"),
            runs=reading.items(data, "runs", Run.read),
            raw=data,
        )


def _job_state(value: str) -> JobState:
    try:
        return JobState(value)
    except ValueError as error:
        raise reading.not_ours(f"status {value!r}") from error


def _run_state(value: str) -> RunState:
    try:
        return RunState(value)
    except ValueError as error:
        raise reading.not_ours(f"status {value!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """One page of a list of jobs."""

    jobs: tuple[Job, ...]
    total: int  #: on all pages
    page: int  #: from 1
    per_page: int

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            jobs=reading.items(data, "jobs", Job.read),
            total=reading.whole(data, "total"),
            page=reading.whole(data, "page"),
            per_page=reading.whole(data, "per_page"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """What became of one pipeline, as the public server tells it."""

    pipeline_name: str
    status: str
    start_time: datetime | None
    end_time: datetime | None
    processing_time: float | None  #: seconds
    annotation_count: int | None
    download_url: str
    error_message: str

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            pipeline_name=reading.text(data, "pipeline_name"),
            status=reading.text(data, "status"),
            start_time=reading.maybe_time(data, "start_time"),
            end_time=reading.maybe_time(data, "end_time"),
            processing_time=reading.maybe_number(data, "processing_time"),
            annotation_count=reading.maybe_whole(data, "annotation_count"),
            download_url=reading.text(data, "download_url"),
            error_message=reading.text(data, "error_message"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What became of a job."""

    job_id: str
    status: JobState
    pipeline_results: Mapping[str, PipelineResult]
    error_message: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        results = reading.fields(data.get("pipeline_results") or {})
        return cls(
            job_id=reading.required(data, "job_id"),
            status=_job_state(reading.required(data, "status")),
            pipeline_results={
                name: PipelineResult.read(reading.fields(each)) for name, each in results.items()
            },
            error_message=reading.text(data, "error_message"),
            raw=data,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the server is."""

    status: str
    version: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        version = reading.text(data, "version") or reading.text(data, "videoannotator_version")
        return cls(status=reading.text(data, "status"), version=version, raw=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A key, without its secret but right after it was made."""

    id: str
    name: str
    prefix: str  #: the first characters after `va_`, to recognise it by
    created_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    secret: str = field(default="", repr=False)  #: only in the answer to `create_token`

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            id=reading.required(data, "id"),
            name=reading.text(data, "name"),
            prefix=reading.text(data, "prefix"),
            created_at=reading.maybe_time(data, "created_at"),
            expires_at=reading.maybe_time(data, "expires_at"),
            revoked_at=reading.maybe_time(data, "revoked_at"),
            secret=reading.text(data, "token"),
        )
