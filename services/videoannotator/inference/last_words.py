"""The termination message: why the worker failed, for whoever finds only its remains."""

import json
from pathlib import Path

from videoannotator.domain.failures import Failure
from videoannotator.telemetry import get_logger

log = get_logger(__name__)

MAX_BYTES = 4096  # Kubernetes cuts a termination message there


def last_words(failure: Failure) -> bytes:
    """The failure as JSON, at most 4096 bytes."""
    words = {
        "code": failure.code.value,
        "hint": failure.advice,
        "message": failure.message,
        "stage": failure.stage,
        "position_seconds": failure.position_seconds,
    }
    whole = json.dumps(words, ensure_ascii=False).encode()
    if len(whole) <= MAX_BYTES:
        return whole
    # 580 characters of at most 6 bytes each.
    short = {
        "message": failure.message[:300],
        "hint": failure.advice[:200],
        "stage": failure.stage[:80],
    }
    return json.dumps(words | short, ensure_ascii=False).encode()


def write_last_words(path: Path, failure: Failure) -> None:
    """Writes them to `path`. A worker that cannot says so in its log, and ends as it would have."""
    try:
        path.write_bytes(last_words(failure))
    except OSError as error:
        log.warning("the termination message cannot be written", reason=error.strerror)
