"""Runs inputs in child processes, begins again behind one that killed its child, keeps what failed.

A child is `python -m <module> FOLDER SEED FIRST LAST`. It lays each input down in FOLDER/inputs and
takes it away when all went well: what is there when it has ended is what failed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SEED_NAME = "FUZZ_SEED"
ONLY_NAME = "FUZZ_ONLY"
CRASHES = 25  #: in one child's range; more tell nothing new
MOST_WORDS = 3000  #: of the stderr of a child that died


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One input that came to its end."""

    part: str
    kind: str
    outcome: str
    seconds: float


@dataclass(slots=True, kw_only=True)
class Campaign:
    """What became of a range of inputs."""

    part: str
    ended: list[Ended] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def hear(self, facts: dict[str, Any], seed: int) -> None:
        """An input ended."""
        self.ended.append(
            Ended(
                part=self.part,
                kind=facts["kind"],
                outcome=facts["outcome"],
                seconds=facts["seconds"],
            )
        )
        if facts["wrong"]:
            self.fail(facts["ended"], seed, "; ".join(facts["wrong"]))

    def fail(self, number: int, seed: int, why: str) -> None:
        """An input did what none may do."""
        self.failed.append(f"{why}\n    again: make fuzz SEED={seed} ONLY={self.part}:{number}")


def kept_folder(seed: int) -> Path:
    """Where failing inputs stay."""
    return ROOT / ".make" / "fuzz" / str(seed)


def seed() -> int:
    """The seed of this run."""
    return int(os.environ[SEED_NAME])


def numbers(part: str, first: int, last: int) -> range:
    """The numbers of a range that shall be run: all, or the one that was named."""
    only = os.environ.get(ONLY_NAME, "")
    if not only:
        return range(first, last)
    name, _, number = only.partition(":")
    wanted = name == part and int(number) in range(first, last)
    return range(int(number), int(number) + 1) if wanted else range(0)


def run(part: str, module: str, folder: Path, chosen: range) -> Campaign:
    """Runs the inputs of these numbers; never raises for what they do."""
    campaign, begin = Campaign(part=part), chosen.start
    for _ in range(CRASHES):
        if begin >= chosen.stop:
            break
        begin = _run_child(campaign, module, folder, range(begin, chosen.stop))
    _keep(folder, part)
    return campaign


def _run_child(campaign: Campaign, module: str, folder: Path, chosen: range) -> int:
    """One child, to its end; the number with which the next one begins."""
    words, temporary = folder / "stderr", folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    with words.open("wb") as stderr, _child(module, folder, chosen, stderr) as child:
        assert child.stdout is not None
        last = chosen.start - 1
        ended = last
        for line in child.stdout:
            facts = json.loads(line)
            last = facts.get("begun", last)
            if "ended" in facts:
                ended = last
                campaign.hear(facts, seed())
        status = child.wait()
    if ended == chosen.stop - 1 and status == 0:
        return chosen.stop
    told = words.read_text(errors="replace")[-MOST_WORDS:]
    campaign.fail(last, seed(), f"the process ended with {status}: {told}")
    return last + 1


def _child(module: str, folder: Path, chosen: range, stderr: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-X", "faulthandler", "-m", module),
            *(str(folder), str(seed()), str(chosen.start), str(chosen.stop)),
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def _keep(folder: Path, part: str) -> None:
    for path in _left(folder / "inputs"):
        target = kept_folder(seed()) / part
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target / path.name)


def _left(inputs: Path) -> Iterator[Path]:
    if inputs.is_dir():
        yield from sorted(inputs.iterdir())
