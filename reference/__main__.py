"""`python -m reference` writes docs/reference; with --check it tells what is stale instead."""

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

from reference.pages import pages

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
MOST_DIFFERENT_LINES = 60


def write() -> int:
    """Writes every page, and removes those that no longer belong there; the exit status."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    whole = pages()
    for name, text in whole.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for path in FOLDER.iterdir():
        if path.name not in whole:
            path.unlink()
    print(f"{len(whole)} files in docs/reference")
    return 0


def stale() -> Iterator[str]:
    """The lines in which the pages differ from what the program says, as diff shows them."""
    whole = pages()
    there = {path.name for path in FOLDER.iterdir()} if FOLDER.is_dir() else set()
    for name in sorted(there | set(whole)):
        path = FOLDER / name
        before = path.read_text(encoding="utf-8") if name in there else ""
        yield from difflib.unified_diff(
            before.splitlines(),
            whole.get(name, "").splitlines(),
            f"docs/reference/{name}",
            f"the program's {name}",
            lineterm="",
        )


def check() -> int:
    """Tells what is stale; the exit status."""
    lines = list(stale())
    if not lines:
        return 0
    print("\n".join(lines[:MOST_DIFFERENT_LINES]))
    if len(lines) > MOST_DIFFERENT_LINES:
        print(f"and {len(lines) - MOST_DIFFERENT_LINES} more lines")
    print("\ndocs/reference is stale. Write it again: make reference", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(check() if "--check" in sys.argv[1:] else write())
