"""The commands of the guide to separate processes, run in its order."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.architecture.test_docs import commands
from tests.fakes.databases import url_for
from tests.fakes.separate import SeparateSite

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(300)]

PAGE = "docs/guides/run-as-separate-processes.md"
PORT = re.compile(r"(--(?:[a-z]+-)?port) \d+")
STARTS = re.compile(r"videoannotator (api|scheduler)( --.*)?")


@pytest.fixture
def separate(tmp_path: Path) -> Iterator[SeparateSite]:
    """Where the guide begins."""
    root = tmp_path / "storage"
    ours = {"DATABASE__URL": url_for(root), "STORAGE__ROOT": str(root)}
    site = SeparateSite(root, {f"VIDEOANNOTATOR_{name}": value for name, value in ours.items()})
    yield site
    site.close()


def test_the_processes_of_the_guide_work_together(separate: SeparateSite) -> None:
    site, run = separate, []
    for command in commands((ROOT / PAGE).read_text(encoding="utf-8")):
        if command.startswith("export"):
            continue
        words = shlex.split(PORT.sub(r"\1 0", command))
        if STARTS.fullmatch(command):
            site.start("videoannotator.cli", *words[1:], "--json")
        else:
            run.append(tell(site, words[1:]))
    told = [program.told["address"] for program in site.programs]

    assert len([address for address in told if address.startswith("http")]) == 2
    assert len([address for address in told if address.startswith("unix")]) == 2
    assert [each.returncode for each in run] == [0] * len(run), [each.stderr for each in run]


def tell(site: SeparateSite, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a command as the reader does, who knows address and key once there are some."""
    for program in site.programs:
        if not program.told:
            program.ready()
    known = {}
    if site.programs:
        known = {
            "VIDEOANNOTATOR_SERVER": site.programs[-1].told["address"],
            "VIDEOANNOTATOR_TOKEN": site.key,
        }
    return subprocess.run(
        [sys.executable, "-m", "videoannotator.cli", *words],
        env={**os.environ, **site.environ, **known},
        capture_output=True,
        text=True,
        check=False,
    )
