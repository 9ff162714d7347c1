"""Every error as an answer: the one table from the error tree to HTTP, and the one envelope."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from videoannotator.api.paths import allowed, route_path
from videoannotator.domain import errors
from videoannotator.domain.errors import InvalidConfig, LimitReached, VideoAnnotatorError
from videoannotator.telemetry import log


@dataclass(frozen=True, slots=True)
class Answer:
    """How an error is told over HTTP."""

    status: int
    code: str  #: codes of the public server are kept


ANSWERS: dict[type[VideoAnnotatorError], Answer] = {
    errors.VideoAnnotatorError: Answer(500, "INTERNAL_SERVER_ERROR"),
    errors.InvalidRequest: Answer(400, "INVALID_REQUEST"),
    errors.Problem: Answer(400, "INVALID_CONFIG"),
    errors.InvalidConfig: Answer(400, "INVALID_CONFIG"),
    errors.InvalidSetting: Answer(500, "INTERNAL_SERVER_ERROR"),
    errors.TooLarge: Answer(413, "TOO_LARGE"),
    errors.UnsupportedType: Answer(415, "UNSUPPORTED_TYPE"),
    errors.Unauthenticated: Answer(401, "HTTP_ERROR"),  # as the public server says it
    errors.Forbidden: Answer(403, "FORBIDDEN"),
    errors.NotFound: Answer(404, "NOT_FOUND"),
    errors.JobNotFound: Answer(404, "JOB_NOT_FOUND"),
    errors.VideoNotFound: Answer(404, "VIDEO_NOT_FOUND"),
    errors.PipelineNotFound: Answer(404, "PIPELINE_NOT_FOUND"),
    errors.ArtifactNotFound: Answer(404, "ARTIFACT_NOT_FOUND"),
    errors.WorkerNotFound: Answer(404, "WORKER_NOT_FOUND"),
    errors.Conflict: Answer(409, "CONFLICT"),
    errors.JobAlreadyEnded: Answer(409, "JOB_ALREADY_COMPLETED"),
    errors.NothingFinished: Answer(409, "NOTHING_FINISHED"),
    errors.IdempotencyMismatch: Answer(409, "IDEMPOTENCY_MISMATCH"),
    errors.PipelineUnavailable: Answer(409, "PIPELINE_UNAVAILABLE"),
    errors.IllegalTransition: Answer(500, "INTERNAL_SERVER_ERROR"),
    errors.LimitReached: Answer(429, "LIMIT_REACHED"),
    errors.Unavailable: Answer(503, "UNAVAILABLE"),
    errors.NotLeader: Answer(503, "UNAVAILABLE"),
    errors.DatabaseUnavailable: Answer(503, "DATABASE_UNAVAILABLE"),
    errors.SchemaMismatch: Answer(503, "SCHEMA_MISMATCH"),
    errors.WorkerUnreachable: Answer(503, "UNAVAILABLE"),
    errors.StorageError: Answer(500, "STORAGE_ERROR"),
    errors.StorageFull: Answer(507, "STORAGE_FULL"),
    errors.StorageDenied: Answer(500, "STORAGE_DENIED"),
    errors.BlobNotFound: Answer(500, "OUTPUT_FILE_MISSING"),
    errors.MediaError: Answer(422, "MEDIA_ERROR"),
    errors.ManifestInvalid: Answer(500, "MANIFEST_INVALID"),
    errors.Stopped: Answer(503, "UNAVAILABLE"),
}

#: What the framework itself refuses.
FRAMEWORK_CODES = {
    400: "INVALID_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_TYPE",
    416: "RANGE_NOT_SATISFIABLE",
}
#: What to do next, where the error itself does not say it.
HINTS = {
    400: "Correct the request and send it again; /openapi.json describes it.",
    404: "The routes are listed in /openapi.json.",
    405: "The header Allow names the methods of this address.",
    409: "Look at its state, then decide.",
    413: "Send a smaller body.",
    415: "Send a type that /openapi.json names for this address.",
    416: "Ask for bytes before the length that Content-Range tells, or leave Range out.",
    422: "Correct it and send it again.",
    500: "Tell the operator the request id.",
}
RETRY_AFTER_SECONDS = 5  # when a part does not answer and nobody knows for how long


def answer_of(error: VideoAnnotatorError) -> Answer:
    """The answer of an error: its class's, or that of the nearest class above."""
    return answer_of_kind(type(error))


def answer_of_kind(kind: type[VideoAnnotatorError]) -> Answer:
    """The answer of every error of a class."""
    return next(ANSWERS[each] for each in kind.__mro__ if each in ANSWERS)


def envelope(
    code: str,
    message: str,
    *,
    request_id: str,
    hint: str = "",
    field: str | None = None,
    detail: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The one shape of every error; `detail` lists each thing that is wrong."""
    error: dict[str, Any] = {"code": code, "message": message}
    if detail:
        error["detail"] = list(detail)
    error["hint"] = hint
    if field is not None:
        error["field"] = field
    error["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    error["request_id"] = request_id
    return {"error": error, "detail": message}


def request_id_of(scope: Mapping[str, Any]) -> str:
    """The id of the request; empty when no middleware gave it one."""
    return str(scope.get("state", {}).get("request_id", ""))


def refusal(error: VideoAnnotatorError, request_id: str) -> JSONResponse:
    """The response for one of our errors."""
    answer = answer_of(error)
    body = envelope(
        answer.code,
        error.message,
        request_id=request_id,
        hint=error.hint or HINTS.get(answer.status, ""),
        field=error.field,
        detail=_problems(error),
    )
    return JSONResponse(body, answer.status, headers=_headers(error, answer))


def _problems(error: VideoAnnotatorError) -> list[dict[str, Any]]:
    if not isinstance(error, InvalidConfig):
        return []
    return [
        {"field": each.field, "message": each.message, "hint": each.hint} for each in error.problems
    ]


def _headers(error: VideoAnnotatorError, answer: Answer) -> dict[str, str]:
    if answer.status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, LimitReached) and error.retry_after_seconds is not None:
        return {"Retry-After": str(math.ceil(error.retry_after_seconds))}
    if answer.status == 503:
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return {}


async def _domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, VideoAnnotatorError)  # noqa: S101 - registered for it alone
    if answer_of(error).status == 500:
        log.error("request_failed", error=type(error).__name__, exc_info=error)
    return refusal(error, request_id_of(request.scope))


async def _framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    body = envelope(
        FRAMEWORK_CODES.get(error.status_code, "HTTP_ERROR"),
        str(error.detail) or HTTPStatus(error.status_code).phrase,
        request_id=request_id_of(request.scope),
        hint=HINTS.get(error.status_code, ""),
    )
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(allowed(request.app, route_path(request.scope)))
    return JSONResponse(body, error.status_code, headers=headers)


async def _invalid_fields(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    problems = [_problem(each) for each in error.errors()]
    malformed = any(each["type"] == "json_invalid" for each in error.errors())
    body = envelope(
        "INVALID_REQUEST",
        "; ".join(f"{each['field']}: {each['message']}" for each in problems),
        request_id=request_id_of(request.scope),
        hint="Correct the fields and send the request again.",
        field=problems[0]["field"] if problems else None,
        detail=problems,
    )
    return JSONResponse(body, 400 if malformed else 422)


def _problem(error: Mapping[str, Any]) -> dict[str, str]:
    # The first part of `loc` says where it stood: body, query, path.
    place = [str(part) for part in error["loc"]]
    if error["type"] == "json_invalid":
        return {"field": place[0], "message": "The JSON is malformed."}
    return {"field": ".".join(place[1:]) or place[0], "message": error["msg"]}


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request_crashed", exc_info=error)
    request_id = request_id_of(request.scope)
    body = envelope(
        "INTERNAL_SERVER_ERROR",
        "Something went wrong here. It has been logged.",
        request_id=request_id,
        hint=f"Tell the operator the request id {request_id}.",
    )
    return JSONResponse(body, 500, headers={"X-Request-ID": request_id})


async def _left(request: Request, error: Exception) -> Response:
    # Nobody reads it: the client went away before it had sent all. 499 is for the access log.
    return Response(status_code=499)


def register(app: FastAPI) -> None:
    """Makes `app` answer every error in the envelope."""
    app.add_exception_handler(VideoAnnotatorError, _domain_error)
    app.add_exception_handler(HTTPException, _framework_error)
    app.add_exception_handler(RequestValidationError, _invalid_fields)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_exception_handler(Exception, _unexpected)
