"""A seed for all parts, and the table at the end."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.fuzz.supervising import SEED_NAME, Campaign, kept_folder, seed

PROPERTY = "fuzz"


def pytest_configure() -> None:
    """Throws the dice for the seed, unless it was given; workers of xdist inherit it."""
    os.environ[SEED_NAME] = os.environ.get(SEED_NAME) or str(time.time_ns() % 1_000_000)


def pytest_report_header() -> str:
    """Tells the seed before anything can go wrong."""
    return f"seed: {seed()}; the same inputs again: make fuzz SEED={seed()}"


@pytest.fixture
def judged(record_property: Callable[[str, object], None]) -> Callable[[Campaign], None]:
    """Hands what became of inputs to the table; fails when one failed."""

    def judge(campaign: Campaign) -> None:
        rows = [[each.part, each.kind, each.outcome, each.seconds] for each in campaign.ended]
        record_property(PROPERTY, json.dumps(rows))
        kept = kept_folder(seed()) / campaign.part
        told = "\n".join(campaign.failed)
        assert not campaign.failed, f"{len(campaign.failed)} failed, kept in {kept}\n{told}"

    return judge


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Inputs, outcomes by kind, seconds."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    texts = [
        text for report in reports for name, text in report.user_properties if name == PROPERTY
    ]
    rows = [row for text in texts for row in json.loads(text)]
    if not rows:
        return
    terminalreporter.section("fuzz")
    terminalreporter.write_line(f"{'part':<12}{'kind':<16}{'inputs':>7}{'seconds':>9}  outcomes")
    for part, kind in sorted({(row[0], row[1]) for row in rows}):
        terminalreporter.write_line(
            line(part, kind, [row for row in rows if row[:2] == [part, kind]])
        )
    for part in sorted({row[0] for row in rows}):
        terminalreporter.write_line(line(part, "all", [row for row in rows if row[0] == part]))
    terminalreporter.write_line(f"seed {seed()}; failing inputs are kept in {kept_folder(seed())}")


def line(part: str, kind: str, rows: list[list[Any]]) -> str:
    """One line of the table."""
    counts = Counter(row[2] for row in rows).most_common()
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts)
    return f"{part:<12}{kind:<16}{len(rows):>7}{sum(row[3] for row in rows):>9.1f}  {outcomes}"
