"""What may happen to a worker: how it is made to happen, and what must come of it."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.given import GivenCluster
from tests.cluster.manifests import IMAGES, SMALL, image
from tests.cluster.site import ClusterSite, until
from tests.cluster.up import oci
from tests.cluster.up.processes import Failed
from tests.cluster.up.programs import program
from tests.fakes.separate import Program
from videoannotator.domain.failures import RULES, Code

ENDS_IMAGE = "localhost/videoannotator/ends:test"
LONG_SECONDS = 600.0
WORK_SECONDS = 12.0  # long enough to be disturbed, and then done once more
BELIEVED_SECONDS = 300.0  # what may pass by itself is believed after 180
QUOTA = "gpus"

Act = Callable[[ClusterSite, str], None]


def nothing(site: ClusterSite, job: str) -> None:
    """The worker sees to it by itself."""


def fill_the_disk(site: ClusterSite, job: str) -> None:
    """Writes more than the worker's limit beside its results."""
    script = "open('/tmp/much', 'wb').write(bytes(400 * 2**20))"
    pod = at_work(site, job)
    with contextlib.suppress(Failed):  # it may be evicted at once
        site.kubectl("exec", pod, "--", "python", "-c", script)


def delete_pod(site: ClusterSite, job: str) -> None:
    """As an operator does by hand."""
    site.kubectl("delete", "pod", at_work(site, job), "--wait=false")


def delete_kubernetes_job(site: ClusterSite, job: str, cascade: str = "background") -> None:
    """As an operator does by hand; without a word more it is gone before its pod."""
    at_work(site, job)
    selector = f"--selector=videoannotator.io/job={job}"
    site.kubectl("delete", "jobs", selector, "--wait=false", f"--cascade={cascade}")


def end_kubernetes_job(site: ClusterSite, job: str) -> None:
    """As an operator does who wants the pod gone first."""
    delete_kubernetes_job(site, job, "foreground")


def drain(site: ClusterSite, job: str) -> None:
    """Drains the node of this worker alone: others are at work there."""
    at_work(site, job)
    assert site.cluster is not None
    node, selector = site.cluster.node, f"--pod-selector=videoannotator.io/job={job}"
    how = ("--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s")
    try:
        site.cluster.kubectl("drain", node, selector, *how)
    finally:
        site.cluster.kubectl("uncordon", node)


def give_gpus(site: ClusterSite, job: str) -> None:
    """Lifts the quota once it was felt."""
    until(lambda: site.attempts(job)[:1] and site.attempts(job)[0]["failure"], seconds=120.0)
    site.kubectl("apply", "-f", "-", given=json.dumps(quota(2)))


def at_work(site: ClusterSite, job: str) -> str:
    """The name of the job's pod, once its worker is at work."""
    site.until_state(job, "running", seconds=BELIEVED_SECONDS)
    until(lambda: site.workers(job)[0]["state"] == "up", lambda: site.told(job))
    return str(site.pod_of(job)["metadata"]["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row of the table."""

    code: Code | None  #: of the first attempt; None: it never fails, the run waits
    state: str  #: of the job in the end
    pipeline: str = "journal"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    act: Act = nothing
    hint: str = ""  #: words that the owner is shown; empty: those of the code
    waits: str = ""  #: words that the owner of a run is shown that waits
    cancelled: bool = False  #: nothing but a cancel ends it
    alone: bool = False  #: others on the cluster feel it

    @property
    def budget(self) -> str:
        """Who pays."""
        return "free" if self.code is None else str(RULES[self.code].budget)


def ends(status: int, code: Code, state: str = "failed") -> Fault:
    """A worker that ends with this status and says nothing."""
    return Fault(pipeline=f"ends_{status}", code=code, state=state)


LONG, SHORT = {"seconds": LONG_SECONDS}, {"seconds": WORK_SECONDS}
FAULTS: Mapping[str, Fault] = {
    "image missing": Fault(
        pipeline="missing_image", code=Code.IMAGE_PULL, state="cancelled", cancelled=True
    ),
    "unschedulable by selector": Fault(
        pipeline="nowhere", code=Code.UNSCHEDULABLE_CONFIG, state="failed"
    ),
    "unschedulable by resources": Fault(
        pipeline="too_large", code=None, state="cancelled", cancelled=True, waits="memory"
    ),
    "bad image name": Fault(pipeline="bad_image", code=Code.IMAGE_NAME, state="failed"),
    "OOM-killed": Fault(
        parameters={"allocate_bytes": 1 << 30, "seconds": 5.0},
        code=Code.OOM_KILLED,
        state="failed",
    ),
    "evicted: own disk": Fault(
        parameters=LONG,
        act=fill_the_disk,
        code=Code.PIPELINE_ERROR,
        state="failed",
        hint="ephemeral storage",
    ),
    "pod deleted": Fault(
        parameters=SHORT, act=delete_pod, code=Code.POD_VANISHED, state="completed"
    ),
    "Kubernetes Job deleted": Fault(
        parameters=SHORT, act=delete_kubernetes_job, code=Code.JOB_VANISHED, state="completed"
    ),
    "Kubernetes Job deleted, pod first": Fault(
        parameters=LONG,
        act=end_kubernetes_job,
        code=Code.DELETED_BY_OPERATOR,
        state="cancelled",
    ),
    "node drained": Fault(
        parameters=SHORT, act=drain, code=Code.DRAINED, state="completed", alone=True
    ),
    "quota exceeded": Fault(
        pipeline="journal_gpu", act=give_gpus, code=Code.QUOTA_EXCEEDED, state="completed"
    ),
    "exit 64": ends(64, Code.REQUEST_ERROR),
    "exit 65": ends(65, Code.MEDIA_ERROR),
    "exit 66": ends(66, Code.GPU_OOM),
    "exit 75": ends(75, Code.GPU_DIRTY),
    "exit 76": ends(76, Code.UNREACHABLE),
    "exit 137": ends(137, Code.KILLED_UNKNOWN),
}


def pipelines() -> dict[str, Any]:
    """Where the site runs each pipeline: as it should, or as the fault wants it."""
    journal = {"image": image("journal"), **SMALL}
    return {
        **{name: {"image": image(made_of), **SMALL} for name, made_of in IMAGES.items()},
        "missing_image": {**journal, "image": image("not-there")},
        "bad_image": {**journal, "image": "localhost/Not A Name"},
        "too_large": {**journal, "memory": "4000Gi"},
        "nowhere": {**journal, "nodeSelector": {"no-node": "has-this"}},
        **{
            fault.pipeline: {**journal, "image": ENDS_IMAGE}
            for fault in FAULTS.values()
            if fault.pipeline.startswith("ends_")
        },
    }


def quota(gpus: int) -> dict[str, Any]:
    """A quota of the namespace that no other worker feels."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": QUOTA},
        "spec": {"hard": {"requests.nvidia.com/gpu": str(gpus)}},
    }


def import_ends(cluster: GivenCluster, folder: Path) -> None:
    """Gives the node the image whose worker only ends."""
    layer, archive = folder / "layer", folder / "ends.tar"
    oci.layer_of_files(layer, {"/usr/bin/python": program("ends").read_bytes()})
    oci.archive(archive, layer, oci.Image(name=ENDS_IMAGE, environment=["PATH=/usr/bin"]))
    cluster.import_image(archive)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a fault."""

    code: str
    budget: str
    hint: str  #: as the owner is shown it
    state: str
    attempts: int
    seconds: float  #: until the fault was told
    wrong: list[str]


def told(site: ClusterSite, api: Program, job: str) -> tuple[str, str, str]:
    """Code, hint and reason to wait that the owner is shown now; empty: none."""
    with site.client(api) as client:
        (run,) = client.job(job).runs
    error = run.error
    return error.code if error else "", error.hint if error else "", run.waiting_reason


def until_told(site: ClusterSite, api: Program, job: str, fault: Fault) -> tuple[str, str]:
    """Waits until the owner is told; the code and the hint, or the reason to wait."""
    deadline = time.monotonic() + BELIEVED_SECONDS
    while time.monotonic() < deadline:
        code, hint, waiting = told(site, api, job)
        if code or (fault.waits and fault.waits in waiting):
            return code, hint or waiting
        time.sleep(1.0)
    raise AssertionError(f"nobody was told\n{site.told(job)}")


def budget_paid(site: ClusterSite, job: str) -> str:
    """Who paid, by the run's own counts and its end."""
    (run,) = site.runs(job)
    if run["infrastructure_failures"]:
        return "infrastructure"
    if run["pipeline_failures"]:
        return "pipeline"
    wanted = site.rows("SELECT cancel_requested_at FROM jobs WHERE id = %s", job)[0]
    by_itself = wanted["cancel_requested_at"] is None
    return {"failed": "never", "cancelled": "cancel" if by_itself else "free"}.get(
        run["state"], "free"
    )
