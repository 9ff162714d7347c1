"""Health, probes and metrics, in the public server's shapes and with real values only."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel
from starlette.responses import Response

from videoannotator import __version__
from videoannotator.api.answers import TEXT, Responses, sent
from videoannotator.api.bodies.health import (
    AliveBody,
    HealthBody,
    PartStatesBody,
    ReadyBody,
    SecurityBody,
    ServicesBody,
    ShortHealthBody,
    SystemHealthBody,
)
from videoannotator.api.health_schemas import (
    database_body,
    details_body,
    gpu_body,
    machine_body,
    names_body,
    scheduler_body,
    word,
    workers_body,
)
from videoannotator.api.routes.requests import Anybody, Use, now
from videoannotator.api.routes.routing import router_for
from videoannotator.telemetry.metrics import exposition

router = router_for("health")

DETAILED = "Whether to tell of each part."
METRICS: Responses = {
    200: sent("The metrics; docs/reference/metrics.md lists them.", "text/plain", TEXT, {})
}


def unhealthy(body: type[BaseModel]) -> Responses:
    """The response when a part that is needed does not work: the same body, another status."""
    return {503: {"model": body, "description": "A part that is needed does not work."}}


@router.get("/livez", response_description="It does.")
async def get_liveness() -> AliveBody:
    """Says that the process lives."""
    return AliveBody(status="ok")


@router.get(
    "/readyz",
    response_model=ReadyBody,
    response_description="They can.",
    responses=unhealthy(ReadyBody),
)
async def get_readiness(use: Use, caller: Anybody) -> Response:
    """Says whether requests can be served; no more, once the process is ending."""
    health = await use.system.health(caller)
    parts = PartStatesBody(database=health.database.status, storage=health.storage.status)
    ready = health.healthy and not use.closed
    return _answer(ready, ReadyBody(status="ok" if ready else "unhealthy", parts=parts))


@router.get("/metrics", response_class=Response, responses=METRICS)
async def get_metrics() -> Response:
    """Tells Prometheus the figures of this process."""
    content, media_type = exposition()
    return Response(content, media_type=media_type)


@router.get(
    "/health",
    response_model=ShortHealthBody,
    response_description="It is healthy.",
    responses=unhealthy(ShortHealthBody),
)
async def get_short_health(use: Use, caller: Anybody) -> Response:
    """Says how the service is, in short."""
    health = await use.system.health(caller)
    body = ShortHealthBody(
        status=word(health),
        api_version=__version__,
        videoannotator_version=__version__,
        message="VideoAnnotator API is running",
        logging="structured",
        memory_percent=health.machine.memory_percent,
        database=database_body(health),
        scheduler=scheduler_body(await use.system.outlook(caller)),
    )
    return _answer(health.healthy, body)


@router.get(
    "/api/v1/health",
    response_model=HealthBody,
    response_description="It is healthy.",
    responses=unhealthy(HealthBody),
)
async def get_health(
    use: Use, caller: Anybody, detailed: Annotated[bool, Query(description=DETAILED)] = False
) -> Response:
    """Says how the service is, in parts when asked."""
    health = await use.system.health(caller)
    status = "ok" if health.healthy else "unhealthy"
    body = HealthBody(status=status, version=__version__, timestamp=now())
    if detailed:
        outlook = await use.system.outlook(caller)
        body.details = details_body(health, outlook, use.system.settings)
    return _answer(health.healthy, body)


@router.get(
    "/api/v1/system/health",
    response_model=SystemHealthBody,
    response_description="It is healthy.",
    responses=unhealthy(SystemHealthBody),
)
async def get_system_health(use: Use, caller: Anybody) -> Response:
    """Says how the service and its machine are."""
    health = await use.system.health(caller)
    working = await use.system.working(caller)
    settings = use.system.settings
    workers = workers_body(health, working, settings.scheduler, caller)
    body = SystemHealthBody(
        status=word(health),
        timestamp=now(),
        api_version=__version__,
        videoannotator_version=__version__,
        system=machine_body(health),
        database=database_body(health),
        gpu=gpu_body(settings),
        pipelines=names_body(health),
        workers=workers,
        services=ServicesBody(
            database=database_body(health).status, job_queue=workers.status, pipelines="ready"
        ),
        security=SecurityBody(auth_required=settings.auth.required),
        uptime_seconds=round(health.uptime_seconds, 1),
    )
    return _answer(health.healthy, body)


def _answer(healthy: bool, body: BaseModel) -> Response:
    content = body.model_dump_json(exclude_unset=True)
    return Response(content, 200 if healthy else 503, media_type="application/json")
