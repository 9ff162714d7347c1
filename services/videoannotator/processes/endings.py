"""How a process comes to its end: by a signal, by a closed stdin, by a part that broke."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from videoannotator.telemetry import get_logger

CHECK_SECONDS = 1.0

#: Tells whether a part still works.
Alive = Callable[[], bool]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ends."""

    status: int  #: exit status
    take_workers: bool  #: end the workers, too; else they run on for the next leader


#: Ctrl-C means all of it. SIGTERM is what an upgrade sends: the next start takes the workers over.
INTERRUPTED = Ending(status=130, take_workers=True)
TERMINATED = Ending(status=0, take_workers=False)
LEFT_ALONE = Ending(status=0, take_workers=True)
BROKEN = Ending(status=1, take_workers=False)
#: Ctrl-C where another process of the same kind takes over.
INTERRUPTED_ALONE = Ending(status=130, take_workers=False)


class End:
    """The end of this process, once somebody wants it. Made inside the event loop."""

    def __init__(self) -> None:
        """Nobody wants it yet."""
        self._loop = asyncio.get_running_loop()
        self._wanted: asyncio.Future[Ending] = self._loop.create_future()

    @property
    def how(self) -> Ending:
        """How it ends; broken, when it ends though nobody wanted it."""
        return self._wanted.result() if self._wanted.done() else BROKEN

    def want(self, how: Ending) -> None:
        """Asks for the end; the first one who asks says how."""
        if not self._wanted.done():
            self._wanted.set_result(how)

    def listen_for_signals(self, interrupted: Ending = INTERRUPTED) -> None:
        """SIGINT ends it as `interrupted` says, SIGTERM as an upgrade does."""
        for number, how in ((signal.SIGINT, interrupted), (signal.SIGTERM, TERMINATED)):
            self._loop.add_signal_handler(number, self._take, number, how)

    def _take(self, number: signal.Signals, how: Ending) -> None:
        log.info("ending", signal=number.name)
        # A second Ctrl-C does not wait for anything: the workers end by their orphan rule.
        self._loop.remove_signal_handler(number)
        self.want(how)

    def listen_to_stdin(self) -> None:
        """Ends it, workers and all, when whoever started it is gone."""
        stdin = sys.stdin.fileno()

        def look() -> None:
            with suppress(BlockingIOError):
                if os.read(stdin, 1024):
                    return
            self._loop.remove_reader(stdin)
            self.want(LEFT_ALONE)

        self._loop.add_reader(stdin, look)

    async def wait(self, parts: Mapping[str, Alive]) -> Ending:
        """Waits for the end, which also comes when a part broke: only a restart mends that."""
        while not self._wanted.done():
            await asyncio.wait([self._wanted], timeout=CHECK_SECONDS)
            broken = [name for name, alive in parts.items() if not alive()]
            if broken and not self._wanted.done():
                log.error("part_broken", part=broken[0])
                self.want(BROKEN)
        return self.how
