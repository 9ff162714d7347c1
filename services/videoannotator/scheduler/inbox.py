"""What tasks learned, for the loop: only the loop writes."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Progress
from videoannotator.domain.videos import Probe
from videoannotator.scheduler.observed import AttemptKey, Ended, Examined


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something that a task learned of a worker."""

    worker_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Message):
    """It answered a call."""

    described_by: str | None = None  #: it was Describe, to this process of the worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Message):
    """It opened the video."""

    probe: Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Message):
    """It told how far it is."""

    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Message):
    """A line of its log."""

    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Message):
    """Its own last message."""

    ended: Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEnded(Message):
    """A create was sent, or refused for good, or nobody knows: then the next look tells."""

    landed: bool = False  #: it was answered: what it made is there, and nothing is on its way
    failure: Failure | None = None  #: it was refused for good
    again_after_seconds: float | None = None  #: it is repeated, not before this time has passed


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateEnded(Message):
    """One request to end was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineEnded(Message):
    """The storage was looked into; None: it could not be read, look again."""

    key: AttemptKey
    examined: Examined | None


class Inbox:
    """Messages in order, and a bell.

    Nothing in it is needed: whatever is lost will be seen at the next look.
    """

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._bell = asyncio.Event()

    def put(self, message: Message, *, ring: bool = True) -> None:
        """Adds a message; `ring` wakes the loop at once."""
        self._messages.append(message)
        if ring:
            self._bell.set()

    def ring(self) -> None:
        """Says "look now"."""
        self._bell.set()

    def take(self) -> list[Message]:
        """All messages so far, oldest first."""
        taken, self._messages = self._messages, []
        return taken

    async def wait(self, seconds: float) -> None:
        """Returns at the next ring, or after `seconds`."""
        # Not wait_for: on Python 3.11 it drops a cancel that comes together with the ring.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        self._bell.clear()
