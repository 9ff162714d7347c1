"""What a worker is seen as in a cluster: pure, from what was seen of its objects.

GONE is proved, never guessed: each pod was last seen terminal, or deleted before it had a node, and
its Kubernetes Job is finished or not there. Pods that nobody saw prove nothing.
"""

from datetime import datetime, timedelta

from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Worker, WorkerState
from videoannotator.scheduler.launchers.interface import Observation, Phase, Sight
from videoannotator.scheduler.launchers.kubernetes.bodies import WORKER_PORT
from videoannotator.scheduler.launchers.kubernetes.diagnose import (
    diagnose,
    node_silent,
    waiting_for,
    why_slow,
)
from videoannotator.scheduler.launchers.kubernetes.sightings import Seen, State
from videoannotator.scheduler.launchers.kubernetes.tracing import Trace, age_of
from videoannotator.scheduler.launchers.kubernetes.views import JobView, PodView

#: Beyond its grace a pod that still is not terminal may be on a node that nobody reaches.
SLOW_SECONDS = 15.0
#: What a pod looks like that we end ourselves.
OURS = frozenset(
    {Code.DELETED_BY_OPERATOR, Code.POD_VANISHED, Code.JOB_VANISHED, Code.KILLED_UNKNOWN}
)
POD_VANISHED = Failure(code=Code.POD_VANISHED, message="The pod is not there any more.")


def sight_of(worker: Worker, trace: Trace, failure: Failure | None, now: datetime) -> Observation:
    """What the worker is seen as; `failure` is its diagnosis, once that is to be believed."""
    if trace.empty:
        return _no_trace(worker)
    if proved(worker, trace):
        return Observation(sight=Sight.GONE, failure=failure, identity=worker.identity)
    pod = pod_of(worker, trace)
    if pod is None:
        return _without_pod(trace, failure)
    if pod.ended:
        return Observation(sight=Sight.ENDED, failure=failure, identity=pod.uid)
    if _overdue(worker, pod, now):
        detail = f"ends slowly: {why_slow(pod, trace.events)}".removesuffix(": ")
        return Observation(sight=Sight.UNKNOWN, identity=pod.uid, detail=detail)
    return _alive(pod, trace, failure)


def proved(worker: Worker, trace: Trace) -> bool:
    """Whether what was seen proves that nothing of the worker runs, or ever will."""
    if not trace.ran or not _called_pod_was_seen(worker, trace):
        return False
    return (
        all(job.finished for job in trace.jobs)
        and all(pod.ended for pod in trace.pods)
        and all(_proved_over(pod) for pod in trace.departed_pods)
    )


def diagnosis_of(worker: Worker, trace: Trace) -> Failure | None:
    """Why the worker failed or is stuck, as far as it is not our own doing."""
    if trace.empty:
        return None
    found = _diagnosed(worker, trace)
    ours = worker.state is WorkerState.STOPPING and found is not None and found.code in OURS
    return None if ours else found


def pod_of(worker: Worker, trace: Trace) -> PodView | None:
    """The pod that counts: the one that is called, else a living one, else the newest."""
    called = [pod for pod in trace.pods if pod.uid == worker.identity]
    living = [pod for pod in trace.pods if not pod.ended]
    return max(called or living or trace.pods, key=age_of, default=None)


def _diagnosed(worker: Worker, trace: Trace) -> Failure | None:
    pod, job = pod_of(worker, trace), _job_to_blame(trace)
    if pod is not None or not trace.departed_pods:
        return diagnose(pod, job, trace.events)
    last = max(trace.departed_pods, key=lambda each: each.at)
    if last.view.ended or last.view.deletion_timestamp is not None:
        return diagnose(last.view, job, trace.events)
    if job is None or job.finished or job.deletion_timestamp is not None:
        return diagnose(None, job, trace.events)
    return POD_VANISHED


def _job_to_blame(trace: Trace) -> JobView | None:
    """The Kubernetes Job, also one that is gone when somebody was seen to delete it."""
    if trace.job is not None:
        return trace.job
    last = max(trace.departed_jobs, key=lambda each: each.at, default=None)
    return last.view if last is not None and last.view.deletion_timestamp is not None else None


def _no_trace(worker: Worker) -> Observation:
    if worker.identity is None:
        return Observation(sight=Sight.UNSEEN)
    return Observation(sight=Sight.UNKNOWN, detail="the pod that was called is not there")


def _called_pod_was_seen(worker: Worker, trace: Trace) -> bool:
    return worker.identity is None or worker.identity in trace.uids()


def _proved_over(pod: Seen[PodView]) -> bool:
    """It was last seen terminal, or its deletion was seen and it never had a node.

    A label that somebody takes away looks like a deletion too, but sets no time of deletion.
    """
    if pod.view.ended:
        return True
    deleted = pod.state is State.DELETED and pod.view.deletion_timestamp is not None
    return deleted and not pod.view.node_name


def _without_pod(trace: Trace, failure: Failure | None) -> Observation:
    """None of its pods is there; what there was does not prove that it is gone."""
    job = trace.job
    to_come = job is not None and not job.finished and job.deletion_timestamp is None
    if trace.departed_pods:
        over = all(_proved_over(pod) for pod in trace.departed_pods)
        if over and to_come:  # the Kubernetes Job has not noticed yet
            return Observation(sight=Sight.ENDED, failure=failure)
        return _missing(trace, failure, never_ran=False)
    if to_come:
        return Observation(
            sight=Sight.WAITING,
            failure=failure,
            phase=Phase.PLACING,
            detail=waiting_for(None, job, trace.events),
        )
    if job is not None:
        return Observation(sight=Sight.ENDED, failure=failure, never_ran=True)
    return _missing(trace, failure, never_ran=True)


def _missing(trace: Trace, failure: Failure | None, *, never_ran: bool) -> Observation:
    """Something was there and is not: believed once it was looked for by its name."""
    return Observation(
        sight=Sight.UNKNOWN,
        failure=failure,
        detail="is not there any more",
        never_ran=never_ran,
        unsure=not trace.confirmed,
    )


def _overdue(worker: Worker, pod: PodView, now: datetime) -> bool:
    """It shall end, its grace is over, and its node does not say that it has ended."""
    if worker.state is not WorkerState.STOPPING or pod.deletion_timestamp is None:
        return False
    return now - pod.deletion_timestamp >= timedelta(seconds=SLOW_SECONDS)


def _alive(pod: PodView, trace: Trace, failure: Failure | None) -> Observation:
    detail = waiting_for(pod, trace.job, trace.events)
    if not pod.node_name:
        return Observation(
            sight=Sight.WAITING,
            identity=pod.uid,
            failure=failure,
            phase=Phase.PLACING,
            detail=detail,
        )
    container = pod.container
    running = container is not None and container.state == "running"
    reachable = running and pod.pod_ip and pod.deletion_timestamp is None
    return Observation(
        sight=Sight.ALIVE,
        address=_target(pod.pod_ip) if reachable else None,
        identity=pod.uid,
        failure=failure,
        phase=Phase.STARTING if running else Phase.PULLING,
        detail="" if reachable else detail,
        node_silent=node_silent(pod),
    )


def _target(pod_ip: str) -> str:
    host = f"[{pod_ip}]" if ":" in pod_ip else pod_ip
    return f"{host}:{WORKER_PORT}"
