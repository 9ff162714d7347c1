"""Whether the scheduler sees its workers: asked once for all who ask within a second."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from videoannotator.api.wake import SchedulerClient
from videoannotator.domain.errors import VideoAnnotatorError

ANSWER_SECONDS = 1.0  #: for the scheduler, whom health waits for
KEPT_SECONDS = 1.0  #: an answer is given again so long: strangers may ask for health


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How well the scheduler sees."""

    leads: bool  #: a scheduler leads and answers
    trouble: str  #: why workers can be neither seen nor started, for people; empty: they can


class Lookout:
    """Asks the scheduler how well it sees."""

    def __init__(
        self, scheduler: SchedulerClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is asked before the first call. `clock` counts seconds."""
        self._scheduler = scheduler
        self._clock = clock
        self._asking = asyncio.Lock()
        self._known: Outlook | None = None
        self._known_at = 0.0

    async def outlook(self) -> Outlook:
        """How well it sees now, or did within the last second. Never raises."""
        async with self._asking:
            if self._known is None or self._clock() - self._known_at >= KEPT_SECONDS:
                self._known = await self._ask()
                self._known_at = self._clock()
            return self._known

    async def _ask(self) -> Outlook:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                queue = await self._scheduler.queue()
        except VideoAnnotatorError as error:
            return Outlook(leads=False, trouble=error.message)
        except TimeoutError:
            return Outlook(leads=False, trouble="The scheduler does not answer.")
        return Outlook(leads=True, trouble=queue.trouble)
