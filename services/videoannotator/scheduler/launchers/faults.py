"""The system's errors in our words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from videoannotator.domain.errors import (
    InvalidRequest,
    StorageDenied,
    StorageError,
    StorageFull,
    Unavailable,
    VideoAnnotatorError,
)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
EXHAUSTED = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
UNLOCKABLE = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turns an error of the system into one of ours.

    Raises: StorageFull, StorageDenied, StorageError, Unavailable, InvalidRequest.
    """
    try:
        yield
    except OSError as error:
        raise fault_of(error) from error


def fault_of(error: OSError) -> VideoAnnotatorError:
    """What an error of the system means for a worker."""
    number = error.errno
    if number in FULL:
        return StorageFull("The folder of the workers is full.")
    if number in DENIED:
        return StorageDenied("The folder of the workers does not allow this.")
    if number in EXHAUSTED:
        return Unavailable("The machine cannot start another process now.")
    if number in UNLOCKABLE:
        return StorageError(
            "Files in the folder of the workers cannot be locked.",
            hint="The operator must keep the storage on a local disk.",
        )
    if number == errno.E2BIG:
        return InvalidRequest("The worker's command is too long.")
    return StorageError("The folder of the workers cannot be used.")
