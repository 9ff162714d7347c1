"""What went wrong, as a public code, and the exit status that goes with it."""

import errno
import os

from videoannotator.domain.errors import (
    InvalidRequest,
    ManifestInvalid,
    MediaError,
    StorageError,
    VideoAnnotatorError,
)
from videoannotator.domain.failures import Code, Failure
from videoannotator.rpc.work import Completed

EXIT_COMPLETED = 0
EXIT_FAILED = 1
EXIT_NOT_CALLED = 76
EXIT_STOPPED = 143  # as after SIGTERM: the work was ended from outside, there is no result
EXIT_CODES = {
    Code.REQUEST_ERROR: 64,
    Code.MEDIA_ERROR: 65,
    Code.GPU_OOM: 66,
    Code.STORAGE_ERROR: 74,
    Code.GPU_DIRTY: 75,
}

# Faults of the storage, whatever the code was that met them.
STORAGE_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, errno.EFBIG}
)
# torch's and CuPy's error when a GPU is full; neither may be imported for its class.
GPU_MEMORY_ERRORS = frozenset({"OutOfMemoryError", "CudaOutOfMemoryError"})


OUR_CODES: tuple[tuple[type[BaseException], Code], ...] = (
    (MediaError, Code.MEDIA_ERROR),
    (InvalidRequest, Code.REQUEST_ERROR),
    (StorageError, Code.STORAGE_ERROR),
    (ManifestInvalid, Code.MANIFEST_INVALID),
    (MemoryError, Code.OOM_KILLED),
)


def code_of(error: BaseException) -> Code:
    """The public code of what a pipeline, or the work around it, raised."""
    if isinstance(error, OSError) and error.errno in STORAGE_ERRNOS:
        return Code.STORAGE_ERROR
    if type(error).__name__ in GPU_MEMORY_ERRORS:
        return Code.GPU_OOM
    found = (code for kind, code in OUR_CODES if isinstance(error, kind))
    return next(found, Code.PIPELINE_ERROR)


def failure_of(error: BaseException, stage: str = "", position: float | None = None) -> Failure:
    """The failure to report. What foreign code said stays in the log: it may hold paths.

    `stage` and `position` (seconds of media time) are where the work was.
    """
    second = error.second if isinstance(error, MediaError) else None
    message, hint = _said(error)
    return Failure(
        code=code_of(error),
        message=message,
        hint=hint,
        stage=stage,
        position_seconds=position if second is None else second,
    )


def _said(error: BaseException) -> tuple[str, str]:
    """The message and the hint."""
    if isinstance(error, VideoAnnotatorError):
        return error.message, error.hint
    match code_of(error):
        case Code.OOM_KILLED:
            return "The worker ran out of memory.", ""
        case Code.GPU_OOM:
            return "The GPU ran out of memory.", ""
        case Code.STORAGE_ERROR:
            return f"The storage failed: {os.strerror(getattr(error, 'errno', 0))}.", ""
        case _:
            return f"The pipeline stopped with {type(error).__name__}.", ""


def exit_status(end: Completed | Failure | None, *, signal: int | None, orphan: bool) -> int:
    """The exit status of a worker. 0 only when there is a result and nobody had to kill it.

    `end` is what the work came to (None: nothing), `signal` the one that ended the process,
    `orphan` that nobody called any more.
    """
    if signal is not None:
        return 128 + signal
    if isinstance(end, Completed):
        return EXIT_COMPLETED
    if isinstance(end, Failure):
        return EXIT_CODES.get(end.code, EXIT_FAILED)
    return EXIT_NOT_CALLED if orphan else EXIT_STOPPED
