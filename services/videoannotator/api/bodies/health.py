"""How the service is, in the public server's shapes."""

from typing import Literal

from pydantic import BaseModel, Field

from videoannotator.api.bodies.times import Instant

Word = Literal["healthy", "unhealthy"]
PartState = Literal["ok", "warning", "error"]


class AliveBody(BaseModel):
    """The process lives."""

    status: Literal["ok"] = Field(description="Always ok.")


class PartStatesBody(BaseModel):
    """How each part is that is needed."""

    database: PartState = Field(description="Whether the database answers.")
    storage: PartState = Field(
        description="Whether the storage can be written; warning: less than a tenth of it is "
        "free, where that is known."
    )


class ReadyBody(BaseModel):
    """Whether requests can be served."""

    status: Literal["ok", "unhealthy"] = Field(description="ok: they can.")
    parts: PartStatesBody = Field(description="How each part is.")


class DatabaseHealthBody(BaseModel):
    """Whether the database answers."""

    status: Word = Field(description="Whether it answers.")
    message: str = Field(description="The same for people.")


class SchedulerHealthBody(BaseModel):
    """Whether the scheduler sees its workers. Requests are served either way."""

    status: Literal["ok", "warning"] = Field(
        description="warning: runs wait, because no scheduler answers, or because it can neither "
        "see nor start workers, such as with a stale watch of the cluster."
    )
    message: str = Field(description="The same for people; the reason only with a key.")


class ShortHealthBody(BaseModel):
    """How the service is, in short."""

    status: Word = Field(description="healthy: every part that is needed works.")
    api_version: str = Field(description="Version of the program.")
    videoannotator_version: str = Field(description="The same, for older clients.")
    message: str = Field(description="A sentence.")
    logging: str = Field(description="Kind of the log: structured.")
    memory_percent: float = Field(description="Share of the machine's memory in use, in percent.")
    database: DatabaseHealthBody = Field(description="Whether the database answers.")
    scheduler: SchedulerHealthBody = Field(description="Whether the scheduler sees its workers.")


class DatabaseDetailsBody(BaseModel):
    """How the database is."""

    status: PartState = Field(description="Whether it answers.")
    message: str = Field(description="The same for people.")
    jobs_count: int = Field(ge=0, description="Number of jobs; 0 when it does not answer.")


class StorageDetailsBody(BaseModel):
    """Room in the storage folder; of a storage server nobody knows it, and it is 0."""

    status: PartState = Field(description="warning: less than a tenth is free.")
    total_gb: float = Field(description="Size in GiB.")
    used_gb: float = Field(description="Used in GiB.")
    free_gb: float = Field(description="Free in GiB.")
    percent_used: float = Field(description="Share in use, in percent.")
    warning: str = Field("", description="What is wrong; left out when nothing is.")


class GpuBody(BaseModel):
    """The GPUs that the operator gave to the scheduler. This process opens none of them."""

    available: bool = Field(description="Whether there are any.")
    device_count: int = Field(ge=0, description="Their number.")
    reason: str = Field("", description="Why there is none; left out when there are some.")
    devices: list[str] = Field([], description="Always empty; left out when there are none.")


class RegistryBody(BaseModel):
    """The pipelines of this installation."""

    status: Literal["ok"] = Field(description="Always ok.")
    pipelines_loaded: int = Field(ge=0, description="Their number.")
    pipeline_names: list[str] = Field(description="Their names.")


class HealthDetailsBody(BaseModel):
    """How each part is."""

    database: DatabaseDetailsBody = Field(description="The database.")
    scheduler: SchedulerHealthBody = Field(description="Whether the scheduler sees its workers.")
    storage: StorageDetailsBody = Field(description="The storage.")
    gpu: GpuBody = Field(description="GPUs.")
    registry: RegistryBody = Field(description="Pipelines.")


class HealthBody(BaseModel):
    """How the service is."""

    status: Literal["ok", "unhealthy"] = Field(description="ok: every part that is needed works.")
    version: str = Field(description="Version of the program.")
    timestamp: Instant = Field(description="Now.")
    details: HealthDetailsBody | None = Field(
        None, description="Each part; left out unless `detailed` asks for it."
    )


class MemoryBody(BaseModel):
    """Memory of the machine, in bytes."""

    total: int = Field(ge=0, description="All of it.")
    available: int = Field(ge=0, description="What programs may still take.")
    percent: float = Field(description="Share in use, in percent.")
    used: int = Field(description="What is in use.")
    free: int = Field(ge=0, description="The same as `available`.")


class DiskBody(BaseModel):
    """Room on the disk of the storage folder, in bytes; 0 with a storage server."""

    total: int = Field(ge=0, description="All of it.")
    used: int = Field(ge=0, description="What is in use.")
    free: int = Field(ge=0, description="What is free.")
    percent: float = Field(description="Share in use, in percent.")


class MachineBody(BaseModel):
    """The machine that the api runs on."""

    platform: str = Field(description="Operating system.")
    python_version: str = Field(description="Version of Python.")
    cpu_count: int = Field(ge=1, description="CPU cores.")
    cpu_percent: float = Field(description="Share of them in use, in percent.")
    memory_percent: float = Field(description="Share of the memory in use, in percent.")
    memory: MemoryBody = Field(description="Memory.")
    disk: DiskBody = Field(description="Disk.")


class PipelineNamesBody(BaseModel):
    """The pipelines of this installation."""

    total: int = Field(ge=0, description="Their number.")
    names: list[str] = Field(max_length=20, description="The first 20 names.")


class WorkersBody(BaseModel):
    """What is at work."""

    status: Literal["running", "stopped"] = Field(description="running: a scheduler leads.")
    active_jobs: int = Field(ge=0, description="Jobs that have a worker.")
    processing_jobs: list[str] = Field(
        description="Their ids, for administrators; empty for others."
    )
    queued_jobs: int = Field(ge=0, description="Jobs that wait.")
    max_concurrent_workers: int = Field(ge=0, description="Most workers at a time.")
    poll_interval_seconds: float = Field(
        ge=0, description="Longest time between two looks at the queue."
    )


class ServicesBody(BaseModel):
    """A word for each part."""

    database: Word = Field(description="The database.")
    job_queue: Literal["running", "stopped"] = Field(description="running: a scheduler leads.")
    pipelines: Literal["ready"] = Field(description="Always ready.")


class SecurityBody(BaseModel):
    """Who may call."""

    auth_required: bool = Field(description="Whether a key is needed.")


class SystemHealthBody(BaseModel):
    """How the service and its machine are."""

    status: Word = Field(description="healthy: every part that is needed works.")
    timestamp: Instant = Field(description="Now.")
    api_version: str = Field(description="Version of the program.")
    videoannotator_version: str = Field(description="The same, for older clients.")
    system: MachineBody = Field(description="The machine.")
    database: DatabaseHealthBody = Field(description="The database.")
    gpu: GpuBody = Field(description="GPUs.")
    pipelines: PipelineNamesBody = Field(description="Pipelines.")
    workers: WorkersBody = Field(description="What is at work.")
    services: ServicesBody = Field(description="A word for each part.")
    security: SecurityBody = Field(description="Who may call.")
    uptime_seconds: float = Field(ge=0, description="Since this process began.")
