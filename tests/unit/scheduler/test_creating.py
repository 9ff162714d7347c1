"""What a create that failed means for its worker."""

import pytest

from videoannotator.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NotLeader,
    StorageDenied,
    Unavailable,
    VideoAnnotatorError,
)
from videoannotator.domain.failures import Code
from videoannotator.scheduler.creating import create_ended


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [
        (StorageDenied("No folder."), Code.STORAGE_ERROR, None),
        (InvalidRequest("Not so."), Code.SPEC_INVALID, None),
        (Conflict("Taken."), Code.NAME_TAKEN, None),
        (LimitReached("Quota."), Code.QUOTA_EXCEEDED, None),
        (Forbidden("No right."), None, 0.0),
        (Unavailable("Silent."), None, 0.0),
        (Unavailable("Busy.", retry_after_seconds=9), None, 9),
        (NotLeader(), None, 0.0),
    ],
)
def test_a_refusal_ends_the_worker_and_silence_does_not(
    error: VideoAnnotatorError, code: Code | None, again: float | None
) -> None:
    ended = create_ended("w", error)

    assert (ended.failure and ended.failure.code, ended.again_after_seconds) == (code, again)
    assert ended.failure is None or ended.failure.message == error.message
