"""A worker's last log lines, as its owner may read them: what happened, without places."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_LINE = 300  # characters; the whole line is in the worker's log
QUIET = frozenset({"time", "level", "event", "process", "exception", "run_id", "attempt"})
QUIET |= {"worker_id", "job_id", "pid"}
# An absolute path of two parts or more: its last part says enough.
_PATH = re.compile(r"(?:file:)?(?:/[^\s/:'\",)\]]+)+/([^\s/:'\",)\]]+)")


def readable(lines: Sequence[str], most: int) -> tuple[str, ...]:
    """The last `most` lines, oldest first: a level, an event, its fields; never a stack trace.

    Of an exception its last line is kept, which names and explains it. Paths lose their folders.
    """
    return tuple(_without_places(_sentence(line))[:LONGEST_LINE] for line in lines[-most:])


def _sentence(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line.rstrip()
    return _told(entry) if isinstance(entry, Mapping) else line.rstrip()


def _told(entry: Mapping[str, Any]) -> str:
    fields = [f"{name}={value}" for name, value in entry.items() if name not in QUIET]
    said = [str(entry.get("level", "")), str(entry.get("event", "")), *fields]
    trace = str(entry.get("exception", "")).strip()
    if trace:
        said.append(f"({trace.splitlines()[-1]})")
    return " ".join(word for word in said if word)


def _without_places(text: str) -> str:
    return _PATH.sub(r"\1", text)
