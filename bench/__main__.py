"""`python -m bench [part …]`: measures, prints a table, writes bench.json.

A part that has a size takes another one: `cluster=10000`.
"""

import importlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import Figure
from bench.machine import machine, revision
from videoannotator import __version__

#: Each is a module here with a function `measure`.
PARTS = (
    "sampling",
    "json_writing",
    "imports",
    "requests",
    "uploads",
    "events",
    "listing",
    "submitting",
    "cancelling",
    "restarting",
    "failover",
)
#: Measured only by name: it builds Kubernetes first, and needs the whole machine for long.
ON_REQUEST = ("cluster",)
REPORT = Path("bench.json")
MARKS: Mapping[bool | None, str] = {True: "met", False: "MISSED", None: ""}


def table(figures: Mapping[str, Sequence[Figure]]) -> Table:
    """The figures for a reader."""
    shown = Table("part", "what", "median", "min … max", "target", "", "beside", "that", box=None)
    for part, rows in figures.items():
        for row in rows:
            shown.add_row(
                part,
                row.what,
                f"{row.value:,.2f} {row.unit}",
                f"{min(row.runs):,.2f} … {max(row.runs):,.2f}",
                _target(row),
                MARKS[row.met],
                row.beside,
                "" if row.other is None else f"{row.other:,.2f} {row.unit}",
            )
    return shown


def _target(row: Figure) -> str:
    if row.target is None:
        return ""
    return f"{'≥' if row.more_is_better else '≤'} {row.target:,g} {row.unit}"


def report(figures: Mapping[str, Sequence[Figure]], taken_on: Mapping[str, object]) -> str:
    """The figures for a program, with the machine they were taken on."""
    document = {
        "schema": "videoannotator.bench/2",
        "version": __version__,
        "revision": revision(),
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": taken_on,
        "figures": [
            {
                "part": part,
                **asdict(row),
                "median": row.value,
                "min": min(row.runs),
                "max": max(row.runs),
                "met": row.met,
            }
            for part, rows in figures.items()
            for row in rows
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def measured(part: str) -> list[Figure]:
    """The figures of one part. It is imported only now: others may need what is not installed."""
    print(f"measuring {part}", file=sys.stderr)
    name, _, size = part.partition("=")
    measure = importlib.import_module(f"bench.{name}").measure
    figures: list[Figure] = measure(int(size)) if size else measure()
    return figures


def main(names: Sequence[str]) -> int:
    """Measures the parts named, or all that are not on request."""
    chosen = [part for name in names for part in name.split(",") if part]
    known = (*PARTS, *ON_REQUEST)
    unknown = [part for part in chosen if part.partition("=")[0] not in known]
    if unknown:
        print(f"No such part: {unknown[0]}. There are: {', '.join(known)}.", file=sys.stderr)
        return 2
    # Ended by a supervisor as by Ctrl-C: every part then ends what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    taken_on = machine()
    figures = {part: measured(part) for part in chosen or PARTS}
    console = Console()
    console.width = max(console.width, 160)
    console.print(table(figures))
    REPORT.write_text(report(figures, taken_on), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
