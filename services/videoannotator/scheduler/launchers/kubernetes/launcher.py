"""Workers as Kubernetes Jobs. Decides nothing: what is seen is `looking`, what follows `reconcile`.

One Kubernetes Job per worker, created from the body in the worker's row under the name in it: so a
repeated create can only find the first one.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from videoannotator.domain.errors import Conflict, Forbidden, Unavailable, VideoAnnotatorError
from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers.interface import Observation, Phase, Sight, Stray, Watch
from videoannotator.scheduler.launchers.kubernetes import names
from videoannotator.scheduler.launchers.kubernetes.avoiding import Avoided
from videoannotator.scheduler.launchers.kubernetes.believing import Beliefs, utc_now
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.ending import Ending
from videoannotator.scheduler.launchers.kubernetes.looking import diagnosis_of, pod_of, sight_of
from videoannotator.scheduler.launchers.kubernetes.reflector import job_reflector, pod_reflector
from videoannotator.scheduler.launchers.kubernetes.scouting import (
    Question,
    Scout,
    look_by_name,
    read_events,
)
from videoannotator.scheduler.launchers.kubernetes.tracing import (
    Copies,
    Trace,
    found_again,
    traces_of,
    worker_of,
)
from videoannotator.scheduler.launchers.kubernetes.views import JobView
from videoannotator.scheduler.launchers.kubernetes.watching import Timing
from videoannotator.telemetry import get_logger

BODY = "kubernetes_job"  #: in a worker's row: what is posted, exactly
LATE_CREATE_SECONDS = 75.0  #: 15 to leave, and the 60 that an API server works on a request
LEAVES_WITHIN_SECONDS = 14.0  #: waiting for its turn, connecting, and bytes that are not taken
#: A create that was just answered is not missed while the watch has yet to tell of it.
TOLD_SECONDS = 10.0
REFUSED_SECONDS = 30.0  #: after a missing right nothing is sent for so long
LEFT_OVER_SECONDS = 10.0  #: before what has ended is removed: its log may still be read

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How this site's workers are watched. Seconds."""

    release: str
    second_look_seconds: float = 30.0
    gpus: Mapping[str, int] = field(default_factory=dict)  #: of each worker of a pipeline
    timing: Timing = field(default_factory=Timing)
    clock: Callable[[], float] = time.monotonic


class KubernetesLauncher:
    """Starts, observes and ends Kubernetes Jobs of one namespace."""

    name = "kubernetes"
    late_create_seconds = LATE_CREATE_SECONDS
    leaves_within_seconds = LEAVES_WITHIN_SECONDS

    def __init__(self, cluster: Cluster, terms: Terms) -> None:
        """Uses and closes `cluster`. Nothing is watched before `start`."""
        self._cluster = cluster
        self._terms = terms
        self._clock = terms.clock
        selector = names.workers_selector(terms.release)
        self._ring: Callable[[], None] = lambda: None
        self._jobs = job_reflector(cluster, selector, self._changed, timing=terms.timing)
        self._pods = pod_reflector(cluster, selector, self._changed, timing=terms.timing)
        self._scout = Scout(
            cluster,
            self._changed,
            second_look_seconds=terms.second_look_seconds,
            clock=terms.clock,
        )
        self._ending = Ending(cluster, terms.clock)
        self._beliefs = Beliefs()
        self._avoided = Avoided(terms.clock)
        self._made: dict[str, tuple[JobView, float]] = {}  #: answered creates, and when
        self._traces: dict[str, Trace] = {}  #: as of the last change
        self._stale_traces = True
        self._left_since: dict[str, float] = {}  #: workers that are not known any more
        self._refused: tuple[float, str] = (0.0, "")

    async def start(self, ring: Callable[[], None]) -> None:
        """Begins to watch; the cluster need not answer yet."""
        self._ring = ring
        self._jobs.start()
        self._pods.start()

    async def close(self) -> None:
        """Stops watching; workers run on."""
        await self._scout.close()
        await self._jobs.close()
        await self._pods.close()
        await self._cluster.close()

    # --- seeing

    def watch(self) -> Watch:
        """How well it sees: both watches must."""
        now = self._clock()
        since = [each.gapless_since for each in (self._jobs, self._pods)]
        known = [each for each in since if each is not None]
        synced = [each.synced_at or 0.0 for each in (self._jobs, self._pods)]
        return Watch(
            trouble=self._trouble(now),
            gapless_seconds=now - max(known) if len(known) == len(since) else 0.0,
            lag_seconds=max(now - min(synced), 0.0),
            strays=tuple(self._strays(now)),
        )

    async def observe(self, workers: Collection[Worker]) -> Mapping[str, Observation]:
        """What the copies show; asks the API server nothing."""
        traces = self._current_traces()
        seen = {worker.id: self._look(worker, traces) for worker in workers}
        self._scout.ask(
            [each for worker in workers for each in self._questions(worker, seen[worker.id])]
        )
        self._note_left(seen.keys())
        return seen

    def _look(self, worker: Worker, traces: Mapping[str, Trace]) -> Observation:
        trace = self._whole(worker.id, traces)
        failure, pod, now = diagnosis_of(worker, trace), pod_of(worker, trace), utc_now()
        believed = self._beliefs.believed(worker.id, failure, pod)
        self._avoided.judge(pod, believed, now)
        seen = sight_of(worker, trace, believed, now)
        missing = seen.sight is Sight.UNKNOWN
        self._scout.notice(worker.id, missing=missing)
        return seen

    def _whole(self, worker_id: str, traces: Mapping[str, Trace]) -> Trace:
        """What the watches show, and what only a create or a look by name has told."""
        trace = traces.get(worker_id, Trace())
        made = self._just_made(worker_id)
        if made is not None and made.uid not in trace.uids():
            trace = replace(trace, jobs=(*trace.jobs, made))
        found = self._scout.found(worker_id)
        if found is not None:
            jobs = [each for each in found.jobs if worker_of(each) == worker_id]
            trace = found_again(trace, jobs, found.pods)
        events = self._scout.events(worker_id)
        return replace(trace, events=events, confirmed=found is not None)

    def _just_made(self, worker_id: str) -> JobView | None:
        made, at = self._made.get(worker_id, (None, 0.0))
        return made if self._clock() - at < TOLD_SECONDS else None

    def _questions(self, worker: Worker, seen: Observation) -> list[Question]:
        trace = self._traces.get(worker.id, Trace())
        if seen.sight is Sight.UNKNOWN or self._scout.found(worker.id) is not None:
            return [look_by_name(worker.id, trace, name_in(worker))]
        if seen.phase in (Phase.PLACING, Phase.PULLING):
            return [read_events(worker.id, trace)]
        return []

    def _current_traces(self) -> Mapping[str, Trace]:
        if self._stale_traces:
            self._stale_traces = False
            self._traces = traces_of(
                Copies(
                    jobs=self._jobs.objects,
                    pods=self._pods.objects,
                    departed_jobs=self._jobs.departed,
                    departed_pods=self._pods.departed,
                )
            )
        return self._traces

    def _changed(self) -> None:
        self._stale_traces = True
        self._ring()

    def _trouble(self, now: float) -> str:
        for copy in (self._jobs, self._pods):
            if not copy.alive:
                return "the watch of the cluster has ended; the scheduler must be restarted"
            if not copy.fresh(now):
                return copy.trouble or "the cluster has not answered yet"
        until, message = self._refused
        return message if now < until else ""

    @property
    def avoided_nodes(self) -> tuple[str, ...]:
        """Where the next worker had better not run."""
        return self._avoided.nodes()

    # --- what is left

    def _note_left(self, known: Collection[str]) -> None:
        """Of workers that no row names: what is there is left over, the rest is forgotten."""
        now = self._clock()
        left = {
            worker_id: trace for worker_id, trace in self._traces.items() if worker_id not in known
        }
        there = {worker_id for worker_id, trace in left.items() if trace.jobs or trace.pods}
        self._left_since = {each: self._left_since.get(each, now) for each in there}
        for worker_id in left.keys() - there:
            self._forget_departed(left[worker_id])
        self._scout.forget(known)
        self._beliefs.forget(known)
        self._ending.forget({*known, *there})
        for worker_id in self._made.keys() - set(known):
            del self._made[worker_id]

    def _forget_departed(self, trace: Trace) -> None:
        for job in trace.departed_jobs:
            self._jobs.forget(job.view.uid)
        for pod in trace.departed_pods:
            self._pods.forget(pod.view.uid)
        self._stale_traces = True

    def _strays(self, now: float) -> list[Stray]:
        found = []
        for worker_id, since in self._left_since.items():
            trace = self._traces.get(worker_id, Trace())
            living = [pod for pod in trace.pods if not pod.ended]
            if living or now - since >= LEFT_OVER_SECONDS:
                pipelines = [pod.labels.get(names.PIPELINE, "") for pod in living]
                gpus = sum(self._terms.gpus.get(each, 0) for each in pipelines)
                found.append(Stray(worker_id=worker_id, running=bool(living), gpus=gpus))
        return found

    # --- doing

    async def create(self, worker: Worker) -> None:
        """Posts the stored body; finds the first one when its name is taken by it.

        Raises: Unavailable, Forbidden, InvalidRequest, LimitReached, Conflict.
        """
        body = worker.body[BODY]
        try:
            made = await self._cluster.create_job(body)
        except Conflict:
            made = await self._own(worker, body)
        except Unavailable as error:
            made = await self._landed(worker, body, error)
        except Forbidden as error:
            self._refused = (self._clock() + REFUSED_SECONDS, f"{error.message} {error.hint}")
            log.error("cluster.not_allowed", reason=error.message, hint=error.hint)
            raise
        self._refused = (0.0, "")
        self._made[worker.id] = (made, self._clock())

    async def _own(self, worker: Worker, body: Mapping[str, Any]) -> JobView:
        """The Kubernetes Job that has the name, when it is this worker's.

        Raises: Conflict when it is somebody else's or is being deleted, Unavailable.
        """
        found = await self._cluster.get_job(body["metadata"]["name"])
        if found is None:
            raise Unavailable("The Kubernetes Job was there and is not any more.")
        if not is_own(found, worker, body):
            log.error("worker.name_taken", worker_id=worker.id, kubernetes_job=found.name)
            raise Conflict("Another Kubernetes Job has the worker's name.")
        return found

    async def _landed(self, worker: Worker, body: Mapping[str, Any], error: Unavailable) -> JobView:
        """What a create without an answer has made. Raises: `error` when nothing is there yet."""
        try:
            found = await self._cluster.get_job(body["metadata"]["name"])
        except VideoAnnotatorError as silent:
            raise error from silent
        if found is None or not is_own(found, worker, body):
            raise error
        return found

    async def terminate(self, worker: Worker) -> None:
        """Deletes its Kubernetes Job and its pods; looks again until nothing is left.

        Raises: Unavailable, Forbidden.
        """
        trace = self._whole(worker.id, self._current_traces())
        await self._ending.end(worker.id, name_in(worker), trace)

    async def clear(self, worker_id: str) -> None:
        """Deletes what is left of a worker that is GONE. Raises: Unavailable, Forbidden."""
        trace = self._current_traces().get(worker_id, Trace())
        held = [*(job.name for job in trace.jobs), *(pod.job_name for pod in trace.pods)]
        for name in dict.fromkeys(name for name in held if name):
            await self._ending.end(worker_id, name, trace)

    async def logs(self, worker: Worker, lines: int) -> list[str]:
        """The last lines, also of a pod that we have deleted. Raises: Unavailable, Forbidden."""
        kept = self._ending.lines(worker.id)
        if kept is None:
            pod = pod_of(worker, self._current_traces().get(worker.id, Trace()))
            kept = [] if pod is None else await self._cluster.pod_log(pod.name, max(lines, 1))
        return kept[-lines:] if lines > 0 else []

    async def forget(self, worker_id: str) -> None:
        """Nothing is kept here beyond the worker's row."""


def name_in(worker: Worker) -> str:
    """The name of a worker's Kubernetes Job."""
    return str(worker.body[BODY]["metadata"]["name"])


def is_own(found: JobView, worker: Worker, body: Mapping[str, Any]) -> bool:
    """Whether a Kubernetes Job is the one that this worker's create makes, and stays."""
    sent = body["metadata"]["annotations"]
    return (
        worker_of(found) == worker.id
        and found.annotations.get(names.SPEC_SHA) == sent[names.SPEC_SHA]
        and found.deletion_timestamp is None
    )
