"""What a create that failed means for its worker: pure."""

from videoannotator.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitReached,
    StorageError,
    Unavailable,
    VideoAnnotatorError,
)
from videoannotator.domain.failures import Code, Failure
from videoannotator.scheduler.inbox import CreateEnded

#: What is refused for good, and how the worker's end is explained; the first that fits counts.
REFUSALS: tuple[tuple[type[VideoAnnotatorError], Code], ...] = (
    (StorageError, Code.STORAGE_ERROR),
    (InvalidRequest, Code.SPEC_INVALID),
    (Conflict, Code.NAME_TAKEN),
    (LimitReached, Code.QUOTA_EXCEEDED),
)
#: The others are repeated. A missing right is the operator's to mend: the worker waits for it.
FAILURES: tuple[type[VideoAnnotatorError], ...] = (
    *(kind for kind, _ in REFUSALS),
    Unavailable,
    Forbidden,
)


def create_ended(worker_id: str, error: VideoAnnotatorError) -> CreateEnded:
    """Refused for good, or to be repeated because nobody knows whether it was done."""
    for kind, code in REFUSALS:
        if isinstance(error, kind):
            hint = error.hint
            failure = Failure(code=code, message=error.message, hint=hint)
            return CreateEnded(worker_id=worker_id, failure=failure)
    asked = error.retry_after_seconds if isinstance(error, Unavailable) else None
    return CreateEnded(worker_id=worker_id, again_after_seconds=asked or 0.0)
