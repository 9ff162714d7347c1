"""What a fake API server can be told to do wrong."""

import asyncio
from dataclasses import dataclass, field

FOREVER = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Answers with an error; `committed`: after having done what was asked."""

    status: int
    reason: str = ""
    message: str = "the fake was told to"
    retry_after_seconds: int | None = None
    committed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Breaks the connection without an answer; `committed`: after having done what was asked."""

    committed: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Does what was asked only when it is let go."""

    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Lets it go."""
        self.released.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """Of a watch: an ERROR line in the stream of a fine answer."""

    code: int = 410
    reason: str = "Expired"
    message: str = "too old resource version"


@dataclass(frozen=True, slots=True)
class Close:
    """Of a watch: ends in order at once."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Of a watch: opens, and never says anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Of a watch: every line comes in pieces of so many bytes."""

    size_bytes: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Padded:
    """Of a watch: every object is made so many bytes longer."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class Garbage:
    """Of a watch: a line that is no JSON."""


Fault = Refuse | Drop | Hold | ErrorLine | Close | Silence | Pieces | Padded | Garbage

GONE = Refuse(status=410, reason="Expired", message="too old resource version: 1 (2)")
BROKEN = Refuse(status=500, reason="InternalError", message="etcdserver: leader changed")
BUSY = Refuse(
    status=429, reason="TooManyRequests", message="too many requests", retry_after_seconds=1
)
QUOTA = Refuse(
    status=403,
    reason="Forbidden",
    message='jobs.batch "x" is forbidden: exceeded quota: gpus, '
    "requested: count/jobs.batch=1, used: count/jobs.batch=4, limited: count/jobs.batch=4",
)
NO_RIGHT = Refuse(
    status=403,
    reason="Forbidden",
    message='jobs.batch is forbidden: User "system:serviceaccount:va:scheduler" cannot create '
    'resource "jobs" in API group "batch" in the namespace "va"',
)


class Faults:
    """Which faults the next requests meet, by what they ask for.

    Kinds: list-jobs, watch-jobs, get-jobs, create-jobs, delete-jobs, the same of pods, list-events
    and log.
    """

    def __init__(self) -> None:
        """None."""
        self._waiting: list[tuple[str, Fault, int]] = []

    def add(self, kind: str, fault: Fault, times: int = 1) -> None:
        """The next requests of this kind meet the fault."""
        self._waiting.append((kind, fault, times))

    def take(self, kind: str) -> Fault | None:
        """The fault that a request of this kind meets."""
        for place, (wanted, fault, times) in enumerate(self._waiting):
            if wanted == kind:
                self._waiting[place] = (wanted, fault, times - 1)
                self._waiting = [each for each in self._waiting if each[2] > 0]
                return fault
        return None

    def clear(self) -> None:
        """Everything works again."""
        self._waiting.clear()
