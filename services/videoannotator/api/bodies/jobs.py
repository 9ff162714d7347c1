"""Jobs and runs: every field of the public server, and ours beside them."""

from typing import Any

from pydantic import BaseModel, Field

from videoannotator.api.bodies.files import FileBody
from videoannotator.api.bodies.times import Instant
from videoannotator.domain.jobs import JobState, RunState


class FailureBody(BaseModel):
    """Why a run failed."""

    code: str = Field(
        description="What happened, for programs. docs/reference/errors.md lists all codes.",
        examples=["MEDIA_ERROR"],
    )
    message: str = Field(description="What happened, for people.")
    hint: str = Field(description="What to do next.")
    stage: str | None = Field(description="What the pipeline was doing; null: unknown.")
    position_seconds: float | None = Field(
        description="Where in the video it happened, in seconds; null: unknown."
    )
    log_tail: list[str] = Field(description="The last lines of the worker's log, oldest first.")


class RunBody(BaseModel):
    """One pipeline of a job."""

    id: str = Field(description="Id of the run.")
    pipeline: str = Field(description="Name of the pipeline.", examples=["scene_detection"])
    status: RunState = Field(description="What the run is doing.")
    attempt: int = Field(ge=0, description="Number of the newest try, from 1; 0 before the first.")
    progress: float = Field(ge=0, le=1, description="Share that is done, from 0 to 1.")
    stage: str = Field(description="What is being done; empty before it begins.")
    rate: float = Field(ge=0, description="Seconds of video per second; 0: unknown.")
    eta_seconds: float | None = Field(description="Seconds until the end; null: unknown.")
    queue_position: int | None = Field(
        description="Place in the queue, from 1; null when it does not wait."
    )
    waiting_reason: str | None = Field(description="What it waits for; null when it does not wait.")
    parameters: dict[str, Any] = Field(description="Parameters that count, with all defaults.")
    ignored_parameters: dict[str, str] = Field(
        description="Parameters that the pipeline does not know, each with the nearest known "
        "name or an empty text."
    )
    summary: dict[str, int] = Field(
        description="What was found, counted; empty before the end.", examples=[{"scenes": 12}]
    )
    started_at: Instant | None = Field(description="When it was first started.")
    finished_at: Instant | None = Field(description="When it ended.")
    error: FailureBody | None = Field(description="Why it failed; null unless it did.")
    artifacts: list[FileBody] | None = Field(description="Its result files. Null in lists of jobs.")
    gpu_seconds: float = Field(ge=0, description="Time that GPUs were held, times their number.")


class JobBody(BaseModel):
    """A job: one video, annotated by one or more pipelines."""

    id: str = Field(description="Id of the job.", examples=["4f1c0d9e6f7a4f0f9d6c2a1b3c4d5e6f"])
    status: JobState = Field(description="What the job is doing, out of the states of its runs.")
    video_id: str = Field(description="Id of the video. It can be submitted again by this id.")
    video_path: str = Field(description="The same as `video_filename`, for older clients.")
    video_filename: str = Field(
        description="Name of the video, as its user gave it.", examples=["clip.mp4"]
    )
    video_size_bytes: int = Field(ge=0, description="Size of the video.")
    video_duration_seconds: int | None = Field(
        description="Duration in whole seconds; null until a worker has opened the video."
    )
    video_sha256: str = Field(description="SHA-256 of the video's bytes, hexadecimal.")
    config: dict[str, Any] = Field(
        description="The configuration, as it was sent.",
        examples=[{"scene_detection": {"min_scene_seconds": 1.0}}],
    )
    selected_pipelines: list[str] = Field(
        description="Names of the pipelines.", examples=[["scene_detection", "voice_activity"]]
    )
    created_at: Instant = Field(description="When it was submitted.")
    updated_at: Instant = Field(description="When its state last changed.")
    started_at: Instant | None = Field(description="When its first run was started.")
    completed_at: Instant | None = Field(description="When it completed or failed.")
    cancelled_at: Instant | None = Field(description="When it was cancelled.")
    error_message: str | None = Field(description="Why it failed; null unless it did.")
    result_path: str | None = Field(description="Always null; older clients read it.")
    storage_path: str | None = Field(description="Always null; older clients read it.")
    queue_position: int | None = Field(
        description="Best place of its runs in the queue, from 1; null when none waits."
    )
    waiting_reason: str | None = Field(
        description="What its first waiting run waits for; null when none waits."
    )
    progress: float = Field(ge=0, le=1, description="Share that is done, from 0 to 1.")
    eta_seconds: float | None = Field(
        description="Seconds until the last of the present runs ends; null: unknown."
    )
    runs: list[RunBody] = Field(description="One run for each pipeline.")
    owner: str = Field(description="Id of the user who submitted it.")
    priority: int = Field(ge=-100, le=100, description="Jobs of a higher priority go first.")
    batch_id: str | None = Field(None, description="Always null: there are no batches yet.")
    estimated_cost: float | None = Field(None, description="Always null: costs are not kept yet.")
    actual_cost: float | None = Field(None, description="Always null: costs are not kept yet.")
    retry_count: int = Field(ge=0, description="Tries after the first one, of all runs together.")


class JobListBody(BaseModel):
    """One page of jobs."""

    jobs: list[JobBody] = Field(description="The jobs of this page.")
    total: int = Field(ge=0, description="Number of jobs on all pages.")
    page: int = Field(ge=1, description="Number of this page.")
    per_page: int = Field(ge=1, le=100, description="Most jobs on a page.")


class LogLineBody(BaseModel):
    """A line that a run logged."""

    id: int = Field(description="Number of the event. Ask for the lines after it with `after`.")
    timestamp: Instant = Field(description="When it was logged.")
    job_id: str = Field(description="Id of the job.")
    run_id: str | None = Field(description="Id of the run.")
    pipeline: str | None = Field(description="Name of its pipeline.")
    level: str = Field(description="debug, info, warning or error.", examples=["info"])
    message: str = Field(description="The line.")


class LogsBody(BaseModel):
    """Lines of a job's log, oldest first."""

    job_id: str = Field(description="Id of the job.")
    logs: list[LogLineBody] = Field(description="The lines.")
    last_id: int = Field(ge=0, description="Give it as `after` to get the lines that follow.")
