"""/api/v1/jobs/{id}/results and artifacts: what was found."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from videoannotator.api.answers import ATTACHMENT, BYTES, FILE, TAGGED, answers, sent
from videoannotator.api.bodies.files import ArtifactListBody, ResultsBody
from videoannotator.api.routes.documented import ArtifactId, IfNoneMatch, JobId, PipelineName
from videoannotator.api.routes.downloads import Conditions, send_archive, send_download
from videoannotator.api.routes.requests import Base, Caller, Use, tagged
from videoannotator.api.routes.routing import router_for
from videoannotator.api.schemas import artifacts_body, results_body
from videoannotator.domain.errors import (
    ArtifactNotFound,
    BlobNotFound,
    InvalidRequest,
    JobNotFound,
    NothingFinished,
    StorageDenied,
    StorageError,
)

router = router_for("results", "/api/v1/jobs/{job_id}")

UNREADABLE = (StorageError, StorageDenied, BlobNotFound)
FILE_NAME = "Its `name`, when the pipeline made several."


@router.get(
    "/results",
    response_description="What was found so far.",
    responses=answers(JobNotFound),
)
async def get_results(job_id: JobId, use: Use, caller: Caller, base: Base) -> ResultsBody:
    """Shows what each pipeline found, and its files."""
    return results_body(await use.results.results(caller, job_id), base=base)


@router.get(
    "/results/files/{pipeline}",
    response_class=Response,
    responses={**FILE, **answers(JobNotFound, ArtifactNotFound, InvalidRequest, *UNREADABLE)},
)
async def download_result(
    job_id: JobId,
    pipeline: PipelineName,
    use: Use,
    caller: Caller,
    conditions: Conditions,
    file: Annotated[str | None, Query(max_length=255, description=FILE_NAME)] = None,
) -> Response:
    """Downloads a result file of a pipeline: the first one, or `file`."""
    download = await use.results.download(caller, job_id, pipeline, file)
    return await send_download(use.results.blobs, download, conditions)


@router.get(
    "/files",
    response_model=ArtifactListBody,
    response_description="The files.",
    responses={**TAGGED, **answers(JobNotFound)},
)
async def list_files(
    job_id: JobId, use: Use, caller: Caller, base: Base, if_none_match: IfNoneMatch = None
) -> Response:
    """Lists every result file of a job, each with its own address."""
    found = artifacts_body(await use.results.results(caller, job_id), base=base)
    return tagged(if_none_match, found)


@router.get(
    "/files/{artifact}",
    response_class=Response,
    responses={**FILE, **answers(JobNotFound, ArtifactNotFound, *UNREADABLE)},
)
async def download_file(
    job_id: JobId,
    artifact: ArtifactId,
    use: Use,
    caller: Caller,
    conditions: Conditions,
) -> Response:
    """Downloads a result file by its id, whole or in part."""
    download = await use.results.file(caller, job_id, artifact)
    return await send_download(use.results.blobs, download, conditions)


@router.get(
    "/artifacts",
    response_class=Response,
    responses={
        200: sent("The ZIP, made while it is sent.", "application/zip", BYTES, ATTACHMENT),
        **answers(JobNotFound, NothingFinished, *UNREADABLE),
    },
)
async def download_archive(request: Request, job_id: JobId, use: Use, caller: Caller) -> Response:
    """Downloads the video and all result files as one ZIP."""
    return await send_archive(request, await use.results.archive(caller, job_id))
