"""A site with one slot, on which a job is cancelled while another waits for its place."""

import fcntl
import json
import signal
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.cluster.disrupting import LOCK
from tests.cluster.given import GivenCluster
from tests.cluster.pod_history import Moment, PodHistory, ended, history_of, uid_of
from tests.cluster.site import ClusterSite, Row, cluster_site, until
from tests.fakes.separate import Program

FINAL_EVENTS = ("job.complete", "job.error", "job.cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one cancel took, in seconds."""

    moment: str
    slot_free: float
    next_running: float


@dataclass
class Stage:
    """The site, what its pods did, and the scheduler of the test that runs."""

    cluster: GivenCluster
    site: ClusterSite
    api: Program
    history: PodHistory
    figures: list[Figures]
    scheduler: Program | None = None
    following: str = ""  #: the job that waits for the slot

    @contextmanager
    def scheduling(self, **changes: Any) -> Iterator[None]:
        """A scheduler inside the block; `changes` go into the file of the site that it reads."""
        self.scheduler = self.site.scheduler(
            VIDEOANNOTATOR_KUBERNETES__SITE_FILE=str(self._site_file(changes))
        ).ready()
        try:
            yield
        finally:
            self.scheduler.end()

    def submit(self, pipeline: str = "journal", **parameters: Any) -> str:
        """Submits a job."""
        return self.site.submit(self.api, pipeline=pipeline, **parameters)

    def cancel(self, job_id: str) -> None:
        """Wishes the end of a job."""
        self.site.cancel(self.api, job_id)

    def until(self, reached: Any, job_id: str, seconds: float = 180.0) -> None:
        """Waits until it is so."""
        until(reached, lambda: self.site.told(job_id), seconds)

    def until_known(self, reached: Any) -> None:
        """Waits until the database says so, while the cluster cannot be asked."""
        until(reached)

    def worker(self, job_id: str) -> Row:
        """The last worker of a job; empty when there was none."""
        return (self.site.workers(job_id) or [{}])[-1]

    def execute(self, statement: str) -> None:
        """Changes the database behind everybody's back."""
        with psycopg.connect(self.site.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def events(self, job_id: str) -> list[Row]:
        """What was told of a job, log lines left out, oldest first."""
        return self.site.rows(
            "SELECT kind, data FROM events WHERE job_id = %s AND kind <> 'job.log' ORDER BY id",
            job_id,
        )

    def pods(self, job_id: str) -> list[Moment]:
        """What was seen of a job's pods."""
        return self.history.of_job(job_id)

    def last_pod(self, job_id: str) -> Row:
        """The job's pod as it was seen last; empty when there was none."""
        seen = self.pods(job_id)
        return seen[-1].pod if seen else {}

    def _site_file(self, changes: dict[str, Any]) -> Path:
        path = self.site.root.parent / "site.json"
        told = json.loads(path.read_text())
        for name, change in changes.pop("pipelines", {}).items():
            told["pipelines"][name] |= change
        chosen = path.with_name(f"site-{len(self.site.programs)}.json")
        chosen.write_text(json.dumps({**told, **changes}))
        return chosen


@contextmanager
def stage_of(cluster: GivenCluster, figures: list[Figures]) -> Iterator[Stage]:
    """A site with an api and one slot."""
    with (
        cluster_site(cluster, max_workers=1) as site,
        history_of(cluster, site.namespace) as history,
    ):
        yield Stage(cluster, site, site.api().ready(), history, figures)


def ignores_sigterm(stage: Stage, job: str) -> bool:
    """The kernel says so of a process of the pod."""
    own = uid_of(stage.site.pod_of(job))
    return any(map(_ignores_sigterm, stage.cluster.processes_of_pods().get(own, set())))


def _ignores_sigterm(pid: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    (ignored,) = [line.split()[1] for line in lines if line.startswith("SigIgn:")]
    return bool(int(ignored, 16) >> (signal.SIGTERM - 1) & 1)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nobody disrupts the cluster inside the block; many may be in it together."""
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


# --- what must be true of every cancel


def judge(stage: Stage, job_id: str, *, state: str = "cancelled") -> None:
    """Whether a job that was cancelled, and the one behind it, went as promised."""
    site = stage.site
    assert site.state(job_id) == state, site.told(job_id)
    assert site.state(stage.following) == "completed", site.told(stage.following)
    assert all(each["state"] == "gone" for each in site.workers(job_id))
    _told_the_truth(stage, job_id, state)
    _granted_late_enough(stage, job_id)
    for moment in stage.pods(job_id):
        _ended_gracefully(moment)
    until(lambda: not site.objects("jobs") and not site.objects("pods"), lambda: site.told(job_id))


def _told_the_truth(stage: Stage, job_id: str, state: str) -> None:
    """After the wish: cancelling until the end, and then the end, once."""
    events = stage.events(job_id)
    told = [each["data"]["status"] for each in events]
    ending = told[told.index("cancelling") :] if "cancelling" in told else told[-1:]
    assert list(dict.fromkeys(ending)) in (["cancelling", state], [state]), told
    assert [each["kind"] for each in events if each["kind"] in FINAL_EVENTS] == [events[-1]["kind"]]


def _granted_late_enough(stage: Stage, job_id: str) -> None:
    """The slot went on only after every pod of the job was over, in the API and on the node."""
    gone = [each["gone_at"] for each in stage.site.workers(job_id)]
    first = stage.site.workers(stage.following)[0]
    assert all(each <= first["created_at"] for each in gone)
    granted = stage.history.first(stage.following)
    if not stage.history.hung_up:
        assert stage.history.ended_at(job_id) < granted
    own = {uid_of(each.pod) for each in stage.pods(job_id)}
    assert not own & stage.history.moments[granted].with_processes


def _ended_gracefully(moment: Moment) -> None:
    """A pod with a place, not ended yet, has all its grace."""
    given = moment.pod["metadata"].get("deletionGracePeriodSeconds")
    if moment.kind == "MODIFIED" and given is not None and not ended(moment.pod):
        assert given == moment.pod["spec"]["terminationGracePeriodSeconds"] or not _has_place(
            moment
        )


def _has_place(moment: Moment) -> bool:
    return bool(moment.pod["spec"].get("nodeName"))


# --- figures


def take_figures(stage: Stage, moment: str, job_id: str) -> None:
    """Notes how long it took from the wish to the free slot, and to the next worker's answer."""
    (times,) = stage.site.rows(
        "SELECT jobs.cancel_requested_at AS wished, max(workers.gone_at) AS gone "
        "FROM jobs JOIN workers ON workers.job_id = jobs.id WHERE jobs.id = %s "
        "GROUP BY jobs.cancel_requested_at",
        job_id,
    )
    up_at = stage.site.workers(stage.following)[0]["up_at"]
    stage.figures.append(
        Figures(
            moment=moment,
            slot_free=(times["gone"] - times["wished"]).total_seconds(),
            next_running=(up_at - times["wished"]).total_seconds(),
        )
    )


def table(figures: Sequence[Figures]) -> str:
    """The figures by moment: number, p50 and p99 of each."""
    rows = ["moment                      n   slot free p50   p99   next running p50   p99"]
    for moment in dict.fromkeys(each.moment for each in figures):
        own = [each for each in figures if each.moment == moment]
        free, running = [each.slot_free for each in own], [each.next_running for each in own]
        rows.append(
            f"{moment:26} {len(own):2} {_at(free, 50):14.1f} {_at(free, 99):6.1f} "
            f"{_at(running, 50):17.1f} {_at(running, 99):6.1f}"
        )
    return "\n".join(rows)


def _at(values: Sequence[float], percent: int) -> float:
    """The percentile; of one value, that one."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
