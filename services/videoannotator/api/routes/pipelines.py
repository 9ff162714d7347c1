"""/api/v1/pipelines and /api/v1/config: what there is, and whether a configuration fits."""

from videoannotator.api.answers import answers
from videoannotator.api.bodies.pipelines import (
    PipelineBody,
    PipelineListBody,
    ValidationBody,
    ValidationRequest,
)
from videoannotator.api.catalogue_schemas import pipeline_body, validation_body
from videoannotator.api.routes.documented import PipelineName
from videoannotator.api.routes.requests import Anybody, Use
from videoannotator.api.routes.routing import router_for
from videoannotator.domain.errors import PipelineNotFound

router = router_for("pipelines", "/api/v1")


@router.get("/pipelines", response_description="The pipelines.")
async def list_pipelines(use: Use, caller: Anybody) -> PipelineListBody:
    """Lists the pipelines and whether they can run here."""
    pipelines = [pipeline_body(each) for each in await use.pipelines.list(caller)]
    return PipelineListBody(pipelines=pipelines, total=len(pipelines))


@router.get(
    "/pipelines/{name}",
    response_description="The pipeline.",
    responses=answers(PipelineNotFound),
)
async def get_pipeline(name: PipelineName, use: Use, caller: Anybody) -> PipelineBody:
    """Shows a pipeline with its parameters."""
    return pipeline_body(await use.pipelines.get(caller, name))


@router.post(
    "/pipelines/{name}/validate",
    response_description="What was found; 200 also when something is wrong.",
    responses=answers(PipelineNotFound),
)
async def validate_pipeline(
    name: PipelineName, wanted: ValidationRequest, use: Use, caller: Anybody
) -> ValidationBody:
    """Checks parameters of one pipeline."""
    return validation_body(await use.pipelines.validate_one(caller, name, wanted.config))


@router.post(
    "/config/validate", response_description="What was found; 200 also when something is wrong."
)
async def validate_config(wanted: ValidationRequest, use: Use, caller: Anybody) -> ValidationBody:
    """Checks a configuration for the selected pipelines, or for those that it names."""
    selected = None if wanted.selected_pipelines is None else tuple(wanted.selected_pipelines)
    return validation_body(await use.pipelines.validate(caller, wanted.config, selected))
