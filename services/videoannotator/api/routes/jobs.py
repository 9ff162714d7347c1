"""/api/v1/jobs: submit, look, list, cancel, delete."""

import uuid
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Annotated

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from videoannotator.api.answers import LOCATION, TAGGED, answers
from videoannotator.api.bodies.jobs import JobBody, JobListBody
from videoannotator.api.operations.submission import Request as Submission
from videoannotator.api.routes.documented import SUBMISSION, IfNoneMatch, JobId
from videoannotator.api.routes.listing import Wanted
from videoannotator.api.routes.requests import (
    Base,
    Caller,
    Use,
    as_json,
    base_of,
    caller_of,
    now,
    operations_of,
    tagged,
)
from videoannotator.api.routes.routing import router_for
from videoannotator.api.schemas import job_body, list_body
from videoannotator.api.uploads import Destination, File, Form, read_form
from videoannotator.blobs import keys
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.errors import (
    Forbidden,
    IdempotencyMismatch,
    InvalidConfig,
    InvalidRequest,
    JobAlreadyEnded,
    JobNotFound,
    LimitReached,
    PipelineUnavailable,
    StorageDenied,
    StorageError,
    StorageFull,
    UnsupportedType,
    VideoNotFound,
)
from videoannotator.telemetry.metrics import UPLOAD_BYTES

router = router_for("jobs", "/api/v1/jobs")

UNWRITABLE = (StorageError, StorageFull, StorageDenied)
RULED = (InvalidConfig, PipelineUnavailable, Forbidden, VideoNotFound, IdempotencyMismatch)


@router.post(
    "",
    status_code=201,
    response_model=JobBody,
    response_description="The job.",
    openapi_extra=SUBMISSION,
    responses={
        201: {"headers": LOCATION},
        **answers(*RULED, UnsupportedType, LimitReached, *UNWRITABLE),
    },
)
async def submit_job(request: Request) -> Response:
    """Submits a video, or a stored one, for annotation.

    The key and the limits are checked before the body is read. Fields may come in any order.
    """
    use, caller, base = operations_of(request), caller_of(request), base_of(request)
    # The body is read here and nowhere before: whoever may not send it is told at once.
    counted = await use.jobs.admit(caller, _announced(request))
    blobs: BlobStore = request.app.state.blobs
    key = keys.incoming(uuid.uuid4().hex)
    to = Destination(
        field="video", key=key, blobs=blobs, max_bytes=use.jobs.limits.max_upload_bytes
    )
    async with AsyncExitStack() as in_vain:
        in_vain.push_async_callback(blobs.delete_prefix, key)
        with use.jobs.uploads.unless_refused(caller.user_id, counted):
            form = await read_form(request.headers.get("content-type", ""), request.stream(), to)
            rows = await use.jobs.submit(caller, _fields(request, form), _video(form))
        in_vain.pop_all()  # the bytes are moved by now
    body = job_body(rows, now(), base=base, artifacts=())
    headers = {"Location": f"{base}/api/v1/jobs/{body.id}"}
    return Response(as_json(body), 201, headers=headers, media_type="application/json")


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _fields(request: Request, form: Form) -> Submission:
    return Submission(
        config=form.fields.get("config", ""),
        selected_pipelines=form.fields.get("selected_pipelines", ""),
        priority=form.fields.get("priority", ""),
        idempotency_key=request.headers.get("idempotency-key"),
    )


def _video(form: Form) -> File | str:
    video_id = form.fields.get("video_id", "")
    if form.file and video_id:
        raise InvalidRequest(
            "Send either 'video' or 'video_id'.", hint="Leave one of them out.", field="video"
        )
    if form.file is None and not video_id:
        missing = {"type": "missing", "loc": ("body", "video"), "msg": "Field required"}
        raise RequestValidationError([missing])
    if form.file is None:
        return video_id
    UPLOAD_BYTES.inc(form.file.stored.size_bytes)
    return form.file


@router.get(
    "",
    response_model=JobListBody,
    response_description="A page of jobs.",
    responses={**TAGGED, **answers(Forbidden)},
)
async def list_jobs(
    use: Use,
    caller: Caller,
    base: Base,
    which: Annotated[Wanted, Query()],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Lists jobs: the caller's and their groups', for an administrator all."""
    if which.status_filter and which.state() is None:
        empty = JobListBody(jobs=[], total=0, page=which.page, per_page=which.per_page)
        return tagged(if_none_match, empty)
    page = await use.jobs.list(caller, which.filter(), which.page, which.per_page)
    return tagged(if_none_match, list_body(page, _whole_second(), base=base))


@router.get(
    "/{job_id}",
    response_model=JobBody,
    response_description="The job.",
    responses={**TAGGED, **answers(JobNotFound)},
)
async def get_job(request: Request, job_id: JobId, if_none_match: IfNoneMatch = None) -> Response:
    """Shows a job with its runs and their files."""
    rows, artifacts = await operations_of(request).jobs.show(caller_of(request), job_id)
    body = job_body(rows, _whole_second(), base=base_of(request), artifacts=artifacts)
    return tagged(if_none_match, body)


@router.post(
    "/{job_id}/cancel",
    response_description="The job, cancelling or cancelled.",
    responses=answers(JobNotFound, JobAlreadyEnded, Forbidden),
)
async def cancel_job(job_id: JobId, use: Use, caller: Caller, base: Base) -> JobBody:
    """Cancels a job. Asking again changes nothing."""
    rows = await use.jobs.cancel(caller, job_id)
    return job_body(rows, now(), base=base, artifacts=await use.jobs.artifacts(caller, job_id))


@router.delete(
    "/{job_id}",
    status_code=204,
    response_description="The job is no longer to be seen.",
    responses=answers(JobNotFound, Forbidden),
)
async def delete_job(job_id: JobId, use: Use, caller: Caller) -> None:
    """Deletes a job with its results, and its video when no other job uses it.

    It is no longer to be seen at once. What runs is ended first; then the bytes go.
    """
    await use.jobs.delete(caller, job_id)


def _whole_second() -> datetime:
    # GPU seconds of a living worker grow with the clock; an ETag shall hold for a moment.
    return now().replace(microsecond=0)
