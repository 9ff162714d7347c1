"""Questions to the API server that no watch answers: events, and second looks by name."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.tracing import Trace
from videoannotator.scheduler.launchers.kubernetes.views import EventView, JobView, PodView
from videoannotator.telemetry import get_logger

EVENTS_SECONDS = 10.0  #: between two looks at the events of one worker
MOST_AT_ONCE = 20  #: questions in one round: the rest has its turn in the next

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look by name found, and when."""

    jobs: tuple[JobView, ...]
    pods: tuple[PodView, ...]
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about one worker."""

    worker_id: str
    uids: tuple[str, ...] = ()  #: objects whose events are wanted
    job_name: str = ""  #: a Kubernetes Job that is looked for; empty: none
    pod_names: tuple[str, ...] = ()  #: pods that are looked for


class Scout:
    """Asks in the background, one question after the other; the answers are there at a later look.

    Times are seconds of the monotonic clock.
    """

    def __init__(
        self,
        cluster: Cluster,
        ring: Callable[[], None],
        *,
        second_look_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """What is missing is looked for by name `second_look_seconds` after it was missed."""
        self._cluster = cluster
        self._ring = ring
        self._second_look_seconds = second_look_seconds
        self._clock = clock
        self._events: dict[str, tuple[EventView, ...]] = {}
        self._asked_at: dict[str, float] = {}
        self._missed_at: dict[str, float] = {}
        self._found: dict[str, Found] = {}
        self._task: asyncio.Task[None] | None = None

    def events(self, worker_id: str) -> tuple[EventView, ...]:
        """The events that were last read of a worker's objects."""
        return self._events.get(worker_id, ())

    def found(self, worker_id: str) -> Found | None:
        """What the last look by name found; None: there was none since it was missed."""
        return self._found.get(worker_id)

    def notice(self, worker_id: str, *, missing: bool) -> None:
        """Whether something of a worker is missing now."""
        if missing:
            self._missed_at.setdefault(worker_id, self._clock())
        elif worker_id not in self._found:
            self._missed_at.pop(worker_id, None)

    def ask(self, questions: Iterable[Question]) -> None:
        """Begins a round of those that are due, unless one is under way."""
        if self._task is not None and not self._task.done():
            return
        due = [each for each in questions if self._due(each)][:MOST_AT_ONCE]
        if due:
            self._task = asyncio.create_task(self._round(due), name="scout")

    def forget(self, known: Iterable[str]) -> None:
        """Keeps nothing but what concerns the workers `known`."""
        keep = set(known)
        for kept in (self._events, self._asked_at, self._missed_at, self._found):
            for worker_id in kept.keys() - keep:
                del kept[worker_id]

    async def close(self) -> None:
        """Asks no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _due(self, question: Question) -> bool:
        now = self._clock()
        if question.job_name:
            missed, found = (
                self._missed_at.get(question.worker_id),
                self._found.get(question.worker_id),
            )
            since = missed if found is None else found.at
            return since is not None and now - since >= self._second_look_seconds
        asked = self._asked_at.get(question.worker_id)
        return bool(question.uids) and (asked is None or now - asked >= EVENTS_SECONDS)

    async def _round(self, questions: list[Question]) -> None:
        for question in questions:
            try:
                await self._answer(question)
            except VideoAnnotatorError as error:
                log.debug("cluster.unasked", worker_id=question.worker_id, reason=error.message)
        self._ring()

    async def _answer(self, question: Question) -> None:
        worker_id = question.worker_id
        if question.job_name:
            job = await self._cluster.get_job(question.job_name)
            pods = [await self._cluster.get_pod(name) for name in question.pod_names]
            self._found[worker_id] = Found(
                jobs=() if job is None else (job,),
                pods=tuple(pod for pod in pods if pod is not None),
                at=self._clock(),
            )
            return
        self._asked_at[worker_id] = self._clock()
        told = [await self._cluster.events_of(uid) for uid in question.uids]
        self._events[worker_id] = tuple(each for events in told for each in events)


def look_by_name(worker_id: str, trace: Trace, job_name: str) -> Question:
    """Asks for what is missing of a worker."""
    missing = tuple(each.view.name for each in trace.departed_pods if not each.view.ended)
    return Question(worker_id=worker_id, job_name=job_name, pod_names=missing)


def read_events(worker_id: str, trace: Trace) -> Question:
    """Asks what the cluster tells about a worker's objects."""
    return Question(worker_id=worker_id, uids=tuple(trace.present_uids()))
