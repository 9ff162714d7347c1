"""Domain errors as gRPC statuses, and back: one table."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from pydantic import BaseModel, ValidationError

from videoannotator.domain import errors
from videoannotator.domain.errors import (
    InvalidConfig,
    LimitReached,
    MediaError,
    Problem,
    VideoAnnotatorError,
)

CODES: dict[type[VideoAnnotatorError], grpc.StatusCode] = {
    errors.VideoAnnotatorError: grpc.StatusCode.INTERNAL,
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Problem: grpc.StatusCode.INVALID_ARGUMENT,
    errors.InvalidConfig: grpc.StatusCode.INVALID_ARGUMENT,
    errors.InvalidSetting: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.UnsupportedType: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.JobNotFound: grpc.StatusCode.NOT_FOUND,
    errors.VideoNotFound: grpc.StatusCode.NOT_FOUND,
    errors.PipelineNotFound: grpc.StatusCode.NOT_FOUND,
    errors.ArtifactNotFound: grpc.StatusCode.NOT_FOUND,
    errors.WorkerNotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    errors.JobAlreadyEnded: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NothingFinished: grpc.StatusCode.FAILED_PRECONDITION,
    errors.IdempotencyMismatch: grpc.StatusCode.ALREADY_EXISTS,
    errors.PipelineUnavailable: grpc.StatusCode.FAILED_PRECONDITION,
    errors.IllegalTransition: grpc.StatusCode.INTERNAL,
    errors.LimitReached: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.NotLeader: grpc.StatusCode.FAILED_PRECONDITION,
    errors.DatabaseUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.SchemaMismatch: grpc.StatusCode.UNAVAILABLE,
    errors.WorkerUnreachable: grpc.StatusCode.UNAVAILABLE,
    errors.StorageError: grpc.StatusCode.INTERNAL,
    errors.StorageFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.StorageDenied: grpc.StatusCode.INTERNAL,
    errors.BlobNotFound: grpc.StatusCode.NOT_FOUND,
    errors.MediaError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ManifestInvalid: grpc.StatusCode.DATA_LOSS,
    errors.Stopped: grpc.StatusCode.CANCELLED,
}

# What a status means that no program of ours explained: the library's own, or another server's.
UNEXPLAINED: dict[grpc.StatusCode, type[VideoAnnotatorError]] = {
    grpc.StatusCode.CANCELLED: errors.Stopped,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: errors.Forbidden,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.Conflict,
    grpc.StatusCode.FAILED_PRECONDITION: errors.Conflict,
    grpc.StatusCode.ABORTED: errors.Conflict,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.LimitReached,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.Unavailable,
}

# Trailing metadata with the error in full; more than this is cut (gRPC refuses 8 KiB of metadata).
TRAILER = "videoannotator-error-bin"
MAX_TRAILER_BYTES = 4096
MAX_MESSAGE_BYTES = 1536  # of the message beside it
Trailers = tuple[tuple[str, str | bytes], ...]
BY_NAME = {kind.__name__: kind for kind in CODES}


def code_of(error: VideoAnnotatorError) -> grpc.StatusCode:
    """The status of an error: its class's, or that of the nearest class above."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


async def abort(context: Any, error: VideoAnnotatorError, more: Trailers = ()) -> None:
    """Ends the call of a server's `context` with the error and `more` trailers; never returns."""
    trailers = ((TRAILER, packed(error)), *more)
    await context.abort(code_of(error), shortened(error.message), trailers)


def shortened(message: str) -> str:
    """As much of it as fits into the head of an answer, where most bytes are sent as three."""
    length = 0
    for index, character in enumerate(message):
        plain = " " <= character <= "~" and character != "%"
        length += 1 if plain else 3 * len(character.encode("utf-8", "surrogatepass"))
        if length > MAX_MESSAGE_BYTES:
            return message[:index]
    return message


@asynccontextmanager
async def answering(context: Any) -> AsyncIterator[None]:
    """Around what a server does for one call: a domain error becomes the call's status."""
    try:
        yield
    except VideoAnnotatorError as error:
        await abort(context, error)


class Document(BaseModel):
    """An error in trailing metadata. Read leniently: the other side may be newer, or lie."""

    error: str
    message: str = ""
    hint: str = ""
    field: str | None = None
    code: str = ""  #: of a Problem
    second: float | None = None  #: of a MediaError
    retry_after_seconds: float | None = None  #: of a LimitReached
    problems: tuple["Document", ...] = ()  #: of an InvalidConfig


def packed(error: VideoAnnotatorError) -> bytes:
    """The error as JSON, short enough for metadata."""
    lengths = (each.model_dump_json(exclude_defaults=True).encode() for each in _shorter(error))
    return next(each for each in lengths if len(each) <= MAX_TRAILER_BYTES)


def _shorter(error: VideoAnnotatorError) -> Iterator["Document"]:
    """The error whole, then with fewer problems, then without what the status says, then bare."""
    whole = _document(error)
    yield whole
    count = len(whole.problems)
    while count:
        count //= 2
        yield whole.model_copy(update={"problems": whole.problems[:count]})
    yield whole.model_copy(update={"problems": (), "message": ""})
    yield Document(error=whole.error)


def _document(error: VideoAnnotatorError) -> Document:
    problems = error.problems if isinstance(error, InvalidConfig) else ()
    return Document(
        error=type(error).__name__,
        message=error.message,
        hint=error.hint,
        field=error.field,
        code=error.code if isinstance(error, Problem) else "",
        second=error.second if isinstance(error, MediaError) else None,
        retry_after_seconds=error.retry_after_seconds if isinstance(error, LimitReached) else None,
        problems=tuple(_document(problem) for problem in problems),
    )


def error_of(rpc_error: grpc.aio.AioRpcError) -> VideoAnnotatorError:
    """The domain error that a failed call stands for; the caller chains it with `from`."""
    said = rpc_error.details() or ""
    trailers: Any = rpc_error.trailing_metadata() or ()
    for key, value in trailers:
        if key == TRAILER and isinstance(value, bytes):
            error = unpacked(value, said)
            if error is not None:
                return error
    return UNEXPLAINED.get(rpc_error.code(), VideoAnnotatorError)(said)


def unpacked(trailer: bytes, message: str) -> VideoAnnotatorError | None:
    """The error that `packed` wrote, with `message` when it was cut; None: not understood."""
    try:
        document = Document.model_validate_json(trailer)
    except ValidationError:
        return None
    if document.error not in BY_NAME:
        return None
    return _error(document, document.message or message)


def _error(document: Document, message: str) -> VideoAnnotatorError:
    kind, hint = BY_NAME[document.error], document.hint
    if issubclass(kind, MediaError):
        return kind(message, hint=hint, second=document.second)
    if issubclass(kind, InvalidConfig):
        problems = tuple(_problem(each) for each in document.problems)
        return kind(message, hint=hint, field=document.field, problems=problems)
    if issubclass(kind, LimitReached):
        wait = document.retry_after_seconds
        return kind(message, hint=hint, field=document.field, retry_after_seconds=wait)
    if issubclass(kind, Problem):
        return _problem(document)
    return kind(message, hint=hint, field=document.field)


def _problem(document: Document) -> Problem:
    return Problem(document.message, hint=document.hint, field=document.field, code=document.code)
