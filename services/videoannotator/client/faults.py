"""From answers back to errors: the one table, by the code and, failing that, by the status."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from videoannotator.domain import errors
from videoannotator.domain.errors import InvalidConfig, LimitReached, Problem, VideoAnnotatorError

CODES: Mapping[str, type[VideoAnnotatorError]] = {
    "INVALID_REQUEST": errors.InvalidRequest,
    "INVALID_CONFIG": errors.InvalidConfig,
    "TOO_LARGE": errors.TooLarge,
    "UNSUPPORTED_TYPE": errors.UnsupportedType,
    "FORBIDDEN": errors.Forbidden,
    "NOT_FOUND": errors.NotFound,
    "JOB_NOT_FOUND": errors.JobNotFound,
    "VIDEO_NOT_FOUND": errors.VideoNotFound,
    "PIPELINE_NOT_FOUND": errors.PipelineNotFound,
    "ARTIFACT_NOT_FOUND": errors.ArtifactNotFound,
    "WORKER_NOT_FOUND": errors.WorkerNotFound,
    "CONFLICT": errors.Conflict,
    "JOB_ALREADY_COMPLETED": errors.JobAlreadyEnded,
    "NOTHING_FINISHED": errors.NothingFinished,
    "IDEMPOTENCY_MISMATCH": errors.IdempotencyMismatch,
    "PIPELINE_UNAVAILABLE": errors.PipelineUnavailable,
    "LIMIT_REACHED": errors.LimitReached,
    "UNAVAILABLE": errors.Unavailable,
    "DATABASE_UNAVAILABLE": errors.DatabaseUnavailable,
    "SCHEMA_MISMATCH": errors.SchemaMismatch,
    "STORAGE_ERROR": errors.StorageError,
    "STORAGE_FULL": errors.StorageFull,
    "STORAGE_DENIED": errors.StorageDenied,
    "OUTPUT_FILE_MISSING": errors.BlobNotFound,
    "MEDIA_ERROR": errors.MediaError,
    "MANIFEST_INVALID": errors.ManifestInvalid,
}
STATUSES: Mapping[int, type[VideoAnnotatorError]] = {
    400: errors.InvalidRequest,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.TooLarge,
    415: errors.UnsupportedType,
    422: errors.InvalidRequest,
    429: errors.LimitReached,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
    507: errors.StorageFull,
}


def fault(
    status: int, body: bytes, retry_after_seconds: float | None = None
) -> VideoAnnotatorError:
    """The error that an answer with `status` stands for.

    `body` may be our envelope, another server's JSON, or a proxy's page.
    """
    answer = _json(body)
    told = answer.get("error")
    error: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    kind = CODES.get(str(error.get("code"))) or STATUSES.get(status, VideoAnnotatorError)
    message = _message(error, answer) or f"The server answered {status}."
    hint = str(error.get("hint") or "")
    field = str(error["field"]) if error.get("field") else None
    if issubclass(kind, InvalidConfig):
        return kind(message, hint=hint, field=field, problems=_problems(error))
    if issubclass(kind, LimitReached):
        return kind(message, hint=hint, field=field, retry_after_seconds=retry_after_seconds)
    made = kind(message, hint=hint)
    made.field = field
    return made


def _message(error: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    told = error.get("message") or answer.get("detail")
    return told if isinstance(told, str) else ""


def _problems(error: Mapping[str, Any]) -> tuple[Problem, ...]:
    listed = error.get("detail")
    return tuple(
        Problem(
            str(each.get("message") or ""),
            hint=str(each.get("hint") or ""),
            field=str(each.get("field") or ""),
        )
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping)
    )


def _json(body: bytes) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError):
        answer = json.loads(body)
        if isinstance(answer, Mapping):
            return answer
    return {}
