"""/api/v1/jobs/{id}/results and artifacts: what was found."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from videoannotator.api.routes.downloads import send_archive, send_download
from videoannotator.api.routes.requests import Base, Caller, Use, tagged
from videoannotator.api.schemas import ArtifactListBody, ResultsBody, artifacts_body, results_body

router = APIRouter(prefix="/api/v1/jobs/{job_id}", tags=["results"])


@router.get("/results", response_model=ResultsBody)
async def results(job_id: str, use: Use, caller: Caller, base: Base) -> ResultsBody:
    """Shows what each pipeline found, and its files."""
    return results_body(await use.results.results(caller, job_id), base=base)


@router.get("/results/files/{pipeline}", response_class=Response)
async def result_file(
    request: Request,
    job_id: str,
    pipeline: str,
    use: Use,
    caller: Caller,
    file: Annotated[str | None, Query(max_length=255)] = None,
) -> Response:
    """Downloads a result file of a pipeline: the first one, or `file`."""
    download = await use.results.download(caller, job_id, pipeline, file)
    return await send_download(request, request.app.state.blobs, download)


@router.get("/files", response_model=ArtifactListBody)
async def files(request: Request, job_id: str, use: Use, caller: Caller, base: Base) -> Response:
    """Lists every result file, each with its own address."""
    return tagged(request, artifacts_body(await use.results.results(caller, job_id), base=base))


@router.get("/files/{artifact}", response_class=Response)
async def file(request: Request, job_id: str, artifact: str, use: Use, caller: Caller) -> Response:
    """Downloads a result file by its id, whole or in part."""
    download = await use.results.file(caller, job_id, artifact)
    return await send_download(request, request.app.state.blobs, download)


@router.get("/artifacts", response_class=Response)
async def artifacts(request: Request, job_id: str, use: Use, caller: Caller) -> Response:
    """Downloads the video and all result files as one ZIP."""
    return await send_archive(request, await use.results.archive(caller, job_id))
