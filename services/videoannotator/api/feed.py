"""What is new, for those who watch: one reader per process wakes its watchers.

A watcher reads its own events after the last one it has, so a lost wake costs a delay and nothing
else. Progress is no event: it comes from the rows, at most once a second, without an id.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from videoannotator.domain.access import Principal, Role
from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.domain.events import Event
from videoannotator.domain.jobs import JobState
from videoannotator.store.events import Events, state_data
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import JobFilter, JobRows
from videoannotator.telemetry import log

POLL_SECONDS = 0.5
POLLS_PER_PROGRESS = 2  # progress at most once a second
BATCH = 500
RUNNING_PER_PAGE = 100
MOST_RUNNING_PAGES = 20

#: The feed reads for everybody; each watcher is shown only what its caller may see.
_READER = Principal(user_id="", name="feed", role=Role.ADMIN)


@dataclass(eq=False)
class Watcher:
    """Somebody who watches all that a caller may see, or one job."""

    principal: Principal
    job_id: str | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    progress: dict[str, Mapping[str, Any]] = field(default_factory=dict)  #: newest, by job

    def may_see(self, owner_id: str, group_id: str | None, job_id: str) -> bool:
        """Whether something about this job concerns the watcher."""
        if self.job_id not in (None, job_id):
            return False
        mine = owner_id == self.principal.user_id or group_id in self.principal.group_ids
        return self.principal.sees_all or mine

    def may_care(self, event: Event) -> bool:
        """Whether a look at the events is worth it; an event does not say whose group it is of."""
        if self.job_id not in (None, event.job_id):
            return False
        mine = event.owner_id == self.principal.user_id or bool(self.principal.group_ids)
        return self.principal.sees_all or mine


class Feed:
    """Reads what is new for all watchers of this process."""

    def __init__(self, events: Events, jobs: Jobs) -> None:
        """Reads only while somebody watches."""
        self._events = events
        self._jobs = jobs
        self._watchers: set[Watcher] = set()
        self._reading: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._last_id: int | None = None  # None: nobody has looked yet
        self._shown: dict[str, float] = {}

    @property
    def closed(self) -> bool:
        """The process is ending: streams end too, so that it need not wait for them."""
        return self._closed.is_set()

    @asynccontextmanager
    async def watch(self, watcher: Watcher) -> AsyncIterator[Watcher]:
        """Wakes the watcher whenever there is something for it."""
        self._watchers.add(watcher)
        if self._reading is None or self._reading.done():
            self._last_id = None
            self._reading = asyncio.create_task(self._read())
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def until_closed(self) -> None:
        """Returns when the process begins to end."""
        await self._closed.wait()

    async def close(self) -> None:
        """Ends every stream."""
        self._closed.set()
        self._wake_all()
        if self._reading is not None:
            await asyncio.wait([self._reading])

    async def _read(self) -> None:
        turn = 0
        while self._watchers and not self.closed:
            try:
                await self._read_events()
                if turn % POLLS_PER_PROGRESS == 0:
                    await self._read_progress()
            except VideoAnnotatorError as error:
                log.warning("feed_failed", reason=error.message)
            turn += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), POLL_SECONDS)

    async def _read_events(self) -> None:
        if self._last_id is None:
            self._last_id = await self._events.last_id()
            self._wake_all()  # they may have looked before
        while new := await self._events.after(self._last_id, limit=BATCH):
            for event in new:
                self._wake(event)
            self._last_id = new[-1].id

    def _wake_all(self) -> None:
        for watcher in self._watchers:
            watcher.woken.set()

    def _wake(self, event: Event) -> None:
        for watcher in self._watchers:
            if watcher.may_care(event):
                watcher.woken.set()

    async def _read_progress(self) -> None:
        shown = {}
        for rows in await self._running():
            job, data = rows.job, state_data(rows)
            shown[job.id] = data["progress"]
            if self._shown.get(job.id) == data["progress"]:
                continue
            for watcher in self._watchers:
                if watcher.may_see(job.owner_id, job.group_id, job.id):
                    watcher.progress[job.id] = data
                    watcher.woken.set()
        self._shown = shown

    async def _running(self) -> list[JobRows]:
        found: list[JobRows] = []
        for page in range(1, MOST_RUNNING_PAGES + 1):
            which = JobFilter(status=JobState.RUNNING)
            jobs, total = await self._jobs.list(_READER, which, page, RUNNING_PER_PAGE)
            found += jobs
            if page * RUNNING_PER_PAGE >= total:
                break
        return found
