"""A site on a cluster: PostgreSQL, api and schedulers on this machine, workers as pods.

    with cluster_site(cluster, folder) as site:
        api, leader = site.api().ready(), site.scheduler().ready()
        job = site.submit(api, seconds=60)
        site.until_state(job, "running")

The processes are the real commands; pods reach the storage folder by a hostPath volume. Everything
of a site is in a namespace of its own, which goes with it.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row

from tests.cluster.given import GivenCluster
from tests.cluster.manifests import SITE_NAME, site_file, volume
from tests.fakes.databases import empty_url
from tests.fakes.separate import Program, SeparateSite
from tests.fakes.site import RETRY, plugins_on_path
from tests.fakes.videos import write_clip
from videoannotator.settings.addresses import normalise_database_url
from videoannotator.store.schema import upgrade

Row = dict[str, Any]

PLUGINS = Path(__file__).parent / "plugins"  #: those of the cluster's tests
SECONDS = 180.0  #: for what must come soon; a busy machine pulls nothing and still starts slowly
#: Short, but long enough for a pod to start on a busy machine of two cores.
TIMES = {
    "tick_seconds": 0.5,
    "lease_seconds": 5.0,
    "renew_seconds": 1.0,
    "keepalive_seconds": 1.0,
    "orphan_grace_seconds": 30.0,
    "stop_grace_seconds": 3.0,
    "second_look_seconds": 3.0,
}


@dataclass
class ClusterSite(SeparateSite):
    """The processes of a site whose workers are pods."""

    cluster: GivenCluster | None = None
    namespace: str = ""
    url: str = ""
    video: Path = field(default_factory=Path)

    # --- what users do

    def submit(self, api: Program, *, pipeline: str = "journal", **parameters: Any) -> str:
        """Submits the site's video with these parameters of the pipeline; the job's id."""
        with self.client(api) as client:
            job = client.submit(self.video, [pipeline], {pipeline: parameters})
            return str(job.id)

    def cancel(self, api: Program, job_id: str) -> None:
        """Asks for the end of a job."""
        with self.client(api) as client:
            client.cancel(job_id)

    # --- what the database says

    def rows(self, query: str, *values: Any) -> list[Row]:
        """What a query finds."""
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def state(self, job_id: str) -> str:
        """The state of a job."""
        return str(self.rows("SELECT state FROM jobs WHERE id = %s", job_id)[0]["state"])

    def runs(self, job_id: str) -> list[Row]:
        """The runs of a job."""
        return self.rows("SELECT * FROM runs WHERE job_id = %s ORDER BY position", job_id)

    def attempts(self, job_id: str) -> list[Row]:
        """The attempts of a job's runs, oldest first."""
        return self.rows(
            "SELECT attempts.* FROM attempts JOIN runs ON runs.id = attempts.run_id "
            "WHERE runs.job_id = %s ORDER BY attempts.number",
            job_id,
        )

    def workers(self, job_id: str) -> list[Row]:
        """The workers of a job, oldest first."""
        return self.rows("SELECT * FROM workers WHERE job_id = %s ORDER BY created_at", job_id)

    def until_state(self, job_id: str, *states: str, seconds: float = SECONDS) -> None:
        """Waits until the job is in one of these states."""
        until(lambda: self.state(job_id) in states, lambda: self.told(job_id), seconds)

    def until_gone(self, job_id: str, seconds: float = SECONDS) -> None:
        """Waits until every worker of the job is proved gone."""
        until(
            lambda: all(each["state"] == "gone" for each in self.workers(job_id)),
            lambda: self.told(job_id),
            seconds,
        )

    def slot_free_seconds(self, job_id: str) -> float:
        """Time from the wish to cancel until the slot of the last worker was free."""
        (found,) = self.rows(
            "SELECT extract(epoch FROM max(workers.gone_at) - jobs.cancel_requested_at) AS seconds "
            "FROM jobs JOIN workers ON workers.job_id = jobs.id WHERE jobs.id = %s "
            "GROUP BY jobs.cancel_requested_at",
            job_id,
        )
        return float(found["seconds"])

    def told(self, job_id: str) -> str:
        """All that is known of a job, for a test that fails."""
        known = {
            "job": self.state(job_id),
            "runs": self.runs(job_id),
            "attempts": self.attempts(job_id),
            "workers": [{**each, "body": "…"} for each in self.workers(job_id)],
            "cluster": self.kubectl("get", "jobs,pods,events", "--ignore-not-found"),
            "logs": [each.log.read_text()[-3000:] for each in self.programs],
        }
        return json.dumps(known, default=str, indent=1).replace("\\n", "\n")

    # --- what the cluster says

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """What kubectl prints about the site's namespace."""
        assert self.cluster is not None
        return self.cluster.kubectl("-n", self.namespace, *words, given=given)

    def objects(self, kind: str) -> list[Row]:
        """Every Kubernetes Job (`jobs`) or pod (`pods`) of the site's workers, raw."""
        selector = f"app.kubernetes.io/instance={SITE_NAME}"
        found = json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))
        return list(found["items"])

    def pod_of(self, job_id: str) -> Row:
        """The one pod of a job, once there is one."""
        selector = f"videoannotator.io/job={job_id}"

        def found() -> list[Row]:
            told = self.kubectl("get", "pods", "-l", selector, "-o", "json")
            return list(json.loads(told)["items"])

        until(found, lambda: self.told(job_id))
        (pod,) = found()
        return pod

    def holding_gpus(self) -> list[str]:
        """The names of the pods that hold a GPU: on a node, and not ended."""
        return [
            pod["metadata"]["name"]
            for pod in self.objects("pods")
            if pod["spec"].get("nodeName")
            and pod["status"]["phase"] not in ("Succeeded", "Failed")
            and any(
                "nvidia.com/gpu" in each["resources"].get("limits", {}) for each in _containers(pod)
            )
        ]


def _containers(pod: Row) -> list[Row]:
    return list(pod["spec"]["containers"])


@contextmanager
def cluster_site(cluster: GivenCluster, **scheduler: float) -> Iterator[ClusterSite]:
    """A site with short times; arguments replace settings of the scheduler.

    Leaves nothing behind: no process, no namespace, no volume, no folder.
    """
    name = f"va-{uuid4().hex[:8]}"
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    folder.chmod(0o755)  # pods have other users
    root = folder / "storage"
    root.mkdir()
    times = {**TIMES, **scheduler}
    url = empty_url()
    upgrade(normalise_database_url(url))
    site = ClusterSite(
        root,
        {**_environ(cluster, folder, url, times), **_plugins()},
        cluster=cluster,
        namespace=name,
        url=url,
        video=write_clip(folder / "clip.mp4"),
    )
    cluster.kubectl("create", "namespace", name)
    try:
        cluster.kubectl("apply", "-f", "-", given=json.dumps(volume(name, root)))
        (folder / "site.json").write_text(json.dumps(site_file(cluster, name, times)))
        yield site
    finally:
        site.close()
        _remove(cluster, name)
        shutil.rmtree(folder, ignore_errors=True)


def _environ(
    cluster: GivenCluster, folder: Path, url: str, times: Mapping[str, float]
) -> dict[str, str]:
    chosen = {
        "STORAGE__ROOT": str(folder / "storage"),
        "DATABASE__URL": url,
        "KUBERNETES__KUBECONFIG": str(cluster.kubeconfig),
        "KUBERNETES__SITE_FILE": str(folder / "site.json"),
        "SCHEDULER__LAUNCHER": "kubernetes",
        "SCHEDULER__MAX_WORKERS": "4",
        **{f"SCHEDULER__{name.upper()}": str(value) for name, value in times.items()},
        **{f"RETRY__{name.upper()}": str(value) for name, value in RETRY.items()},
        "TELEMETRY__LOG_FORMAT": "json",
    }
    return {f"VIDEOANNOTATOR_{name}": value for name, value in chosen.items()}


def _plugins() -> dict[str, str]:
    """Lets every process of the site find the pipelines of tests."""
    ((name, value),) = plugins_on_path().items()
    return {name: f"{PLUGINS}:{value}"}


def _remove(cluster: GivenCluster, name: str) -> None:
    """Removes the namespace with all in it, and the volume, which is in none."""
    cluster.kubectl("delete", "namespace", name, "--wait", "--timeout=120s")
    cluster.kubectl("delete", "persistentvolume", name, "--ignore-not-found")


def until(
    reached: Callable[[], Any],
    told: Callable[[], str] = lambda: "",
    seconds: float = SECONDS,
) -> None:
    """Polls until it is so; says what is known when that takes too long."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not in time\n{told()}"
        time.sleep(0.1)
