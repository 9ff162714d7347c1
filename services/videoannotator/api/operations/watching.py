"""Watching: what happens to jobs, as it happens, and what was logged."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from videoannotator.api.feed import Feed, Watcher
from videoannotator.api.operations.auditing import Hook, use_case
from videoannotator.api.operations.jobs import named
from videoannotator.domain.access import Principal
from videoannotator.domain.errors import Unavailable
from videoannotator.domain.events import Event, EventKind
from videoannotator.domain.jobs import JOB_FINAL
from videoannotator.store.events import FINAL_KINDS, Events, state_data
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import JobRows
from videoannotator.telemetry import log

HEARTBEAT_SECONDS = 15.0
AGAIN_SECONDS = 1.0  # between two looks while the database does not answer
BATCH = 200
MOST_SHARED = 256  # messages that are kept for who is told the same
ENDING = frozenset(FINAL_KINDS.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Message:
    """One thing to tell; the same object for all who are told it."""

    kind: EventKind | None = None  #: None: about the stream itself
    id: int | None = None  #: None: not to be resumed from, as progress
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Lines of a job's log, oldest first."""

    events: tuple[Event, ...]
    last_id: int  #: ask for what is after it


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOperations:
    """What a caller may watch."""

    jobs: Jobs
    events: Events
    feed: Feed
    hook: Hook
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    _shared: dict[int, Message] = field(default_factory=dict)  #: of the newest events, by id

    @use_case("events.watch")
    async def watch(self, principal: Principal, last_id: int | None) -> AsyncGenerator[Message]:
        """Everything that the caller may see, after the event `last_id` or from now on."""
        newest = await self.events.last_id()
        start = newest if last_id is None else min(last_id, newest)
        return self._stream(Watcher(principal), start, [])

    @use_case("job.watch")
    async def watch_job(
        self, principal: Principal, job_id: str, last_id: int | None
    ) -> AsyncGenerator[Message] | None:
        """One job: its state, then what changes, until it has ended. None: nothing more will come.

        Raises: JobNotFound.
        """
        newest = await self.events.last_id()
        with named(job_id):
            rows = await self.jobs.get(principal, job_id)
        ended = rows.job.state in JOB_FINAL
        resumed = last_id is not None and last_id <= newest
        if resumed and last_id is not None:
            left = await self.events.after(last_id, job_id=job_id, limit=1)
            if ended and not left:
                return None
            return self._stream(Watcher(principal, job_id), last_id, [])
        return self._stream(Watcher(principal, job_id), newest, [_state(rows, newest)])

    async def _stream(
        self, watcher: Watcher, last_id: int, first: list[Message]
    ) -> AsyncGenerator[Message]:
        self.feed.join(watcher)
        try:
            yield Message(data={"type": "connected", "timestamp": _now()})
            while first:
                message = first.pop(0)
                yield message
                if message.kind in ENDING:
                    return
                del message  # a stream waits for long; nothing that was told waits with it
            while not self.feed.closed:
                watcher.woken.clear()
                async for message in self._news(watcher, last_id):
                    last_id = message.id or last_id
                    yield message
                    if watcher.job_id is not None and message.kind in ENDING:
                        return
                    del message
                if not await self._woken(watcher):
                    yield Message(data=_heartbeat())
        finally:
            self.feed.leave(watcher)

    async def _news(self, watcher: Watcher, last_id: int) -> AsyncGenerator[Message]:
        """Events first: progress that is older than an ending is not told after it."""
        while watcher.behind or watcher.news:
            if watcher.behind:
                new = await self._missed(watcher, last_id)
            else:
                new = [event for event in [watcher.news.popleft()] if event.id > last_id]
            if new is None:
                yield Message(data=_heartbeat())
                return
            for event in new:
                last_id = event.id
                watcher.progress.pop(event.job_id, None)
                yield self._told(event)
        progress, watcher.progress = watcher.progress, {}
        for data in progress.values():
            yield Message(kind=EventKind.UPDATE, data={**data, "timestamp": _now()})

    async def _missed(self, watcher: Watcher, last_id: int) -> list[Event] | None:
        """What the table says comes next; None when it does not answer."""
        watcher.catch_up()
        # A watcher goes away at any moment; a connection must not be left in mid-query then.
        new = await asyncio.shield(self._after(watcher, last_id))
        if new is None or len(new) == BATCH:
            watcher.look_again()
        return new

    async def _after(self, watcher: Watcher, last_id: int) -> list[Event] | None:
        """What comes next; None, a moment later, while the database does not answer.

        A stream that has begun has no other way to say so, and goes on when it answers again.
        """
        caller = watcher.principal
        try:
            return await self.events.after(
                last_id,
                owner_id=None if caller.sees_all else caller.user_id,
                group_ids=caller.group_ids,
                job_id=watcher.job_id,
                limit=BATCH,
            )
        except Unavailable as error:
            log.debug("watch_failed", reason=error.message)  # the feed warns, once for all
        with suppress(TimeoutError):
            await asyncio.wait_for(self.feed.until_closed(), AGAIN_SECONDS)
        return None

    def _told(self, event: Event) -> Message:
        message = self._shared.get(event.id)
        if message is None:
            if len(self._shared) >= MOST_SHARED:
                self._shared.clear()
            message = self._shared[event.id] = _told(event)
        return message

    async def _woken(self, watcher: Watcher) -> bool:
        with suppress(TimeoutError):  # and not wait_for: that makes a task for each who waits
            async with asyncio.timeout(self.heartbeat_seconds):
                await watcher.woken.wait()
        return watcher.woken.is_set()

    @use_case("job.logs")
    async def logs(self, principal: Principal, job_id: str, after: int, limit: int) -> Logs:
        """Up to `limit` lines after the event `after`. Raises: JobNotFound."""
        with named(job_id):
            await self.jobs.get(principal, job_id)
        lines: list[Event] = []
        while len(lines) < limit:
            new = await self.events.after(after, job_id=job_id, limit=BATCH)
            for event in new:
                after = event.id
                if event.kind is EventKind.LOG:
                    lines.append(event)
                if len(lines) == limit:
                    break
            if len(new) < BATCH:
                break
        return Logs(events=tuple(lines), last_id=after)


def _state(rows: JobRows, newest: int) -> Message:
    kind = FINAL_KINDS.get(rows.job.state, EventKind.UPDATE)
    data = {**state_data(rows), "timestamp": _time(rows.job.updated_at)}
    return Message(kind=kind, id=newest, data=with_ending(kind, data))


def _told(event: Event) -> Message:
    data = {**event.data, "timestamp": _time(event.created_at)}
    return Message(kind=event.kind, id=event.id, data=with_ending(event.kind, data))


def with_ending(kind: EventKind, data: Mapping[str, Any]) -> dict[str, Any]:
    """What existing clients read at the end of a job, beside its state."""
    if kind is EventKind.COMPLETE:
        return {**data, "completion_time": data.get("completed_at")}
    if kind is EventKind.ERROR:
        errors = [run["error"] for run in data.get("runs", ()) if run.get("error")]
        return {**data, "error_code": errors[0]["code"] if errors else None}
    return dict(data)


def _now() -> str:
    return _time(datetime.now(UTC))


def _time(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _heartbeat() -> dict[str, str]:
    return {"type": "heartbeat", "timestamp": _now(), "message": "Server is alive"}
