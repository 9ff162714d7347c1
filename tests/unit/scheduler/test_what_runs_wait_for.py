"""What a run waits for once it has a worker: told to its owner, in the launcher's words."""

from dataclasses import replace

import pytest

from tests.fakes.rows import NOW, POLICY, at, seeing
from videoannotator.domain.jobs import RunState
from videoannotator.scheduler import changes
from videoannotator.scheduler.actions import MarkUnproven, Wait
from videoannotator.scheduler.launchers.interface import Observation, Phase, Sight
from videoannotator.scheduler.observed import Observed
from videoannotator.scheduler.reconcile import reconcile
from videoannotator.store.rows import JobRows

W = "jr0w1"


def waits(rows: JobRows, observed: Observed) -> list[tuple[str, int | None]]:
    """The reasons and places that one look tells."""
    actions = reconcile(observed, (rows,), POLICY, NOW)
    return [(one.reason, one.position) for one in actions if isinstance(one, Wait)]


def seen(detail: str, phase: Phase | None = Phase.PULLING, sight: Sight = Sight.ALIVE) -> Observed:
    """The worker as a launcher sees it that knows phases."""
    return seeing(None, sights={W: Observation(sight=sight, phase=phase, detail=detail)})


def told(rows: JobRows, reason: str) -> JobRows:
    """The same rows after the run's owner was told."""
    return replace(rows, runs=(replace(rows.runs[0], waiting_reason=reason),))


@pytest.mark.parametrize(
    ("phase", "sight", "words"),
    [
        (Phase.PLACING, Sight.WAITING, "waits for a GPU"),
        (Phase.PULLING, Sight.ALIVE, "image is being pulled"),
    ],
)
def test_a_run_waits_for_what_its_worker_waits_for(phase: Phase, sight: Sight, words: str) -> None:
    assert waits(at("created"), seen(words, phase, sight)) == [(words, None)]


def test_the_same_reason_is_told_once_and_taken_back_when_it_is_over() -> None:
    rows = told(at("created"), "image is being pulled")

    assert waits(rows, seen("image is being pulled")) == []
    assert waits(rows, seen("", Phase.STARTING)) == [("", None)]


def test_a_launcher_that_knows_no_phases_tells_nothing() -> None:
    assert waits(at("created"), seen("starts", None)) == []


@pytest.mark.parametrize("station", ["at work", "cancelling", "gone", "waiting, old one ends"])
def test_only_a_run_that_starts_waits_for_its_worker(station: str) -> None:
    reasons = [reason for reason, _ in waits(at(station), seen("image is being pulled"))]

    assert "image is being pulled" not in reasons


def test_a_run_at_work_waits_for_nothing() -> None:
    rows = told(at("created"), "image is being pulled")

    made = changes.mark_up(rows, W, "p1", NOW)

    assert made is not None
    assert (made.runs[0].state, made.runs[0].waiting_reason) == (RunState.RUNNING, "")


def test_the_owner_is_told_why_an_end_cannot_be_proved() -> None:
    slow = seen("ends slowly: its node does not answer", None, Sight.UNKNOWN)
    (mark,) = [
        one
        for one in reconcile(slow, (at("given up"),), POLICY, NOW)
        if isinstance(one, MarkUnproven)
    ]

    made = changes.decide(mark, at("given up"), POLICY.retry, NOW, 0.5)

    assert made is not None
    assert made.logs == (
        (
            "jr0",
            "warning",
            "The worker's end cannot be proved: ends slowly: its node does not answer.",
        ),
    )


def test_nothing_is_told_when_the_doubt_is_over() -> None:
    made = changes.mark_unproven(at("given up", unproven_since=NOW), W, False, NOW, "")

    assert made is not None
    assert made.logs == ()
