"""Pieces of Markdown."""

import re
from collections.abc import Iterable, Sequence

#: Said at the top of every page.
NOTE = "Written by `make reference`; do not edit it by hand."


def page(title: str, *parts: str) -> str:
    """A page of parts with a blank line between them."""
    return "\n\n".join([f"# {title}", NOTE, *filter(None, parts)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty when it has no rows. Columns that are empty in every row are left out."""
    lines = [[cell(each) for each in row] for row in rows]
    kept = [index for index in range(len(head)) if any(line[index] for line in lines)]
    if not kept:
        return ""
    told = [[head[index] for index in kept], ["---"] * len(kept)]
    told += [[line[index] for index in kept] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in told)


def cell(text: str) -> str:
    """A text that stays in its cell."""
    one_line = re.sub(r"\s*\n\s*", " ", re.sub(r"\n\n+", "<br>", text.strip()))
    return one_line.replace("|", "\\|")


def code(text: str) -> str:
    """A text as code; nothing for nothing."""
    return f"`{text}`" if text else ""


def anchor(heading: str) -> str:
    """The address of a heading on its page."""
    return "#" + re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")


def link(heading: str) -> str:
    """A link to a heading of the same page."""
    return f"[{heading}]({anchor(heading)})"


def meanings(kind: type) -> dict[str, str]:
    """What the members of an enumeration mean, out of the comments beside them in its source."""
    import inspect

    found = re.findall(r'= \(?\s*"([\w.]+)"\s*#: (.+)', inspect.getsource(kind))
    return {value: meaning[0].upper() + meaning[1:] + "." for value, meaning in found}
