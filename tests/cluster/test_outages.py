"""What fails around the workers on a real cluster: schedulers, the API server, the node."""

import json
import signal
from collections.abc import Iterator

import pytest

from tests.cluster.disrupting import disrupting
from tests.cluster.given import GivenCluster
from tests.cluster.site import ClusterSite, cluster_site, until
from tests.cluster.witness import Witness, watching, what_is_wrong
from tests.fakes.separate import Program

pytestmark = pytest.mark.timeout(1200)  # a busy machine starts a scheduler in half a minute

ENDED = ("completed", "failed", "cancelled")
LONG_SECONDS = 600.0
SECONDS = 240.0
#: Longer than a busy machine needs to start the next scheduler: no worker ends itself meanwhile.
ORPHAN_GRACE_SECONDS = 120.0
PARTS = 2
PATIENT = {"orphan_grace_seconds": ORPHAN_GRACE_SECONDS}
IMPATIENT = {"orphan_grace_seconds": 20.0}
#: Every step of a launch, and of the end of a worker.
STEPS = (
    "about to write: run starting; attempt 1 open; worker 1 launching",
    "committed: run starting; attempt 1 open; worker 1 launching",
    "about to write: worker 1 launching (create sent)",
    "committed: worker 1 launching (create sent)",
    "before create",
    "after create",
    "before describe 0",
    "about to write: run running; worker 1 up",
    "committed: run running; worker 1 up",
    "before annotate 0",
    "accepted 0",
    "completed 0",
    "committed: attempt 1 completed; worker 1 stopping",
    "committed: run succeeded",
    "before delete",
    "after delete",
)


@pytest.fixture
def site(cluster: GivenCluster, request: pytest.FixtureRequest) -> Iterator[ClusterSite]:
    """A site with an api and no scheduler."""
    with cluster_site(cluster, **getattr(request, "param", PATIENT)) as made:
        made.api().ready()
        yield made


@pytest.fixture
def api(site: ClusterSite) -> Program:
    """The api of the site."""
    return site.programs[0]


@pytest.fixture
def witness(site: ClusterSite) -> Iterator[Witness]:
    """Who looks on."""
    with watching(site) as looking:
        yield looking


@pytest.fixture
def alone(cluster: GivenCluster) -> Iterator[GivenCluster]:
    """The cluster, which nobody else disturbs; mended afterwards."""
    with disrupting(cluster) as held:
        yield held


def finished(site: ClusterSite, witness: Witness, job: str, attempts: int = 1) -> None:
    """Waits for the result of a job; it was made once, and nothing is left over."""
    site.until_state(job, *ENDED, seconds=SECONDS)
    assert site.state(job) == "completed", site.told(job)
    site.until_gone(job, seconds=SECONDS)
    until(lambda: not what_is_wrong(site, witness, job), lambda: site.told(job), 60.0)
    assert len(site.attempts(job)) == attempts, site.told(job)


def working(site: ClusterSite, job: str) -> None:
    """Waits until the worker of a job is at work."""
    until(
        lambda: any(each["state"] == "up" for each in site.workers(job)),
        lambda: site.told(job),
        SECONDS,
    )


def until_ended(site: ClusterSite, job: str) -> None:
    """Waits until the pod of a job has ended."""
    ended = ("Succeeded", "Failed")
    until(lambda: site.pod_of(job)["status"]["phase"] in ended, seconds=SECONDS)


def leader(site: ClusterSite) -> str:
    """Who leads, and under which number."""
    (row,) = site.rows("SELECT * FROM leader")
    return json.dumps(row, default=str)


def epoch(site: ClusterSite) -> int:
    """The number of the leadership."""
    return int(site.rows("SELECT epoch FROM leader")[0]["epoch"])


def until_dead(program: Program, step: str) -> None:
    """Waits until a scheduler has died at its step."""
    until(
        lambda: program.process.poll() is not None,
        lambda: f"never reached: {step}\n{program.log.read_text()[-3000:]}",
        SECONDS,
    )


# --- schedulers


@pytest.mark.parametrize("part", range(PARTS))
def test_a_scheduler_that_dies_at_any_step_of_a_launch_loses_nothing_and_makes_nothing_twice(
    part: int, site: ClusterSite, api: Program, witness: Witness, capsys: pytest.CaptureFixture[str]
) -> None:
    reached, steps = site.root.parent / "steps", STEPS[part::PARTS]
    jobs = []
    for step in steps:
        jobs.append(site.submit(api, seconds=1.0))
        dying = site.start("tests.cluster.dying", step, STEPS=str(reached))
        until_dead(dying, step)
        assert dying.process.returncode == -signal.SIGKILL, dying.log.read_text()
    site.scheduler().ready()

    for job in jobs:
        finished(site, witness, job)
    pods = sum(len(uids) for uids in witness.pods.values())
    with capsys.disabled():
        print(f"\n{len(steps)} deaths, {len(jobs)} jobs, {pods} pods")
    assert pods <= len(jobs)


def test_the_standby_takes_over_when_the_leader_is_lost(
    site: ClusterSite, api: Program, witness: Witness
) -> None:
    first = site.scheduler().ready()
    job = site.submit(api, seconds=20.0)
    working(site, job)
    before = epoch(site)
    site.scheduler().ready()

    first.end(signal.SIGKILL)

    until(lambda: epoch(site) > before, lambda: leader(site))
    finished(site, witness, job)


def test_what_one_leader_saw_end_is_no_riddle_for_the_next(
    site: ClusterSite, api: Program, witness: Witness
) -> None:
    first = site.scheduler().ready()
    jobs = [site.submit(api, seconds=1.0) for _ in range(3)]
    site.scheduler().ready()
    for job in jobs:
        site.until_state(job, "completed")

    first.end(signal.SIGTERM)

    for job in jobs:
        finished(site, witness, job)
        lines = site.rows("SELECT data FROM events WHERE job_id = %s", job)
        assert not [one for one in lines if "cannot be proved" in str(one["data"])]


def test_a_leader_that_was_frozen_past_its_lease_changes_nothing(
    site: ClusterSite, api: Program, witness: Witness
) -> None:
    first = site.scheduler().ready()
    job = site.submit(api, seconds=15.0)
    working(site, job)
    before = epoch(site)

    first.send(signal.SIGSTOP)
    site.scheduler().ready()
    until(lambda: epoch(site) > before, lambda: leader(site))
    later = site.submit(api, seconds=10.0)
    working(site, later)
    now_leads = epoch(site)
    first.send(signal.SIGCONT)

    finished(site, witness, job)
    finished(site, witness, later)
    assert epoch(site) == now_leads
    creates = [line for line in first.lines("worker.changed") if line["job_id"] == later]
    assert creates == []


@pytest.mark.parametrize("site", [IMPATIENT], indirect=True)
def test_work_that_finished_while_no_scheduler_was_there_is_found_by_its_manifest(
    site: ClusterSite, api: Program, witness: Witness
) -> None:
    first = site.scheduler().ready()
    kept, swept = site.submit(api, seconds=8.0), site.submit(api, seconds=8.0)
    for job in (kept, swept):
        working(site, job)
    first.end(signal.SIGKILL)
    for job in (kept, swept):  # longer than the orphan grace: the workers have ended themselves
        until_ended(site, job)
    # As the cluster does when the time to keep what has finished is over.
    site.kubectl("delete", "jobs", "-l", f"videoannotator.io/job={swept}", "--wait=true")

    site.scheduler().ready()

    finished(site, witness, kept)
    finished(site, witness, swept)


# --- the cluster


def test_a_restart_of_the_api_server_disturbs_no_work(
    site: ClusterSite, api: Program, witness: Witness, alone: GivenCluster
) -> None:
    site.scheduler().ready()
    before = site.submit(api, seconds=20.0)
    working(site, before)

    alone.stop("kube-apiserver")
    meanwhile = site.submit(api, seconds=1.0)
    alone.start("kube-apiserver")

    finished(site, witness, before)
    finished(site, witness, meanwhile)


def test_a_history_that_is_forgotten_is_read_anew(
    site: ClusterSite, api: Program, witness: Witness, alone: GivenCluster
) -> None:
    site.scheduler().ready()
    before = site.submit(api, seconds=20.0)
    working(site, before)

    alone.forget_history()
    after = site.submit(api, seconds=1.0)

    finished(site, witness, before)
    finished(site, witness, after)


def test_a_lost_node_keeps_its_slot_until_it_is_back_and_the_work_is_done_once_more(
    site: ClusterSite, api: Program, witness: Witness, alone: GivenCluster
) -> None:
    site.scheduler().ready()
    job = site.submit(api, seconds=LONG_SECONDS)
    working(site, job)

    alone.stop("kubelet")
    until(lambda: site.workers(job)[0]["state"] == "stopping", lambda: site.told(job), SECONDS)
    while_lost = len(site.attempts(job))
    alone.start("kubelet")

    until(lambda: len(site.attempts(job)) == 2, lambda: site.told(job), SECONDS)
    working(site, job)
    (run,) = site.runs(job)
    site.cancel(api, job)
    site.until_state(job, "cancelled", seconds=SECONDS)
    site.until_gone(job, seconds=SECONDS)
    assert while_lost == 1
    assert site.attempts(job)[0]["failure"]["code"] == "NODE_LOST"
    assert run["infrastructure_failures"] == 1
    until(lambda: not what_is_wrong(site, witness, job), lambda: site.told(job), 60.0)
