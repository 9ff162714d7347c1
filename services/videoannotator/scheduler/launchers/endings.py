"""Why a local worker ended: pure, from its exit status and its last words."""

import math
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from videoannotator.domain.failures import Code, Failure

#: Exit status of a worker -> what it means. 74 is the shell's that could not write the process id,
#: 126 and 127 are its words for a program that cannot be started.
STATUSES: Mapping[int, tuple[Code, str]] = {
    1: (Code.PIPELINE_ERROR, "The pipeline failed."),
    64: (Code.REQUEST_ERROR, "The worker refused the request."),
    65: (Code.MEDIA_ERROR, "The video cannot be decoded."),
    66: (Code.GPU_OOM, "The GPU's memory was not enough."),
    74: (Code.STORAGE_ERROR, "The worker could not write to the storage."),
    75: (Code.GPU_DIRTY, "The GPU's memory was held by something else."),
    76: (Code.UNREACHABLE, "The worker was not called and ended itself."),
    126: (Code.SPEC_INVALID, "The worker's program may not be started."),
    127: (Code.SPEC_INVALID, "The worker's program was not found."),
}
NOT_INSTALLED = "The operator must check the installation: 'videoannotator pipelines list' helps."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is known of the end of a worker's process."""

    status: int | None = None  #: exit status, negative: the signal; None: not our child
    asked: bool = False  #: we asked it to end
    out_of_memory: bool = False  #: the kernel killed something of ours for memory meanwhile
    words: Mapping[str, Any] = field(default_factory=dict)  #: its termination message
    log_tail: tuple[str, ...] = ()


def failure_of(ending: Ending) -> Failure | None:
    """Why the worker ended; None when it ended well or because it was asked to.

    Its own last words win over what the exit status says.
    """
    spoken = _spoken(ending)
    if spoken is not None:
        return spoken
    if ending.asked or ending.status == 0:
        return None
    code, message = _read_status(ending)
    hint = NOT_INSTALLED if code is Code.SPEC_INVALID else ""
    return Failure(code=code, message=message, hint=hint, log_tail=ending.log_tail)


def _spoken(ending: Ending) -> Failure | None:
    words = ending.words
    try:
        code = Code(words.get("code", ""))
    except ValueError:
        return None
    return Failure(
        code=code,
        message=_text(words, "message") or "The worker ended with a failure.",
        hint=_text(words, "hint"),
        stage=_text(words, "stage"),
        position_seconds=_seconds(words.get("position_seconds")),
        log_tail=ending.log_tail,
    )


def _text(words: Mapping[str, Any], name: str) -> str:
    found = words.get(name)
    return found.replace("\0", "\ufffd") if isinstance(found, str) else ""


def _seconds(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        return float(found) if math.isfinite(found) else None
    except OverflowError:
        return None


def _read_status(ending: Ending) -> tuple[Code, str]:
    status = ending.status
    if status is None:
        return Code.KILLED_UNKNOWN, "The worker ended without a word."
    ended_by = -status if status < 0 else status - 128
    if ended_by == signal.SIGKILL and ending.out_of_memory:
        return Code.OOM_KILLED, "The worker ran out of memory."
    if status < 0 or status > 128:
        return Code.KILLED_UNKNOWN, f"The worker was ended by {_signal_name(ended_by)}."
    return STATUSES.get(
        status, (Code.PIPELINE_ERROR, f"The worker ended with exit status {status}.")
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
