"""A kubectl that knows a few objects, as a program on PATH."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = """\
#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
words = sys.argv[1:]
with open(here / "asked", "a") as asked:
    asked.write(json.dumps(words) + "\\n")
plain = [word for word in words if not word.startswith("--") or "selector" in word]
known = json.loads((here / "objects.json").read_text())
answer = known.get(" ".join(plain))
if answer is None:
    sys.exit('Error from server (NotFound): "%s" not found' % plain[-1])
if isinstance(answer, str):
    sys.exit(answer)
print(json.dumps(answer))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeKubectl:
    """Answers `get KIND NAME`, and remembers what it was asked."""

    folder: Path

    def knows(self, objects: dict[str, Any]) -> None:
        """Sets what it answers to which words; a text is an error that it ends with."""
        (self.folder / "objects.json").write_text(json.dumps(objects), encoding="utf-8")

    def asked(self) -> list[list[str]]:
        """The words of every call."""
        record = self.folder / "asked"
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        return [json.loads(line) for line in lines]


def fake_kubectl(folder: Path) -> FakeKubectl:
    """Makes the program in `folder`, which the caller puts into PATH."""
    program = folder / "kubectl"
    program.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    made = FakeKubectl(folder=folder)
    made.knows({})
    return made
