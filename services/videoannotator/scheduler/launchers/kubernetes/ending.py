"""Ends what a worker has in the cluster: gracefully, this very object, until nothing is left."""

import time
from collections.abc import Callable, Iterable, Sequence

from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.tracing import Trace, worker_of
from videoannotator.scheduler.launchers.kubernetes.views import JOB_NAME_LABELS, JobView, PodView
from videoannotator.telemetry import get_logger

AGAIN_SECONDS = 5.0  #: between two looks at what is left of a worker that ends
KEPT_LINES = 100  #: of the log of a worker whose pod is deleted
KEPT_LOGS = 1000  #: workers whose last lines are remembered; the oldest go first

log = get_logger(__name__)


class Ending:
    """Deletes objects by name and UID. Times are seconds of the monotonic clock."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        """Remembers what it asked for, so that a repeated wish costs nothing."""
        self._cluster = cluster
        self._clock = clock
        self._asked_at: dict[str, float] = {}
        self._lines: dict[str, list[str]] = {}

    def lines(self, worker_id: str) -> list[str] | None:
        """The log that was kept when the worker's pod was deleted; None: none was."""
        return self._lines.get(worker_id)

    async def end(self, worker_id: str, job_name: str, trace: Trace) -> None:
        """Deletes the worker's Kubernetes Jobs, and then its pods. May be repeated often.

        Raises: Unavailable, Forbidden.
        """
        asked, now = self._asked_at.get(worker_id), self._clock()
        if asked is not None and now - asked < AGAIN_SECONDS:
            return
        self._asked_at[worker_id] = now
        await self._keep_lines(worker_id, trace.pods)
        await self._delete_jobs(await self._jobs(worker_id, job_name, trace))
        await self._delete_pods(await self._pods(worker_id, job_name, trace))

    def forget(self, known: Iterable[str]) -> None:
        """Remembers what concerns the workers `known`, and the last logs."""
        for worker_id in self._asked_at.keys() - set(known):
            del self._asked_at[worker_id]
        while len(self._lines) > KEPT_LOGS:
            del self._lines[next(iter(self._lines))]

    async def _jobs(self, worker_id: str, job_name: str, trace: Trace) -> Sequence[JobView]:
        if trace.jobs or not job_name:
            return trace.jobs
        found = await self._cluster.get_job(job_name)  # also one that no watch has told of yet
        return () if found is None or worker_of(found) != worker_id else (found,)

    async def _pods(self, worker_id: str, job_name: str, trace: Trace) -> Sequence[PodView]:
        """Those that the cluster has now, and those that only our copy has."""
        listed = await self._cluster.list_pods(f"{JOB_NAME_LABELS[0]}={job_name}")
        known = {pod.uid for pod in listed}
        more = [pod for pod in trace.pods if pod.uid not in known]
        return [pod for pod in (*listed, *more) if worker_of(pod) == worker_id]

    async def _delete_jobs(self, jobs: Sequence[JobView]) -> None:
        for job in jobs:
            if job.deletion_timestamp is None:
                await self._cluster.delete_job(job.name, job.uid)

    async def _delete_pods(self, pods: Sequence[PodView]) -> None:
        for pod in pods:
            if pod.deletion_timestamp is None:
                await self._cluster.delete_pod(pod.name, pod.uid)

    async def _keep_lines(self, worker_id: str, pods: Sequence[PodView]) -> None:
        """A pod's log goes with it."""
        if worker_id in self._lines or not pods:
            return
        self._lines[worker_id] = []
        for pod in pods:
            try:
                self._lines[worker_id] += await self._cluster.pod_log(pod.name, KEPT_LINES)
            except VideoAnnotatorError as error:
                log.info("worker.log_lost", worker_id=worker_id, reason=error.message)
