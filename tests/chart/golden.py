"""`python -m tests.chart.golden` renders the chart anew for each file of values, into golden/."""

import re
from pathlib import Path

from tests.chart.rendering import SITES, VALUES, text
from videoannotator import __version__

FOLDER = Path(__file__).resolve().parent / "golden"
CHECKSUM = re.compile(r"(checksum/\w+): [0-9a-f]{64}")
NAME_BY_HASH = re.compile(r"(-(?:migration|make-secrets))-[0-9a-f]{8}\b")


def golden(site: str) -> str:
    """What is kept: without dashboards, and what changes with every release and says nothing."""
    objects = text((str(VALUES / f"{site}.yaml"),), ()).split("\n---\n")
    whole = "\n---\n".join(each for each in objects if "/dashboards.yaml" not in each)
    whole = CHECKSUM.sub(r"\1: CHECKSUM", NAME_BY_HASH.sub(r"\1-HASH", whole))
    return whole.replace(__version__, "VERSION")


def main() -> None:
    """Writes the files."""
    FOLDER.mkdir(exist_ok=True)
    for site in SITES:
        (FOLDER / f"{site}.yaml").write_text(golden(site), encoding="utf-8")


if __name__ == "__main__":
    main()
