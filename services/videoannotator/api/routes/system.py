"""Figures and switches of the service, in the public server's shapes and with real values only."""

from videoannotator.api.answers import answers
from videoannotator.api.auth import require_admin
from videoannotator.api.bodies.system import (
    BackgroundBody,
    BackgroundJobsBody,
    ConnectionBody,
    FeaturesBody,
    FiguresBody,
    LoadBody,
    ProcessBody,
    StatisticsBody,
    SystemConfigBody,
    SystemDatabaseBody,
    SystemMetricsBody,
)
from videoannotator.api.operations.system import Health
from videoannotator.api.routes.requests import Anybody, Caller, Use, now
from videoannotator.api.routes.routing import router_for
from videoannotator.domain.errors import DatabaseUnavailable, Forbidden
from videoannotator.domain.jobs import JobState
from videoannotator.settings import effective
from videoannotator.telemetry.metrics import HTTP_REQUEST_SECONDS

router = router_for("health", "/api/v1")

MIB = 1024**2
ACTIVE = (JobState.PENDING, JobState.RUNNING, JobState.CANCELLING)


@router.get("/system/metrics", response_description="The figures.")
async def get_system_metrics(use: Use, caller: Anybody) -> SystemMetricsBody:
    """Shows counts of jobs and the load of the machine."""
    health = await use.system.health(caller)
    return SystemMetricsBody(
        timestamp=now(),
        metrics=_figures(health),
        performance=LoadBody(
            cpu_usage=health.machine.cpu_percent,
            memory_usage=health.machine.memory_percent,
            disk_usage=health.storage.percent_used,
        ),
    )


def _figures(health: Health) -> FiguresBody:
    jobs = health.jobs
    count, seconds = requests_answered()
    return FiguresBody(
        jobs_total=sum(jobs.values()),
        jobs_active=sum(jobs.get(state, 0) for state in ACTIVE),
        jobs_completed=jobs.get(JobState.COMPLETED, 0),
        jobs_failed=jobs.get(JobState.FAILED, 0),
        jobs_pending=jobs.get(JobState.PENDING, 0),
        jobs_running=jobs.get(JobState.RUNNING, 0),
        total_annotations=None,
        api_requests_total=count,
        response_time_avg=round(seconds / count, 4) if count else 0.0,
        pipeline_processing_time_avg=None,
        uptime_seconds=round(health.uptime_seconds, 1),
    )


@router.get("/system/config", response_description="What is switched on.")
async def get_system_config(use: Use, caller: Anybody) -> SystemConfigBody:
    """Shows what is switched on; every setting to administrators."""
    settings = use.system.settings
    shows = caller is not None and caller.sees_all
    rows = effective(settings) if shows else []
    return SystemConfigBody(
        configuration={row.setting: row.value for row in rows},
        environment="production" if settings.auth.required else "development",
        features=FeaturesBody(
            authentication=settings.auth.required,
            rate_limiting=settings.api.uploads_per_minute > 0,
            webhooks=False,
            async_processing=True,
        ),
    )


@router.get(
    "/system/database",
    response_description="The database.",
    responses=answers(DatabaseUnavailable),
)
async def get_system_database(use: Use, caller: Anybody) -> SystemDatabaseBody:
    """Shows the database's kind and counts; where it is to administrators."""
    facts = await use.system.database(caller)
    size, counts = facts.size_bytes, facts.counts
    return SystemDatabaseBody(
        backend_type=facts.backend,
        connection_info=ConnectionBody(
            database_path=facts.path,
            database_url=facts.url,
            database_size_mb=None if size is None else round(size / MIB, 2),
        ),
        statistics=StatisticsBody(
            total_jobs=sum(counts.values()),
            pending_jobs=counts.get(JobState.PENDING, 0),
            running_jobs=counts.get(JobState.RUNNING, 0),
            completed_jobs=counts.get(JobState.COMPLETED, 0),
            failed_jobs=counts.get(JobState.FAILED, 0),
            total_annotations=None,
        ),
        schema_version=facts.schema_version,
    )


@router.get(
    "/debug/background-jobs",
    response_description="What is at work.",
    responses=answers(Forbidden),
)
async def get_background_jobs(use: Use, caller: Caller) -> BackgroundJobsBody:
    """Shows what is at work, and in which process. For administrators."""
    require_admin(caller)
    working, process = await use.system.working(caller), await use.system.process(caller)
    settings = use.system.settings.scheduler
    return BackgroundJobsBody(
        background_processing=BackgroundBody(
            running=working.leads,
            processing_jobs=list(working.job_ids),
            concurrent_jobs=len(working.job_ids),
            max_concurrent_jobs=settings.max_workers,
            poll_interval=settings.tick_seconds,
        ),
        system_info=ProcessBody(
            pid=process.pid,
            memory_usage_mb=round(process.memory_bytes / MIB, 1),
            cpu_percent=process.cpu_percent,
        ),
        timestamp=now(),
    )


def requests_answered() -> tuple[int, float]:
    """How many requests this process has answered, and the seconds they took together."""
    samples = [each for metric in HTTP_REQUEST_SECONDS.collect() for each in metric.samples]
    count = sum(each.value for each in samples if each.name.endswith("_count"))
    seconds = sum(each.value for each in samples if each.name.endswith("_sum"))
    return int(count), seconds
