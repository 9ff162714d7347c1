"""Measurements: every figure beside what it is compared with, taken in the same run.

What may live here: one module per part with a function `measure`. Nothing here is shipped, and
nothing here is a test: these figures depend on the machine.
"""

from dataclasses import dataclass
from pathlib import Path

CACHE = Path(".make/bench")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table."""

    what: str
    value: float
    unit: str
    beside: str = ""  #: what it is compared with
    other: float | None = None  #: the same figure of that
