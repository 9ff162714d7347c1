"""/api/v1/pipelines and /api/v1/config: what there is, and whether a configuration fits."""

from fastapi import APIRouter

from videoannotator.api.catalogue_schemas import (
    PipelineBody,
    PipelineListBody,
    ValidationBody,
    ValidationRequest,
    pipeline_body,
    validation_body,
)
from videoannotator.api.routes.requests import Anybody, Use

router = APIRouter(prefix="/api/v1", tags=["pipelines"])


@router.get("/pipelines")
async def list_pipelines(use: Use, caller: Anybody) -> PipelineListBody:
    """Lists the pipelines and whether they can run here."""
    pipelines = [pipeline_body(each) for each in await use.pipelines.list(caller)]
    return PipelineListBody(pipelines=pipelines, total=len(pipelines))


@router.get("/pipelines/{name}")
async def get_pipeline(name: str, use: Use, caller: Anybody) -> PipelineBody:
    """Shows a pipeline with its parameters."""
    return pipeline_body(await use.pipelines.get(caller, name))


@router.post("/pipelines/{name}/validate")
async def validate_pipeline(
    name: str, wanted: ValidationRequest, use: Use, caller: Anybody
) -> ValidationBody:
    """Checks parameters of one pipeline."""
    return validation_body(await use.pipelines.validate_one(caller, name, wanted.config))


@router.post("/config/validate")
async def validate_config(wanted: ValidationRequest, use: Use, caller: Anybody) -> ValidationBody:
    """Checks a configuration for the selected pipelines, or for those that it names."""
    selected = None if wanted.selected_pipelines is None else tuple(wanted.selected_pipelines)
    return validation_body(await use.pipelines.validate(caller, wanted.config, selected))
