"""What a watch says, and what to do when it ends: pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from videoannotator.scheduler.launchers.kubernetes.answers import message_of, wait_of
from videoannotator.scheduler.launchers.kubernetes.views import resource_version_of

#: So many refusals in a row, and the place in the history is given up for a new list: some proxies
#: and restored clusters answer a lost place with something else than 410.
REFUSALS_BEFORE_LISTING = 6
#: So many watches in a row that open and say nothing, not even a bookmark, and we list: a cluster
#: that was restored from a backup counts from a lower place, and is silent until it comes to ours.
SILENCES_BEFORE_LISTING = 2
TOO_NEW = "ResourceVersionTooLarge"  #: the cluster's history was set back behind our place


class StrangeLineError(ValueError):
    """A line that no API server writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The times of a reflector, in seconds."""

    shortest_watch_seconds: float = 240.0  #: the server is asked to end a watch after this...
    longest_watch_seconds: float = 300.0  #: ...to this: not all watches at once
    idle_seconds: float = 70.0  #: bookmarks come every 60 or so; a longer silence is a dead path
    quick_seconds: float = 5.0  #: a watch that ends sooner is a failure, however it ends
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30.0
    fresh_seconds: float = 120.0  #: older than this is stale


class Ending(StrEnum):
    """How a list or a watch ended."""

    CLOSED = "closed"  #: by the server, in order
    EXPIRED = "expired"  #: our place in the history is gone: 410, in either form
    REFUSED = "refused"  #: answered, with something we cannot use
    SILENT = "silent"  #: opened, and then nothing was heard for too long
    BROKEN = "broken"  #: no answer, a broken connection, or a silence after something was heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a list or a watch."""

    ending: Ending
    lasted_seconds: float = 0.0  #: of an opened watch
    retry_after_seconds: float | None = None  #: what the server asked for
    trouble: str = ""  #: for the operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where in the history we are, and how well it goes."""

    version: str = ""  #: watch from here; empty: list first
    failures: int = 0  #: in a row
    refusals: int = 0  #: in a row, with an answer
    silences: int = 0  #: since a watch said anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of a watch."""

    kind: str  #: ADDED | MODIFIED | DELETED | BOOKMARK | ERROR
    object: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Our place in the history after it."""
        return "" if self.kind == "ERROR" else resource_version_of(self.object)


def happening_of(line: bytes) -> Happening:
    """What a line says.

    Raises: StrangeLineError.
    """
    try:
        found = json.loads(line)
    except ValueError as error:
        raise StrangeLineError("no JSON") from error
    inner = found.get("object") if isinstance(found, dict) else None
    if not isinstance(inner, dict):
        raise StrangeLineError("no object")
    return Happening(kind=str(found.get("type")), object=inner)


def outcome_of_error(status: Mapping[str, Any]) -> Outcome:
    """What an ERROR line means, whose object is a Status."""
    lost = status.get("code") == 410 or status.get("reason") in ("Expired", "Gone")
    return Outcome(
        ending=Ending.EXPIRED if lost or _is_too_new(status) else Ending.REFUSED,
        retry_after_seconds=wait_of(status),
        trouble=message_of(status),
    )


def after(progress: Progress, outcome: Outcome, timing: Timing) -> Progress:
    """How to go on after a list or a watch has ended."""
    went_well = outcome.lasted_seconds >= timing.quick_seconds
    failures = 0 if went_well else progress.failures
    refusals = 0 if went_well else progress.refusals
    if not (went_well and outcome.ending is Ending.CLOSED):
        failures += 1
    if outcome.ending is Ending.REFUSED:
        refusals += 1
    silences = progress.silences + (outcome.ending is Ending.SILENT)
    lost = (
        outcome.ending is Ending.EXPIRED
        or refusals >= REFUSALS_BEFORE_LISTING
        or silences >= SILENCES_BEFORE_LISTING
    )
    if lost:
        return Progress(version="", failures=failures)
    return replace(progress, failures=failures, refusals=refusals, silences=silences)


def pause_of(progress: Progress, outcome: Outcome, fraction: float, timing: Timing) -> float:
    """Seconds until the next try; `fraction` of 0-1 is chance, so that nobody comes in step."""
    if progress.failures == 0:
        return 0.0
    doubled = timing.first_pause_seconds * 2.0 ** min(progress.failures, 16)
    ceiling = min(timing.longest_pause_seconds, doubled)
    pause = max(timing.first_pause_seconds, ceiling * (0.5 + fraction / 2.0))
    return max(pause, outcome.retry_after_seconds or 0.0)


def watch_seconds(fraction: float, timing: Timing) -> int:
    """For how long the next watch is asked for."""
    spread = timing.longest_watch_seconds - timing.shortest_watch_seconds
    return round(timing.shortest_watch_seconds + fraction * spread)


def _is_too_new(status: Mapping[str, Any]) -> bool:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    if not isinstance(causes, list):
        return False
    return any(isinstance(each, Mapping) and each.get("reason") == TOO_NEW for each in causes)
