"""`kubectl videoannotator why POD`: what the cluster and the server know of one worker's pod."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from videoannotator.cli.kubectl import Context, Kubeconfig, Kubectl, Namespace
from videoannotator.cli.options import Json, Server, connected
from videoannotator.cli.output import say, write, write_json, write_pairs
from videoannotator.domain.errors import NotFound
from videoannotator.domain.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videoannotator.client import Job
    from videoannotator.client.records import Run
    from videoannotator.scheduler.launchers.kubernetes.views import EventView, JobView, PodView

LAST_EVENTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a cluster tells of a pod."""

    pod: "PodView"
    job: "JobView | None"  #: the Kubernetes Job; None when it is gone
    events: "Sequence[EventView]"  #: of both, oldest first

    @property
    def failure(self) -> Failure | None:
        """Why it failed; None when it did not."""
        from videoannotator.scheduler.launchers.kubernetes.diagnose import diagnose

        return diagnose(self.pod, self.job, self.events)

    @property
    def waiting(self) -> str:
        """What happens to it, while it does not work: `waits for a GPU`; empty when it does."""
        from videoannotator.scheduler.launchers.kubernetes import diagnose

        words = diagnose.waiting_for(self.pod, self.job, self.events)
        at_work = self.pod.phase == diagnose.RUNNING and self.pod.deletion_timestamp is None
        return "" if at_work and words != diagnose.NODE_SILENT else words


def why(
    pod: Annotated[
        str, typer.Argument(metavar="POD", help="Name of a worker's pod.", show_default=False)
    ],
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """Explain a pod: which job it works for, what it waits for, why it failed and what to do."""
    from videoannotator.scheduler.launchers.kubernetes import names

    kubectl = Kubectl(namespace=namespace, context=context, kubeconfig=kubeconfig)
    found = find(kubectl, pod)
    if json:
        write_json(_facts(found, _job(found.pod.labels[names.JOB], server)))
        return
    _show_pod(found)
    _show_job(_job(found.pod.labels[names.JOB], server), found.pod.labels.get(names.PIPELINE, ""))


def find(kubectl: Kubectl, name: str) -> Found:
    """The pod, its Kubernetes Job and the events of both. Raises: NotFound for a stranger's pod."""
    from videoannotator.scheduler.launchers.kubernetes import names, views

    pod = views.pod_view(kubectl.get("pod", name))
    if names.JOB not in pod.labels:
        raise NotFound(
            f"Pod {name} is no worker of VideoAnnotator.",
            hint=f"List the workers with: kubectl get pods -l {names.JOB}",
        )
    return Found(pod=pod, job=_kubernetes_job(kubectl, pod.job_name), events=_events(kubectl, pod))


def _kubernetes_job(kubectl: Kubectl, name: str) -> "JobView | None":
    from videoannotator.scheduler.launchers.kubernetes.views import job_view

    try:
        return job_view(kubectl.get("job", name)) if name else None
    except NotFound:
        return None


def _events(kubectl: Kubectl, pod: "PodView") -> "Sequence[EventView]":
    """Events of the pod and of its Kubernetes Job, in the order in which they were last seen."""
    from videoannotator.scheduler.launchers.kubernetes.views import event_view

    listed = [
        event_view(each)
        for uid in (pod.uid, pod.job_uid)
        if uid
        for each in kubectl.get("events", f"--field-selector=involvedObject.uid={uid}")["items"]
    ]
    return sorted(listed, key=lambda each: each.last_at.timestamp() if each.last_at else 0.0)


def _job(job_id: str, server: str | None) -> "Job":
    with connected(server) as client:
        return client.job(job_id)


def _facts(found: Found, job: "Job") -> dict[str, object]:
    failure = found.failure
    return {
        "pod": asdict(found.pod),
        "events": [asdict(each) for each in found.events],
        "now": found.waiting,
        "failure": {**asdict(failure), "hint": failure.advice} if failure else None,
        "job": job.raw,
    }


def _show_pod(found: Found) -> None:
    pod, failure = found.pod, found.failure
    write_pairs(
        [
            ("pod", pod.name),
            ("phase", pod.phase),
            ("node", pod.node_name),
            ("now", found.waiting),
            ("failure", f"{failure.code}: {failure.message}" if failure else None),
            ("what to do", failure.advice if failure else None),
        ]
    )
    for event in found.events[-LAST_EVENTS:]:
        say(f"event: {event.reason}: {' '.join(event.message.split())}")


def _show_job(job: "Job", pipeline: str) -> None:
    """The job, and of its runs the one that the pod works for."""
    write_pairs([("job", job.id), ("state", job.status), ("video", job.video_filename)])
    for run in job.runs:
        if run.pipeline == pipeline:
            _show_run(run)


def _show_run(run: "Run") -> None:
    from videoannotator.cli.failures import failure_lines
    from videoannotator.cli.progress import state

    write(f"{run.pipeline}: {state(run)}, try {run.attempt}")
    if run.error is not None:
        say("\n  ".join(failure_lines(run.error, verbose=True)))
