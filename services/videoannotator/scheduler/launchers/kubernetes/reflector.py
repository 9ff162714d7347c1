"""Keeps a copy of a cluster's objects by listing once and then watching without a gap."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic

from videoannotator.domain.errors import Unavailable, VideoAnnotatorError
from videoannotator.scheduler.launchers.kubernetes import requests
from videoannotator.scheduler.launchers.kubernetes.answers import (
    REACHING,
    Answer,
    fault_of,
    retry_after_of,
)
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster, continue_of, items_of
from videoannotator.scheduler.launchers.kubernetes.connection import Connection, Stream
from videoannotator.scheduler.launchers.kubernetes.lines import Lines, LineTooLongError
from videoannotator.scheduler.launchers.kubernetes.requests import Collection
from videoannotator.scheduler.launchers.kubernetes.sightings import Seen, Sightings, View
from videoannotator.scheduler.launchers.kubernetes.views import (
    JobView,
    PodView,
    job_view,
    pod_view,
    resource_version_of,
    uid_of,
)
from videoannotator.scheduler.launchers.kubernetes.watching import (
    Ending,
    Happening,
    Outcome,
    Progress,
    StrangeLineError,
    Timing,
    after,
    happening_of,
    outcome_of_error,
    pause_of,
    watch_seconds,
)
from videoannotator.telemetry import metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Time and chance."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    fraction: Callable[[], float] = random.random  #: 0-1; only spreads requests in time


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Generic[View]):
    """What is copied."""

    collection: Collection
    view: Callable[[object], View]
    page: int = requests.PAGE


class Reflector(Generic[View]):
    """A copy of one collection, kept by one task.

    Times are seconds of the monotonic clock. Who reads it looks at what is, not at what changed.
    """

    def __init__(
        self,
        connection: Connection,
        source: Source[View],
        changed: Callable[[], None],
        *,
        timing: Timing | None = None,
        instruments: Instruments | None = None,
    ) -> None:
        """`changed` is called in the loop's thread whenever the copy has changed."""
        self._connection = connection
        self._source = source
        self._changed = changed
        self._timing = timing or Timing()
        self._instruments = instruments or Instruments()
        self._progress = Progress()
        self._seen: Sightings[View] = Sightings()
        self._task: asyncio.Task[None] | None = None
        self._first = asyncio.Event()
        self._name = source.collection.path.rpartition("/")[2]
        self._started_at = 0.0
        self._synced_at: float | None = None
        self._gapless_since: float | None = None
        self._trouble = ""
        self._heard = False  #: anything of the open watch
        #: How often each happened: list, watch, opened, event, closed, expired, refused,
        #: silent, broken.
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        """Begins to list and watch, until `close`."""
        if self._task is None:
            self._started_at = self._instruments.clock()
            metrics.WATCH_AGE_SECONDS.labels(self._name).set_function(self._age)
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stops watching; the copy stays as it is."""
        task, self._task = self._task, None
        if task is not None:
            metrics.WATCH_AGE_SECONDS.labels(self._name).set_function(lambda: 0.0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _age(self) -> float:
        since = self._started_at if self._synced_at is None else self._synced_at
        return max(self._instruments.clock() - since, 0.0)

    def _count(self, what: str) -> None:
        self.counts[what] += 1
        metrics.WATCH_OUTCOMES.labels(self._name, what).inc()

    async def until_synced(self) -> None:
        """Waits for the first whole list."""
        await self._first.wait()

    @property
    def objects(self) -> Mapping[str, View]:
        """What is there, by UID: a live view that cannot be written to."""
        return self._seen.objects

    @property
    def departed(self) -> Mapping[str, Seen[View]]:
        """What is not there any more, by UID, until it is forgotten."""
        return self._seen.departed()

    def last_seen(self, uid: str) -> Seen[View] | None:
        """The last that was seen of an object; None: never seen, or forgotten."""
        return self._seen.last_seen(uid)

    def forget(self, uid: str) -> None:
        """Drops what is kept of an object that is not there any more."""
        self._seen.forget(uid)

    @property
    def synced_at(self) -> float | None:
        """When the cluster last said anything; None before the first list is whole."""
        return self._synced_at

    @property
    def gapless_since(self) -> float | None:
        """Since when no change can have been missed; None while there is a gap."""
        return self._gapless_since

    @property
    def trouble(self) -> str:
        """What keeps it from listing or watching, and what to do; empty when it goes well."""
        return self._trouble

    @property
    def alive(self) -> bool:
        """Whether its task runs: a task that ended by itself is a fault of ours."""
        return self._task is not None and not self._task.done()

    def fresh(self, now: float) -> bool:
        """Whether the copy may be relied on for launching."""
        return self._synced_at is not None and now - self._synced_at <= self._timing.fresh_seconds

    def saw_all(self, since: float, until: float) -> bool:
        """Whether every change between these two moments has been seen."""
        if self._gapless_since is None or self._synced_at is None:
            return False
        return self._gapless_since <= since and self._synced_at >= until

    async def _run(self) -> None:
        while True:
            outcome = await self._pass()
            self._count(outcome.ending)
            self._progress = after(self._progress, outcome, self._timing)
            if not self._progress.version:
                self._gapless_since = None
            if self._progress.failures:
                self._trouble = outcome.trouble
            fraction = self._instruments.fraction()
            pause = pause_of(self._progress, outcome, fraction, self._timing)
            if pause > 0.0:
                await self._instruments.sleep(pause)

    async def _pass(self) -> Outcome:
        """Lists when our place in the history is lost, then watches; says how that ended."""
        try:
            if not self._progress.version:
                await self._list()
            return await self._watch()
        except Unavailable as error:
            wait = error.retry_after_seconds
            return _outcome(Ending.BROKEN, error, wait)
        except VideoAnnotatorError as error:
            return _outcome(Ending.REFUSED, error, None)

    async def _list(self) -> None:
        """Copies the whole collection."""
        found: dict[str, View] = {}
        token, version = "", ""
        while True:
            self._count("list")
            page = requests.page(self._source.collection, self._source.page, token)
            answer = await self._connection.ask(page)
            items = [each for each in items_of(answer) if uid_of(each)]
            found |= {uid_of(each): self._source.view(each) for each in items}
            version, token = resource_version_of(answer), continue_of(answer)
            if not token:
                break
        if not version:
            raise Unavailable("What answers is not an API server.", hint=REACHING)
        self._take_over(found, version)

    def _take_over(self, found: Mapping[str, View], version: str) -> None:
        now = self._instruments.clock()
        self._progress = replace(self._progress, version=version)
        self._synced_at = self._gapless_since = now
        self._trouble = ""
        if self._seen.replace(found, now) or not self._first.is_set():
            self._changed()
        self._first.set()

    async def _watch(self) -> Outcome:
        """Follows all changes until the watch ends."""
        self._count("watch")
        seconds = watch_seconds(self._instruments.fraction(), self._timing)
        request = requests.watch(self._source.collection, self._progress.version, seconds)
        opened: float | None = None
        self._heard = False
        try:
            async with self._connection.stream(request, self._timing.idle_seconds) as stream:
                if not stream.answer.fine:
                    return await self._not_opened(stream.answer)
                opened = self._instruments.clock()
                self._count("opened")
                outcome = await self._follow(stream)
        except Unavailable as error:
            timed_out = isinstance(error.__cause__, TimeoutError)
            silent = timed_out and opened is not None and not self._heard
            outcome = _outcome(Ending.SILENT if silent else Ending.BROKEN, error, None)
        lasted = 0.0 if opened is None else self._instruments.clock() - opened
        return replace(outcome, lasted_seconds=lasted)

    async def _not_opened(self, answer: Answer) -> Outcome:
        if answer.status == 401:
            await self._connection.renew()
        ending = Ending.EXPIRED if answer.status == 410 else Ending.REFUSED
        return _outcome(ending, fault_of(answer), retry_after_of(answer))

    async def _follow(self, stream: Stream) -> Outcome:
        lines = Lines()
        try:
            async for piece in stream.chunks:
                for line in lines.feed(piece):
                    happening = happening_of(line)
                    if happening.kind == "ERROR":
                        return outcome_of_error(happening.object)
                    self._note(happening)
        except (LineTooLongError, StrangeLineError):
            return Outcome(ending=Ending.REFUSED, trouble="The watch says what is not understood.")
        return Outcome(ending=Ending.CLOSED, trouble="The API server ends every watch at once.")

    def _note(self, happening: Happening) -> None:
        """Takes one change over, and the place in the history behind it."""
        now = self._instruments.clock()
        version = happening.version or self._progress.version
        self._progress = replace(self._progress, version=version, silences=0)
        self._heard = True
        self._synced_at = now
        self._trouble = ""
        uid = uid_of(happening.object)
        if happening.kind == "BOOKMARK" or not uid:
            return
        self._count("event")
        if self._apply(happening.kind, uid, happening.object, now):
            self._changed()

    def _apply(self, kind: str, uid: str, raw: Mapping[str, Any], now: float) -> bool:
        view = self._source.view(raw)
        if kind == "DELETED":
            return self._seen.delete(uid, view, now)
        return self._seen.put(uid, view, now)


def job_reflector(
    cluster: Cluster,
    selector: str,
    changed: Callable[[], None],
    *,
    timing: Timing | None = None,
    instruments: Instruments | None = None,
) -> Reflector[JobView]:
    """Copies the Kubernetes Jobs with these labels."""
    source = Source(collection=requests.jobs(cluster.namespace, selector), view=job_view)
    return Reflector(cluster.connection, source, changed, timing=timing, instruments=instruments)


def pod_reflector(
    cluster: Cluster,
    selector: str,
    changed: Callable[[], None],
    *,
    timing: Timing | None = None,
    instruments: Instruments | None = None,
) -> Reflector[PodView]:
    """Copies the pods with these labels."""
    source = Source(collection=requests.pods(cluster.namespace, selector), view=pod_view)
    return Reflector(cluster.connection, source, changed, timing=timing, instruments=instruments)


def _outcome(
    ending: Ending, error: VideoAnnotatorError, retry_after_seconds: float | None
) -> Outcome:
    trouble = f"{error.message} {error.hint}".strip()
    return Outcome(ending=ending, retry_after_seconds=retry_after_seconds, trouble=trouble)
