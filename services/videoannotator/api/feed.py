"""What is new, for those who watch: one reader per process hands events to its watchers.

A watcher that fell behind reads the table itself, as it does at its beginning, so nothing is lost
however slow it is. Progress is no event: it comes from the rows, at most once a second, without an
id.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
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
MOST_NEWS = 100  # events that wait for one watcher; a slower one reads the table again
RUNNING_PER_PAGE = 100
MOST_RUNNING_PAGES = 20

#: The feed reads for everybody; each watcher is shown only what its caller may see.
_READER = Principal(user_id="", name="feed", role=Role.ADMIN)


@dataclass(eq=False, slots=True)
class Watcher:
    """Somebody who watches all that a caller may see, or one job."""

    principal: Principal
    job_id: str | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    news: deque[Event] = field(default_factory=deque)  #: from the feed, not told yet
    behind: bool = True  #: what comes next is in the table alone; set before `news` may have holes
    progress: dict[str, Mapping[str, Any]] = field(default_factory=dict)  #: newest, by job

    def may_see(self, owner_id: str, group_id: str | None, job_id: str) -> bool:
        """Whether something about this job concerns the watcher."""
        if self.job_id not in (None, job_id):
            return False
        mine = owner_id == self.principal.user_id or group_id in self.principal.group_ids
        return self.principal.sees_all or mine

    def take(self, event: Event) -> None:
        """Takes an event from the feed; falls behind rather than keep too many."""
        if len(self.news) == MOST_NEWS:
            self.behind = True
        if self.behind:  # the event will be read from the table
            self.news.clear()
        else:
            self.news.append(event)
        self.woken.set()

    def catch_up(self) -> None:
        """Called right before the watcher reads the table: what comes later is news again."""
        self.behind = False
        self.news.clear()

    def look_again(self) -> None:
        """Makes the watcher read the table."""
        self.behind = True
        self.woken.set()


class Feed:
    """Reads what is new for all watchers of this process."""

    def __init__(self, events: Events, jobs: Jobs) -> None:
        """Reads only while somebody watches."""
        self._events = events
        self._jobs = jobs
        self._watchers: set[Watcher] = set()
        self._by_job: defaultdict[str | None, set[Watcher]] = defaultdict(set)
        self._reading: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._last_id: int | None = None  # None: nobody has looked yet
        self._shown: dict[str, float] = {}

    @property
    def closed(self) -> bool:
        """The process is ending: streams end too, so that it need not wait for them."""
        return self._closed.is_set()

    def join(self, watcher: Watcher) -> None:
        """Hands the watcher what is new and wakes it, until it leaves."""
        self._watchers.add(watcher)
        self._by_job[watcher.job_id].add(watcher)
        if self._reading is None or self._reading.done():
            self._last_id = None
            self._reading = asyncio.create_task(self._read())

    def leave(self, watcher: Watcher) -> None:
        """Forgets a watcher."""
        self._watchers.discard(watcher)
        together = self._by_job[watcher.job_id]
        together.discard(watcher)
        if not together:
            del self._by_job[watcher.job_id]

    async def until_closed(self) -> None:
        """Returns when the process begins to end."""
        await self._closed.wait()

    async def close(self) -> None:
        """Ends every stream."""
        self._closed.set()
        for watcher in self._watchers:
            watcher.woken.set()
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
            for watcher in self._watchers:  # it may have looked before, and missed what came then
                watcher.look_again()
        while new := await self._events.after(self._last_id, limit=BATCH):
            for event in new:
                self._hand_out(event)
            self._last_id = new[-1].id

    def _hand_out(self, event: Event) -> None:
        for watcher in self._concerned(event.job_id):
            if watcher.may_see(event.owner_id, event.group_id, event.job_id):
                watcher.take(event)

    def _concerned(self, job_id: str) -> Iterator[Watcher]:
        """Who watches this job, or all."""
        for key in (job_id, None):
            yield from self._by_job.get(key, ())

    async def _read_progress(self) -> None:
        shown = {}
        for rows in await self._running():
            job, data = rows.job, state_data(rows)
            shown[job.id] = data["progress"]
            if self._shown.get(job.id) == data["progress"]:
                continue
            for watcher in self._concerned(job.id):
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
