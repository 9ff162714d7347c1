"""How the service is as the bodies of answers."""

from videoannotator.api.bodies.health import (
    DatabaseDetailsBody,
    DatabaseHealthBody,
    DiskBody,
    GpuBody,
    HealthDetailsBody,
    MachineBody,
    MemoryBody,
    PipelineNamesBody,
    RegistryBody,
    SchedulerHealthBody,
    StorageDetailsBody,
    Word,
    WorkersBody,
)
from videoannotator.api.operations.system import Health, Storage, Working
from videoannotator.api.outlook import Outlook
from videoannotator.domain.access import Principal
from videoannotator.domain.jobs import JobState
from videoannotator.settings import SchedulerSettings, Settings

GIB = 1024**3
MOST_NAMES = 20


def word(health: Health) -> Word:
    """The public server's word for it."""
    return "healthy" if health.healthy else "unhealthy"


def database_body(health: Health) -> DatabaseHealthBody:
    """Whether the database answers."""
    status: Word = "healthy" if health.database.status == "ok" else "unhealthy"
    return DatabaseHealthBody(status=status, message=health.database.message)


def scheduler_body(outlook: Outlook) -> SchedulerHealthBody:
    """Whether the scheduler sees its workers."""
    if outlook.trouble:
        return SchedulerHealthBody(status="warning", message=outlook.trouble)
    return SchedulerHealthBody(status="ok", message="The scheduler sees its workers.")


def details_body(health: Health, outlook: Outlook, settings: Settings) -> HealthDetailsBody:
    """How each part is."""
    return HealthDetailsBody(
        database=DatabaseDetailsBody(
            status=health.database.status,
            message=health.database.message,
            jobs_count=sum(health.jobs.values()),
        ),
        scheduler=scheduler_body(outlook),
        storage=_storage_body(health.storage),
        gpu=gpu_body(settings),
        registry=RegistryBody(
            status="ok",
            pipelines_loaded=len(health.pipelines),
            pipeline_names=list(health.pipelines),
        ),
    )


def _storage_body(storage: Storage) -> StorageDetailsBody:
    body = StorageDetailsBody(
        status=storage.status,
        total_gb=round(storage.total_bytes / GIB, 2),
        used_gb=round(storage.used_bytes / GIB, 2),
        free_gb=round(storage.free_bytes / GIB, 2),
        percent_used=storage.percent_used,
    )
    if storage.status != "ok":
        body.warning = storage.message
    return body


def gpu_body(settings: Settings) -> GpuBody:
    """What the operator gave to the scheduler: this process opens no GPU."""
    count = settings.scheduler.gpus
    if count == 0:
        return GpuBody(available=False, device_count=0, reason="No local GPU is configured.")
    return GpuBody(available=True, device_count=count, devices=[])


def names_body(health: Health) -> PipelineNamesBody:
    """The first names of pipelines."""
    names = list(health.pipelines[:MOST_NAMES])
    return PipelineNamesBody(total=len(health.pipelines), names=names)


def machine_body(health: Health) -> MachineBody:
    """The machine."""
    machine, storage = health.machine, health.storage
    return MachineBody(
        platform=machine.platform,
        python_version=machine.python_version,
        cpu_count=machine.cpu_count,
        cpu_percent=machine.cpu_percent,
        memory_percent=machine.memory_percent,
        memory=MemoryBody(
            total=machine.memory_total_bytes,
            available=machine.memory_available_bytes,
            percent=machine.memory_percent,
            used=machine.memory_total_bytes - machine.memory_available_bytes,
            free=machine.memory_available_bytes,
        ),
        disk=DiskBody(
            total=storage.total_bytes,
            used=storage.used_bytes,
            free=storage.free_bytes,
            percent=storage.percent_used,
        ),
    )


def workers_body(
    health: Health, working: Working, settings: SchedulerSettings, caller: Principal | None
) -> WorkersBody:
    """What is at work; ids of jobs for administrators."""
    shows_ids = caller is not None and caller.sees_all
    return WorkersBody(
        status="running" if working.leads else "stopped",
        active_jobs=len(working.job_ids),
        processing_jobs=list(working.job_ids) if shows_ids else [],
        queued_jobs=health.jobs.get(JobState.PENDING, 0),
        max_concurrent_workers=settings.max_workers,
        poll_interval_seconds=settings.tick_seconds,
    )
