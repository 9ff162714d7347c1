"""What a worker has to say, kept for every stream that asks. Used in the event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from videoannotator.domain.errors import Stopped
from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Progress
from videoannotator.rpc.work import Accepted, Completed, LogLine, WorkEvent

KEPT_LINES = 200
PROGRESS_SECONDS = 1.0  # least distance between two reports of progress


@dataclass(slots=True)
class _Cursor:
    """How far one stream has read."""

    old_lines: int  #: lines up to this number were told on an earlier stream
    accepted: Accepted | None = None
    line: int = 0
    progress: int = 0


class Messages:
    """The acceptance, the latest progress, the last log lines and the end of one attempt.

    A stream reads state, not a queue: a slow or dead reader costs no memory, and one that comes
    late gets the acceptance, the latest progress and the end like the first.
    """

    def __init__(self) -> None:
        self.end: Completed | Failure | None = None
        self._accepted: Accepted | None = None
        self._stopped = False
        self._lines: deque[tuple[int, LogLine]] = deque(maxlen=KEPT_LINES)
        self._written = self._told = 0  # numbers of the last line written, and told to anybody
        self._progress: Progress | None = None
        self._pending: Progress | None = None
        self._published = 0  # how many reports of progress there were
        self._published_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()

    def accept(self, accepted: Accepted) -> None:
        """The request was taken; said once, and once more when the video is known at last."""
        if self._accepted is None or (self._accepted.probe is None and accepted.probe is not None):
            self._accepted = accepted
            self._wake()

    def log(self, line: LogLine) -> None:
        """A line for the owner of the job."""
        self._written += 1
        self._lines.append((self._written, line))
        self._wake()

    def report(self, progress: Progress) -> None:
        """Publishes `progress`: at once, or when a second has passed since the last report."""
        self._pending = progress
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._published_at + PROGRESS_SECONDS - loop.time()
        if wait <= 0:
            self._publish()
        else:
            self._timer = loop.call_later(wait, self._publish)

    def _publish(self) -> None:
        self._timer = None
        if self._pending is None:
            return
        self._progress, self._pending = self._pending, None
        self._published += 1
        self._published_at = asyncio.get_running_loop().time()
        self._wake()

    def finish(self, end: Completed | Failure) -> None:
        """The last word, after the last progress."""
        self.accept(Accepted())
        self._publish()
        self.end = end
        self._wake()

    def stop(self) -> None:
        """Ends the streams: there will be no last word."""
        self._stopped = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def follow(self) -> AsyncIterator[WorkEvent]:
        """All there is to say to one stream, as it comes. Raises: Stopped when it ends without."""
        cursor = _Cursor(old_lines=self._told)
        while True:
            changed = self._changed
            for event in list(self._news(cursor)):
                yield event
                if event is self.end:
                    return
            if self._stopped and changed is self._changed:
                raise Stopped("The work was asked to stop.")
            await changed.wait()

    def _news(self, cursor: _Cursor) -> Iterator[WorkEvent]:
        """What the stream has not had yet."""
        if self._accepted is None:
            return
        if cursor.accepted is not self._accepted:
            cursor.accepted = self._accepted
            yield self._accepted
        yield from self._new_lines(cursor)
        if self._progress is not None and cursor.progress < self._published:
            cursor.progress = self._published
            yield self._progress
        if self.end is not None:
            yield self.end

    def _new_lines(self, cursor: _Cursor) -> Iterator[LogLine]:
        for number, line in self._lines:
            if number > cursor.line:
                cursor.line = number
                old = number <= cursor.old_lines
                yield LogLine(level=line.level, message=line.message, told_before=old)
        self._told = max(self._told, cursor.line)
