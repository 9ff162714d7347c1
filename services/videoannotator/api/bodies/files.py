"""Result files, and what each pipeline of a job gave."""

from pydantic import BaseModel, Field

from videoannotator.api.bodies.times import Instant
from videoannotator.domain.jobs import JobState


class FileBody(BaseModel):
    """A result file."""

    name: str = Field(description="Name that the pipeline gave it.", examples=["result.json"])
    public_name: str = Field(
        description="Name under which it is saved.", examples=["clip_scene_detection.json"]
    )
    role: str = Field(
        description="`result`; or `view`, for what only a page shows.", examples=["result"]
    )
    media_type: str = Field(description="Its media type.", examples=["application/json"])
    size_bytes: int = Field(ge=0, description="Its size.")
    sha256: str = Field(description="SHA-256 of its bytes, hexadecimal.")
    download_url: str = Field(description="Address on this server, without scheme and host.")


class ArtifactBody(FileBody):
    """A result file under its own address."""

    id: str = Field(description="Id of the file.")
    pipeline: str = Field(description="Name of the pipeline that made it.")


class ArtifactListBody(BaseModel):
    """Every result file of a job."""

    job_id: str = Field(description="Id of the job.")
    files: list[ArtifactBody] = Field(description="The files.")
    total: int = Field(ge=0, description="Number of files.")


class PipelineResultBody(BaseModel):
    """What one pipeline gave."""

    pipeline_name: str = Field(description="Name of the pipeline.")
    status: str = Field(
        description="pending, running, cancelling, completed, failed or cancelled.",
        examples=["completed"],
    )
    start_time: Instant | None = Field(description="When it was first started.")
    end_time: Instant | None = Field(description="When it ended.")
    processing_time: float | None = Field(description="Seconds between the two.")
    annotation_count: int | None = Field(
        description="First figure of `summary`; null before the end."
    )
    output_file: str | None = Field(description="Public name of its first file.")
    download_url: str | None = Field(description="Address of its first file on this server.")
    error_message: str | None = Field(description="Why it failed; null unless it did.")
    summary: dict[str, int] = Field(
        description="What was found, counted.", examples=[{"scenes": 12}]
    )
    files: list[FileBody] = Field(description="Its files, results first.")


class ResultsBody(BaseModel):
    """What a job gave."""

    job_id: str = Field(description="Id of the job.")
    status: JobState = Field(description="What the job is doing.")
    pipeline_results: dict[str, PipelineResultBody] = Field(
        description="What each pipeline gave, by its name."
    )
    created_at: Instant = Field(description="When the job was submitted.")
    completed_at: Instant | None = Field(description="When the job completed or failed.")
    result_path: str | None = Field(description="Always null; older clients read it.")
    error_message: str | None = Field(description="Why the job failed; null unless it did.")
