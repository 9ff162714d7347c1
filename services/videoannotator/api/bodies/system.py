"""Figures and switches of the service, in the public server's shapes."""

from typing import Literal

from pydantic import BaseModel, Field

from videoannotator.api.bodies.times import Instant


class FiguresBody(BaseModel):
    """Jobs and requests, counted."""

    jobs_total: int = Field(ge=0, description="Jobs.")
    jobs_active: int = Field(ge=0, description="Those that wait, run or are being cancelled.")
    jobs_completed: int = Field(ge=0, description="Those that completed.")
    jobs_failed: int = Field(ge=0, description="Those that failed.")
    jobs_pending: int = Field(ge=0, description="Those that wait.")
    jobs_running: int = Field(ge=0, description="Those that run.")
    total_annotations: None = Field(
        description="Always null: scenes, pictures and seconds of speech have no sum."
    )
    api_requests_total: int = Field(ge=0, description="Requests that this process answered.")
    response_time_avg: float = Field(ge=0, description="Mean seconds of a request.")
    pipeline_processing_time_avg: None = Field(description="Always null: see /metrics.")
    uptime_seconds: float = Field(ge=0, description="Since this process began.")


class LoadBody(BaseModel):
    """Load of the machine, in percent."""

    cpu_usage: float = Field(description="CPU cores.")
    memory_usage: float = Field(description="Memory.")
    disk_usage: float = Field(description="Disk of the storage folder.")


class SystemMetricsBody(BaseModel):
    """Counts of jobs and the load of the machine."""

    timestamp: Instant = Field(description="Now.")
    metrics: FiguresBody = Field(description="Jobs and requests.")
    performance: LoadBody = Field(description="Load of the machine.")


class FeaturesBody(BaseModel):
    """What is switched on."""

    authentication: bool = Field(description="Whether a key is needed.")
    rate_limiting: bool = Field(description="Whether uploads per minute are limited.")
    webhooks: bool = Field(description="Always false: there are none yet.")
    async_processing: bool = Field(description="Always true.")


class SystemConfigBody(BaseModel):
    """What is switched on."""

    configuration: dict[str, str] = Field(
        description="Every setting in force, secrets masked, for administrators; empty for others.",
        examples=[{"api.port": "18011"}],
    )
    environment: Literal["production", "development"] = Field(
        description="development: no key is needed."
    )
    features: FeaturesBody = Field(description="What is switched on.")


class ConnectionBody(BaseModel):
    """Where the database is."""

    database_path: str | None = Field(description="Its file, for administrators; else null.")
    database_url: str | None = Field(
        description="Its address without the password, for administrators; else null."
    )
    database_size_mb: float | None = Field(description="Size of its file in MiB; null: no file.")


class StatisticsBody(BaseModel):
    """Jobs, counted."""

    total_jobs: int = Field(ge=0, description="Jobs.")
    pending_jobs: int = Field(ge=0, description="Those that wait.")
    running_jobs: int = Field(ge=0, description="Those that run.")
    completed_jobs: int = Field(ge=0, description="Those that completed.")
    failed_jobs: int = Field(ge=0, description="Those that failed.")
    total_annotations: None = Field(
        description="Always null: scenes, pictures and seconds of speech have no sum."
    )


class SystemDatabaseBody(BaseModel):
    """The database's kind and counts."""

    backend_type: str = Field(description="Its kind.", examples=["sqlite", "postgresql"])
    connection_info: ConnectionBody = Field(description="Where it is.")
    statistics: StatisticsBody = Field(description="Jobs, counted.")
    schema_version: int = Field(ge=1, description="Number of its schema.")


class BackgroundBody(BaseModel):
    """What is at work."""

    running: bool = Field(description="Whether a scheduler leads.")
    processing_jobs: list[str] = Field(description="Ids of the jobs that have a worker.")
    concurrent_jobs: int = Field(ge=0, description="Their number.")
    max_concurrent_jobs: int = Field(ge=0, description="Most workers at a time.")
    poll_interval: float = Field(ge=0, description="Seconds between two looks at the queue.")


class ProcessBody(BaseModel):
    """The process of the api."""

    pid: int = Field(description="Its id.")
    memory_usage_mb: float = Field(description="Memory that it holds, in MiB.")
    cpu_percent: float = Field(description="Share of a CPU core that it uses, in percent.")


class BackgroundJobsBody(BaseModel):
    """What is at work, and in which process."""

    background_processing: BackgroundBody = Field(description="What is at work.")
    system_info: ProcessBody = Field(description="The process of the api.")
    timestamp: Instant = Field(description="Now.")
