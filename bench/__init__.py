"""Measurements: every figure beside what it is compared with, taken in the same run.

What may live here: one module per part with a function `measure`, and what the parts share. Nothing
here is shipped, and nothing here is a test: these figures depend on the machine.
"""

import statistics
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(".make/bench")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table: what was measured, once or several times."""

    what: str
    runs: tuple[float, ...]
    unit: str
    target: float | None = None
    more_is_better: bool = True
    beside: str = ""  #: what it is compared with
    others: tuple[float, ...] = ()  #: the same figure of that

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    @property
    def other(self) -> float | None:
        """The median of what it is compared with."""
        return statistics.median(self.others) if self.others else None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None when there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.more_is_better else self.value <= self.target
