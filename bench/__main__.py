"""`python -m bench [part …]`: measures, prints a table, writes bench.json."""

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import Figure, imports, sampling, submitting
from videoannotator import __version__

PARTS: Mapping[str, Callable[[], list[Figure]]] = {
    "imports": imports.measure,
    "sampling": sampling.measure,
    "submitting": submitting.measure,
}
REPORT = Path("bench.json")


def table(figures: Mapping[str, Sequence[Figure]]) -> Table:
    """The figures for a reader."""
    shown = Table("part", "what", "figure", "beside", "other", box=None)
    for part, rows in figures.items():
        for row in rows:
            other = "" if row.other is None else f"{row.other:.2f} {row.unit}"
            shown.add_row(part, row.what, f"{row.value:.2f} {row.unit}", row.beside, other)
    return shown


def report(figures: Mapping[str, Sequence[Figure]]) -> str:
    """The figures for a program, with the machine they were taken on."""
    document = {
        "schema": "videoannotator.bench/1",
        "version": __version__,
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "figures": [
            {"part": part, **asdict(row)} for part, rows in figures.items() for row in rows
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def main(names: Sequence[str]) -> int:
    """Measures the parts named, or all."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"No such part: {unknown[0]}. There are: {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    figures = {name: PARTS[name]() for name in names or PARTS}
    console = Console()
    console.width = max(console.width, 130)
    console.print(table(figures))
    REPORT.write_text(report(figures), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
