"""Failures: a run's end in a few short lines."""

from collections.abc import Iterator

from videoannotator.cli.output import duration
from videoannotator.client.records import RunError

#: What a terminal shows of one text, in characters, and of a log, in lines.
SHOWN_CHARACTERS = 300
SHOWN_LINES = 20


def failure_lines(error: RunError, *, verbose: bool = False) -> list[str]:
    """What went wrong, where, and what to do; `verbose`: with the end of the worker's log.

    The first line is as `MEDIA_ERROR: No picture. (at 12.5 s)`.
    """
    where = f" ({place(error)})" if place(error) else ""
    lines = [f"{error.code}: {cut(error.message)}{where}"]
    lines += [cut(error.hint)] if error.hint else []
    return [*lines, *_log(error)] if verbose else lines


def place(error: RunError) -> str:
    """Where it went wrong: `detect, at 12.5 s`; empty when nobody knows."""
    at = "" if error.position_seconds is None else f"at {duration(error.position_seconds)}"
    return ", ".join(part for part in (error.stage, at) if part)


def cut(text: str) -> str:
    """`text` on one line, and not endless."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 1]}…"


def _log(error: RunError) -> Iterator[str]:
    return (f"log: {cut(line)}" for line in error.log_tail[-SHOWN_LINES:])
