"""A cancel at every moment of a run's life: gracefully, told truly, and the slot goes on after it.

The site has one slot, and a second job waits for it.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cancelling import (
    Figures,
    Stage,
    ignores_sigterm,
    judge,
    stage_of,
    table,
    take_figures,
    undisturbed,
)
from tests.cluster.given import GivenCluster
from tests.cluster.webhook import slow_webhook

pytestmark = pytest.mark.timeout(1200)  # it may wait for its turn

LONG_SECONDS = 600.0
IN_A_ROW = int(os.environ.get("CANCELS", "10"))


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """A moment: what runs, how it is known to be reached, and what must be undone afterwards."""

    reached: Callable[[Stage, str], Any]
    pipeline: str = "journal"
    parameters: dict[str, Any] = field(default_factory=dict)
    site: dict[str, Any] = field(default_factory=dict)  #: changes of the site's file
    before: Callable[[Stage], None] = lambda stage: None
    after: Callable[[Stage, str], None] = lambda stage, job: None  #: once it is wished


@pytest.fixture(scope="module")
def figures() -> Iterator[list[Figures]]:
    """What the cancels took; printed at the end."""
    taken: list[Figures] = []
    yield taken
    print(f"\nload average {os.getloadavg()[0]:.1f}\n{table(taken)}")


@pytest.fixture
def stage(cluster: GivenCluster, figures: list[Figures]) -> Iterator[Stage]:
    """A site with one slot, while nobody disrupts the cluster."""
    with undisturbed(), stage_of(cluster, figures) as made:
        yield made


# --- how a moment is known


def is_running(stage: Stage, job: str) -> bool:
    return stage.worker(job).get("state") == "up" and _progressed(stage, job)


def _progressed(stage: Stage, job: str) -> bool:
    return bool(stage.site.runs(job)[0]["progress"].get("stage"))


def is_up(stage: Stage, job: str) -> bool:
    return stage.worker(job).get("state") == "up"


def waits_for(words: str) -> Callable[[Stage, str], bool]:
    return lambda stage, job: words in stage.site.runs(job)[0]["waiting_reason"]


def container_waits(*reasons: str) -> Callable[[Stage, str], bool]:
    def reached(stage: Stage, job: str) -> bool:
        pod = stage.last_pod(job)
        states = pod.get("status", {}).get("containerStatuses", []) if pod else []
        return any(each["state"].get("waiting", {}).get("reason") in reasons for each in states)

    return reached


def failed_with(code: str) -> Callable[[Stage, str], bool]:
    def reached(stage: Stage, job: str) -> bool:
        failures = [each["failure"] for each in stage.site.workers(job)]
        return any(each and each["code"] == code for each in failures)

    return reached


# --- what holds a run at a moment


def no_pods(stage: Stage) -> None:
    stage.site.kubectl("create", "quota", "none", "--hard=pods=0")


def no_kubernetes_jobs(stage: Stage) -> None:
    stage.site.kubectl("create", "quota", "none", "--hard=count/jobs.batch=0")


def no_quota(stage: Stage, job: str) -> None:
    stage.site.kubectl("delete", "quota", "none")


def refuse_sending(stage: Stage) -> None:
    """The database refuses to note that a create is sent."""
    stage.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '55P03'; END $$"
    )
    stage.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON workers FOR EACH ROW "
        "WHEN (NEW.create_sent_at IS NOT NULL AND OLD.create_sent_at IS NULL) "
        "EXECUTE FUNCTION refuse()"
    )


def allow_sending(stage: Stage, job: str) -> None:
    assert stage.worker(job)["create_sent_at"] is None
    stage.execute("DROP TRIGGER refuse ON workers")
    stage.execute("DROP FUNCTION refuse()")


ABSENT = {"image": "localhost/videoannotator/absent:1"}
MOMENTS = {
    "running": At(reached=is_running, parameters={"seconds": LONG_SECONDS}),
    "image-not-pulled": At(
        reached=container_waits("ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff"),
        pipeline="scene_detection",
        site={"pipelines": {"scene_detection": ABSENT}},
    ),
    "quota-blocked-pods": At(reached=failed_with("QUOTA_EXCEEDED"), before=no_pods, after=no_quota),
    "quota-blocked-create": At(
        reached=failed_with("QUOTA_EXCEEDED"), before=no_kubernetes_jobs, after=no_quota
    ),
    "ignores-sigterm": At(
        reached=ignores_sigterm,
        parameters={"ignore_sigterm": True, "hang_seconds": LONG_SECONDS},
    ),
    "loading": At(reached=is_up, parameters={"load_seconds": LONG_SECONDS}),
    "created-not-placed": At(
        reached=waits_for("waits for a GPU"),
        pipeline="journal_gpu",
        site={"pipelines": {"journal_gpu": {"gpus": 64}}},
    ),
    "container-creating": At(
        reached=container_waits("ContainerCreating"), parameters={"seconds": LONG_SECONDS}
    ),
    "before-the-post": At(
        reached=lambda stage, job: stage.worker(job).get("state") == "launching",
        before=refuse_sending,
        after=allow_sending,
    ),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_a_cancel_is_graceful_and_true_and_its_slot_goes_on_afterwards(
    stage: Stage, name: str
) -> None:
    at = MOMENTS[name]
    at.before(stage)
    with stage.scheduling(**at.site):
        job = stage.submit(at.pipeline, **at.parameters)
        stage.until(lambda: at.reached(stage, job), job)
        stage.following = stage.submit()

        stage.cancel(job)
        at.after(stage, job)
        stage.site.until_state(job, "cancelled")

        stage.site.until_state(stage.following, "completed", "failed")
        judge(stage, job)
        take_figures(stage, name, job)


def test_a_job_that_waits_for_its_turn_is_cancelled_at_once_and_never_had_a_worker(
    stage: Stage,
) -> None:
    with stage.scheduling():
        first = stage.submit(seconds=LONG_SECONDS)
        stage.until(lambda: is_running(stage, first), first)
        job, stage.following = stage.submit(), stage.submit()
        stage.until(lambda: waits_for("waiting for a slot")(stage, stage.following), job)

        stage.cancel(job)
        stage.site.until_state(job, "cancelled")

        assert stage.site.workers(job) == []
        assert stage.site.state(first) == "running"
        stage.cancel(first)
        stage.site.until_state(stage.following, "completed", "failed")
        judge(stage, job)
        judge(stage, first)


def test_cancels_in_a_row_each_free_the_slot_for_the_next(stage: Stage) -> None:
    with stage.scheduling():
        job = stage.submit(seconds=LONG_SECONDS)
        for number in range(IN_A_ROW):
            stage.until(lambda job=job: is_running(stage, job), job)
            last = number == IN_A_ROW - 1
            stage.following = stage.submit(seconds=0.0 if last else LONG_SECONDS)
            stage.cancel(job)
            stage.site.until_state(job, "cancelled")
            stage.until(lambda: stage.worker(stage.following).get("up_at"), job)
            take_figures(stage, "running, in a row", job)
            done, job = job, stage.following
        stage.site.until_state(job, "completed", "failed")
        judge(stage, done)


@pytest.mark.parametrize(
    "held_seconds",
    [
        pytest.param(2.0, id="answered"),
        pytest.param(29.0, id="answered-very-late"),
    ],
)
def test_a_create_that_a_webhook_holds_back_keeps_the_slot_until_it_is_settled(
    stage: Stage, tmp_path: Path, held_seconds: float
) -> None:
    held = slow_webhook(stage.cluster, stage.site.namespace, tmp_path)
    with held as webhook, stage.scheduling():
        job = stage.submit(seconds=LONG_SECONDS)
        stage.until(webhook.asked.is_set, job)
        stage.following = stage.submit()
        began = time.monotonic()

        stage.cancel(job)
        stage.until(lambda: stage.worker(job)["state"] == "stopping", job)
        assert stage.site.state(job) == "cancelling"
        while time.monotonic() < began + held_seconds:
            assert stage.worker(job)["state"] == "stopping"
            assert stage.site.workers(stage.following) == []
            time.sleep(0.2)
        webhook.let_go()

        stage.site.until_state(job, "cancelled")
        stage.site.until_state(stage.following, "completed", "failed")
        judge(stage, job)
        take_figures(stage, f"post held back {held_seconds:.0f} s", job)


def test_work_that_was_finished_before_the_cancel_was_heard_is_kept(stage: Stage) -> None:
    with stage.scheduling():
        assert stage.scheduler is not None
        job = stage.submit(seconds=4.0)
        stage.until(lambda: is_running(stage, job), job)
        stage.following = stage.submit()
        stage.scheduler.send(signal.SIGSTOP)
        try:
            stage.until(lambda: list(stage.site.root.rglob("manifest.json")), job)
            stage.cancel(job)
            assert stage.site.state(job) == "cancelling"
        finally:
            stage.scheduler.send(signal.SIGCONT)

        stage.site.until_state(job, "completed", "cancelled")
        stage.site.until_state(stage.following, "completed", "failed")
        judge(stage, job, state="completed")
        take_figures(stage, "finishing", job)
