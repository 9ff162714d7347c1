"""Time and chance for a reflector under test, and waiting for what comes soon."""

import asyncio
import time
from collections.abc import Callable

from videoannotator.scheduler.launchers.kubernetes.reflector import Instruments

PATIENCE_SECONDS = 20.0


async def eventually(condition: Callable[[], object]) -> None:
    """Waits for something that will be so soon, and fails when it is not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("this never came")
        await asyncio.sleep(0.002)


class Pace:
    """A clock that only pauses move, and that notes them."""

    def __init__(self, fraction: float = 0.0) -> None:
        """Chance always draws `fraction`."""
        self.now = 1000.0
        self.pauses: list[float] = []
        self.most = 1_000_000  # pauses; the one after never ends
        self._fraction = fraction

    @property
    def instruments(self) -> Instruments:
        """For a reflector."""
        return Instruments(
            clock=lambda: self.now, sleep=self._sleep, fraction=lambda: self._fraction
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) > self.most:
            await asyncio.Event().wait()
        self.now += seconds
        await asyncio.sleep(0)
