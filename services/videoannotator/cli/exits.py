"""Exit codes: what a script learns from the end of a command."""

from enum import IntEnum

from videoannotator.domain import errors
from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.domain.jobs import JobState, RunState


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4
    NOT_FOUND = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "all is well",
    ExitCode.FAILED: "a job or a pipeline of it failed or was cancelled, or an error",
    ExitCode.USAGE: "the command, a setting or a parameter is wrong",
    ExitCode.UNREACHABLE: "the server or a part of it does not answer",
    ExitCode.DENIED: "no key, a wrong one, or one that may not do that",
    ExitCode.NOT_FOUND: "there is no such job, pipeline, file or worker",
    ExitCode.INTERRUPTED: "interrupted with Ctrl-C",
}

#: The first that fits counts.
_CODES: tuple[tuple[type[VideoAnnotatorError], ExitCode], ...] = (
    (errors.InvalidRequest, ExitCode.USAGE),
    (errors.SchemaMismatch, ExitCode.FAILED),
    (errors.Unavailable, ExitCode.UNREACHABLE),
    (errors.Unauthenticated, ExitCode.DENIED),
    (errors.Forbidden, ExitCode.DENIED),
    (errors.NotFound, ExitCode.NOT_FOUND),
)


def exit_code(error: VideoAnnotatorError) -> ExitCode:
    """How a command ends that meets `error`."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def exit_code_of(status: JobState, runs: tuple[RunState, ...]) -> ExitCode:
    """How a command ends that waited for a job."""
    good = status is JobState.COMPLETED and RunState.FAILED not in runs
    return ExitCode.OK if good else ExitCode.FAILED


def epilog() -> str:
    """The codes, for the end of the help."""
    told = "; ".join(f"{code.value} {MEANINGS[code]}" for code in ExitCode)
    return f"Exit codes: {told}."
