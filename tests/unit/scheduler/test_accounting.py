"""What is counted when rows have changed, and taken back when somebody else leads."""

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from tests.fakes.rows import BROKE, NOW, a_job, a_run, a_worker, ago, at, decided, wanting
from videoannotator.domain.access import owner_hash
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import AttemptOutcome, Resources, WorkerState
from videoannotator.scheduler import accounting
from videoannotator.scheduler.actions import Launch
from videoannotator.scheduler.figures import Figures, Took
from videoannotator.store.rows import Changes, JobRows


class Since:
    """How much a metric has grown since this was made."""

    def __init__(self, name: str, **labels: str) -> None:
        """`name` is without its prefix."""
        self._name, self._labels = "videoannotator_" + name, labels
        self._before = self._now()

    def _now(self) -> float:
        return REGISTRY.get_sample_value(self._name, self._labels) or 0.0

    @property
    def grown(self) -> float:
        """By how much."""
        return round(self._now() - self._before, 6)


def gone(rows: JobRows, **fields: object) -> Changes:
    """The end of the job's worker."""
    worker = replace(rows.workers[0], state=WorkerState.GONE, gone_at=NOW)
    return Changes(workers=(replace(worker, **fields),))


def test_the_end_of_a_worker_counts_the_time_of_its_gpus_for_its_owner() -> None:
    rows = at("cancelling", resources=Resources(gpus=2), created_at=ago(90))
    held = Since("gpu_seconds_total", pipeline="p", owner=owner_hash("ada"))
    teardown = Since("launch_seconds_sum", pipeline="p", phase="teardown")

    accounting.tell(rows, gone(rows), NOW)

    assert (held.grown, teardown.grown) == (180, 10)


def test_the_end_of_a_cancelled_worker_counts_the_time_until_its_slot_was_free() -> None:
    rows = wanting(at("cancelling"), cancel=True)
    waited = Since("cancel_to_slot_free_seconds_count")
    freely = at("reported", "k")

    accounting.tell(rows, gone(rows), NOW)
    accounting.tell(freely, gone(freely), NOW)

    assert waited.grown == 1


def test_a_launch_counts_how_long_the_run_waited() -> None:
    rows = a_job(a_run(created_at=ago(40)))
    made = decided(Launch(job_id="j", run_id="jr0", gpus=()), rows)
    queued = Since("launch_seconds_sum", pipeline="p", phase="queued")
    assert made is not None

    accounting.tell(rows, made, NOW)

    assert queued.grown == 40


@pytest.mark.parametrize(
    ("outcome", "failure", "code", "budget"),
    [
        (AttemptOutcome.COMPLETED, None, "", ""),
        (AttemptOutcome.FAILED, BROKE, "PIPELINE_ERROR", "pipeline"),
        (
            AttemptOutcome.LOST,
            Failure(code=Code.GPU_DIRTY, message="It was."),
            "GPU_DIRTY",
            "infrastructure",
        ),
        (AttemptOutcome.LOST, Failure(code=Code.DRAINED, message="It was."), "DRAINED", "free"),
    ],
)
def test_an_attempt_that_is_over_counts_once_with_its_code_and_who_pays(
    outcome: AttemptOutcome, failure: Failure | None, code: str, budget: str
) -> None:
    rows = at("at work")
    over = replace(rows.attempts[0], over_at=NOW, outcome=outcome, failure=failure)
    labels = {"pipeline": "p", "outcome": outcome.value, "code": code, "budget": budget}
    attempts = Since("attempts_total", **labels)

    accounting.tell(rows, Changes(attempts=(over,)), NOW)
    accounting.tell(replace(rows, attempts=(over,)), Changes(attempts=(over,)), NOW)

    assert attempts.grown == 1


def test_an_attempt_that_begins_is_not_counted() -> None:
    rows = a_job()
    begun = decided(Launch(job_id="j", run_id="jr0", gpus=()), rows)
    assert begun is not None
    labels = {"pipeline": "p", "outcome": "", "code": "", "budget": ""}
    attempts = Since("attempts_total", **labels)

    accounting.tell(rows, begun, NOW)
    accounting.tell(at("at work"), Changes(attempts=at("at work").attempts), NOW)

    assert attempts.grown == 0


def test_phases_are_counted_by_pipeline() -> None:
    pulled = Since("launch_seconds_sum", pipeline="p", phase="pulled")

    accounting.tell_phases([Took(pipeline="p", phase="pulled", seconds=12.5)])

    assert pulled.grown == 12.5


def test_a_scheduler_that_stands_by_shows_nothing_of_its_own() -> None:
    shown = Figures(
        slots={"up": 3},
        slot_stopping_seconds=5.0,
        queue_age_seconds=6.0,
        stuck_jobs=1,
        runs_without_pod=2,
        orphan_pods=4,
    )
    names = (
        "slot_stopping_seconds",
        "queue_age_seconds",
        "stuck_jobs",
        "runs_without_pod",
        "orphan_pods",
        "leader",
    )

    accounting.show(shown, epoch=7)
    leading = [REGISTRY.get_sample_value(f"videoannotator_{name}") for name in names]
    slots = REGISTRY.get_sample_value("videoannotator_slots_in_state", {"state": "up"})
    accounting.stand_by()
    standing = [REGISTRY.get_sample_value(f"videoannotator_{name}") for name in names]

    assert (leading, slots) == ([5, 6, 1, 2, 4, 1], 3)
    assert standing == [0] * len(names)
    assert REGISTRY.get_sample_value("videoannotator_slots_in_state", {"state": "up"}) == 0


def test_a_worker_without_gpus_holds_none() -> None:
    run = a_run("m")
    rows = replace(a_job(run), workers=(a_worker(run, state=WorkerState.STOPPING),))
    held = Since("gpu_seconds_total", pipeline="p", owner=owner_hash("ada"))

    accounting.tell(rows, gone(rows), NOW)

    assert held.grown == 0
