"""Output: data on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from videoannotator.cli.exits import ExitCode
from videoannotator.domain.errors import InvalidConfig, VideoAnnotatorError

#: Columns of a table that is not read on a terminal: nothing is cut.
WIDE = 400
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def say(message: str) -> None:
    """A message to the person at the terminal."""
    print(message, file=sys.stderr, flush=True)


def write(text: str) -> None:
    """Data for the person or the program that reads stdout."""
    print(text, flush=True)


def write_json(value: Any) -> None:
    """One JSON document on one line of stdout."""
    write(json.dumps(value, ensure_ascii=False, default=str))


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; columns that begin with `#` are numbers."""
    wide = None if sys.stdout.isatty() else WIDE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        right = column.startswith("#")
        table.add_column(column.lstrip("#"), justify="right" if right else "left")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(width=wide, markup=False, highlight=False).print(table)


def write_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values on stdout, those without a value left out."""
    known = [(name, value) for name, value in pairs if value not in (None, "", ())]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        write(f"{name:<{width}}  {value}")


def tell_error(error: VideoAnnotatorError, *, as_json: bool) -> None:
    """What went wrong and what to do next; as JSON on stdout, too, for a program."""
    say(f"Error: {error.message}")
    for problem in error.problems if isinstance(error, InvalidConfig) else ():
        say(f"  {problem.field}: {problem.message} {problem.hint}".rstrip())
    if error.hint:
        say(error.hint)
    if as_json:
        kind = type(error).__name__
        told = {"kind": kind, "message": error.message, "hint": error.hint, "field": error.field}
        write_json({"error": told})


def tell_interrupted() -> ExitCode:
    """Says that Ctrl-C was seen."""
    say("Interrupted.")
    return ExitCode.INTERRUPTED


def on_terminal() -> bool:
    """Whether somebody watches: progress bars are for them alone."""
    return sys.stderr.isatty()


def duration(seconds: float | None) -> str:
    """Seconds for people: `7.2 s`, `3 min 05 s`, `2 h 03 min`."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def size(count: int) -> str:
    """Bytes for people: `512 B`, `1.5 MiB`."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {UNITS[unit]}" if unit else f"{count} B"


def moment(time: datetime | None) -> str:
    """A time for people, in their own zone."""
    return "" if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
