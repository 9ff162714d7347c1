"""Health, probes and metrics, in the public server's shapes and with real values only."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from videoannotator import __version__
from videoannotator.api.auth import require_admin
from videoannotator.api.bodies.times import rfc3339
from videoannotator.api.operations.system import Health, Storage, Working
from videoannotator.api.routes.requests import Anybody, Caller, Use, now
from videoannotator.domain.access import Principal
from videoannotator.domain.jobs import JobState
from videoannotator.settings import Settings, effective
from videoannotator.telemetry.metrics import HTTP_REQUEST_SECONDS, exposition

router = APIRouter(tags=["health"])

GIB = 1024**3
MIB = 1024**2
MOST_NAMES = 20
ACTIVE = (JobState.RUNNING, JobState.CANCELLING)


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Says that the process lives."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(use: Use, caller: Anybody) -> Response:
    """Says whether requests can be served."""
    health = await use.system.health(caller)
    parts = {"database": health.database.status, "storage": health.storage.status}
    return _answer(health, {"status": "ok" if health.healthy else "unhealthy", "parts": parts})


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """Metrics for Prometheus."""
    content, media_type = exposition()
    return Response(content, media_type=media_type)


@router.get("/health")
async def short_health(use: Use, caller: Anybody) -> Response:
    """Says how the service is, in short."""
    health = await use.system.health(caller)
    body = {
        "status": _word(health),
        "api_version": __version__,
        "videoannotator_version": __version__,
        "message": "VideoAnnotator API is running",
        "logging": "structured",
        "memory_percent": health.machine.memory_percent,
        "database": _database(health),
    }
    return _answer(health, body)


@router.get("/api/v1/health")
async def api_health(
    use: Use, caller: Anybody, detailed: Annotated[bool, Query()] = False
) -> Response:
    """Says how the service is, in parts when asked."""
    health = await use.system.health(caller)
    body: dict[str, Any] = {
        "status": "ok" if health.healthy else "unhealthy",
        "version": __version__,
        "timestamp": rfc3339(now()),
    }
    if detailed:
        body["details"] = _details(health, use.system.settings)
    return _answer(health, body)


def _details(health: Health, settings: Settings) -> dict[str, Any]:
    return {
        "database": {
            "status": health.database.status,
            "message": health.database.message,
            "jobs_count": sum(health.jobs.values()),
        },
        "storage": _storage(health.storage),
        "gpu": _gpu(settings),
        "registry": {
            "status": "ok",
            "pipelines_loaded": len(health.pipelines),
            "pipeline_names": list(health.pipelines),
        },
    }


def _storage(storage: Storage) -> dict[str, Any]:
    body = {
        "status": storage.status,
        "total_gb": round(storage.total_bytes / GIB, 2),
        "used_gb": round(storage.used_bytes / GIB, 2),
        "free_gb": round(storage.free_bytes / GIB, 2),
        "percent_used": storage.percent_used,
    }
    return body if storage.status == "ok" else {**body, "warning": storage.message}


def _gpu(settings: Settings) -> dict[str, Any]:
    # What the operator gave to the scheduler: this process opens no GPU.
    count = settings.scheduler.gpus
    if count == 0:
        return {"available": False, "device_count": 0, "reason": "No local GPU is configured."}
    return {"available": True, "device_count": count, "devices": []}


@router.get("/api/v1/system/health")
async def system_health(use: Use, caller: Anybody) -> Response:
    """Says how the service and its machine are."""
    health = await use.system.health(caller)
    working = await use.system.working(caller)
    settings = use.system.settings
    body = {
        "status": _word(health),
        "timestamp": rfc3339(now()),
        "api_version": __version__,
        "videoannotator_version": __version__,
        "system": _machine(health),
        "database": _database(health),
        "gpu": _gpu(settings),
        "pipelines": {
            "total": len(health.pipelines),
            "names": list(health.pipelines[:MOST_NAMES]),
        },
        "workers": _workers(health, working, settings, caller),
        "services": {
            "database": _database(health)["status"],
            "job_queue": "running" if working.leads else "stopped",
            "pipelines": "ready",
        },
        "security": {"auth_required": settings.auth.required},
        "uptime_seconds": round(health.uptime_seconds, 1),
    }
    return _answer(health, body)


def _machine(health: Health) -> dict[str, Any]:
    machine, storage = health.machine, health.storage
    used = machine.memory_total_bytes - machine.memory_available_bytes
    return {
        "platform": machine.platform,
        "python_version": machine.python_version,
        "cpu_count": machine.cpu_count,
        "cpu_percent": machine.cpu_percent,
        "memory_percent": machine.memory_percent,
        "memory": {
            "total": machine.memory_total_bytes,
            "available": machine.memory_available_bytes,
            "percent": machine.memory_percent,
            "used": used,
            "free": machine.memory_available_bytes,
        },
        "disk": {
            "total": storage.total_bytes,
            "used": storage.used_bytes,
            "free": storage.free_bytes,
            "percent": storage.percent_used,
        },
    }


def _workers(
    health: Health, working: Working, settings: Settings, caller: Principal | None
) -> dict[str, Any]:
    shows_ids = caller is not None and caller.sees_all
    return {
        "status": "running" if working.leads else "stopped",
        "active_jobs": len(working.job_ids),
        "processing_jobs": list(working.job_ids) if shows_ids else [],
        "queued_jobs": health.jobs.get(JobState.PENDING, 0),
        "max_concurrent_workers": settings.scheduler.max_workers,
        "poll_interval_seconds": settings.scheduler.tick_seconds,
    }


@router.get("/api/v1/system/metrics")
async def system_metrics(use: Use, caller: Anybody) -> dict[str, Any]:
    """Shows counts of jobs and the load of the machine."""
    health = await use.system.health(caller)
    jobs = health.jobs
    count, seconds = requests_answered()
    return {
        "timestamp": rfc3339(now()),
        "metrics": {
            "jobs_total": sum(jobs.values()),
            "jobs_active": sum(jobs.get(state, 0) for state in (JobState.PENDING, *ACTIVE)),
            "jobs_completed": jobs.get(JobState.COMPLETED, 0),
            "jobs_failed": jobs.get(JobState.FAILED, 0),
            "jobs_pending": jobs.get(JobState.PENDING, 0),
            "jobs_running": jobs.get(JobState.RUNNING, 0),
            "total_annotations": None,  # see system_database
            "api_requests_total": count,
            "response_time_avg": round(seconds / count, 4) if count else 0.0,
            "pipeline_processing_time_avg": None,
            "uptime_seconds": round(health.uptime_seconds, 1),
        },
        "performance": {
            "cpu_usage": health.machine.cpu_percent,
            "memory_usage": health.machine.memory_percent,
            "disk_usage": health.storage.percent_used,
        },
    }


@router.get("/api/v1/system/config")
async def system_config(use: Use, caller: Anybody) -> dict[str, Any]:
    """Shows what is switched on; every setting to administrators."""
    settings = use.system.settings
    shows = caller is not None and caller.sees_all
    rows = effective(settings) if shows else []
    return {
        "configuration": {row.setting: row.value for row in rows},
        "environment": "production" if settings.auth.required else "development",
        "features": {
            "authentication": settings.auth.required,
            "rate_limiting": settings.api.uploads_per_minute > 0,
            "webhooks": False,
            "async_processing": True,
        },
    }


@router.get("/api/v1/system/database")
async def system_database(use: Use, caller: Anybody) -> dict[str, Any]:
    """Shows the database's kind and counts; where it is to administrators.

    `total_annotations` is null: what runs found is told as scenes, pictures and seconds of speech
    side by side, and their sum would count nothing.
    """
    facts = await use.system.database(caller)
    counts = facts.counts
    return {
        "backend_type": facts.backend,
        "connection_info": {
            "database_path": facts.path,
            "database_url": facts.url,
            "database_size_mb": None
            if facts.size_bytes is None
            else round(facts.size_bytes / MIB, 2),
        },
        "statistics": {
            "total_jobs": sum(counts.values()),
            "pending_jobs": counts.get(JobState.PENDING, 0),
            "running_jobs": counts.get(JobState.RUNNING, 0),
            "completed_jobs": counts.get(JobState.COMPLETED, 0),
            "failed_jobs": counts.get(JobState.FAILED, 0),
            "total_annotations": None,
        },
        "schema_version": facts.schema_version,
    }


@router.get("/api/v1/debug/background-jobs")
async def background_jobs(use: Use, caller: Caller) -> dict[str, Any]:
    """Shows what is at work, to administrators."""
    require_admin(caller)
    working, process = await use.system.working(caller), await use.system.process(caller)
    settings = use.system.settings.scheduler
    return {
        "background_processing": {
            "running": working.leads,
            "processing_jobs": list(working.job_ids),
            "concurrent_jobs": len(working.job_ids),
            "max_concurrent_jobs": settings.max_workers,
            "poll_interval": settings.tick_seconds,
        },
        "system_info": {
            "pid": process.pid,
            "memory_usage_mb": round(process.memory_bytes / MIB, 1),
            "cpu_percent": process.cpu_percent,
        },
        "timestamp": rfc3339(now()),
    }


def _word(health: Health) -> str:
    return "healthy" if health.healthy else "unhealthy"


def _database(health: Health) -> dict[str, str]:
    status = "healthy" if health.database.status == "ok" else "unhealthy"
    return {"status": status, "message": health.database.message}


def _answer(health: Health, body: dict[str, Any]) -> Response:
    return JSONResponse(body, 200 if health.healthy else 503)


def requests_answered() -> tuple[int, float]:
    """How many requests this process has answered, and the seconds they took together."""
    samples = [each for metric in HTTP_REQUEST_SECONDS.collect() for each in metric.samples]
    count = sum(each.value for each in samples if each.name.endswith("_count"))
    seconds = sum(each.value for each in samples if each.name.endswith("_sum"))
    return int(count), seconds
