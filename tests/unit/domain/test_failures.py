"""Who pays for another try, how long it waits, and what each code says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain.failures import (
    RULES,
    Budget,
    Code,
    Failure,
    Remedy,
    RetryPolicy,
    Ruling,
    Verdict,
    backoff_seconds,
    classify,
)

POLICY = RetryPolicy(infrastructure_failures=3, pipeline_failures=1)
BUDGETS = {
    Budget.FREE: {
        "UNSCHEDULABLE_CAPACITY", "QUOTA_EXCEEDED", "PREEMPTED", "DRAINED", "NODE_SHUTDOWN",
    },
    Budget.NEVER: {
        "UNSCHEDULABLE_CONFIG", "SPEC_INVALID", "SPEC_REJECTED", "IMAGE_NAME", "CONTAINER_CONFIG",
        "MEDIA_ERROR", "REQUEST_ERROR",
    },
    Budget.PIPELINE: {"OOM_KILLED", "GPU_OOM", "DEADLINE", "NO_PROGRESS", "PIPELINE_ERROR"},
    Budget.CANCEL: {"DELETED_BY_OPERATOR"},
}  # fmt: skip


def of(code: Code) -> Failure:
    """A failure of that code."""
    return Failure(code=code, message="It ended.")


def test_every_code_has_its_rule_and_a_hint() -> None:
    assert set(RULES) == set(Code)
    assert all(rule.hint.endswith(".") for rule in RULES.values())


@pytest.mark.parametrize("code", Code)
def test_each_code_has_one_who_pays(code: Code) -> None:
    expected = [budget for budget, codes in BUDGETS.items() if code.value in codes]

    assert [RULES[code].budget] == (expected or [Budget.INFRASTRUCTURE])


@pytest.mark.parametrize("code", Code)
def test_what_is_done_fits_who_pays(code: Code) -> None:
    fitting = {
        Budget.FREE: {Remedy.WAIT},
        Budget.NEVER: {Remedy.FAIL},
        Budget.CANCEL: {Remedy.CANCEL},
        Budget.PIPELINE: {Remedy.RETRY},
        Budget.INFRASTRUCTURE: {Remedy.RETRY, Remedy.RETRY_ELSEWHERE},
    }

    assert RULES[code].remedy in fitting[RULES[code].budget]
    assert RULES[code].evidence


def test_another_node_is_looked_for_where_the_node_is_to_blame() -> None:
    elsewhere = {code.value for code in Code if RULES[code].remedy is Remedy.RETRY_ELSEWHERE}

    assert elsewhere == {
        "ADMISSION_REJECTED", "CONTAINER_CREATE", "EVICTED_NODE_PRESSURE", "GPU_DIRTY",
        "IMAGE_PULL", "NODE_LOST",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "paid", "verdict", "after"),
    [
        (Code.NODE_LOST, (0, 0), Verdict.RETRY, (1, 0)),
        (Code.NODE_LOST, (2, 0), Verdict.RETRY, (3, 0)),
        (Code.NODE_LOST, (3, 0), Verdict.FAIL, (4, 0)),
        (Code.NODE_LOST, (0, 1), Verdict.RETRY, (1, 1)),
        (Code.PIPELINE_ERROR, (3, 0), Verdict.RETRY, (3, 1)),
        (Code.PIPELINE_ERROR, (0, 1), Verdict.FAIL, (0, 2)),
        (Code.PREEMPTED, (3, 1), Verdict.RETRY, (3, 1)),
        (Code.MEDIA_ERROR, (0, 0), Verdict.FAIL, (0, 0)),
        (Code.DELETED_BY_OPERATOR, (0, 0), Verdict.CANCEL, (0, 0)),
        (Code.DELETED_BY_OPERATOR, (9, 9), Verdict.CANCEL, (9, 9)),
    ],
)
def test_a_try_is_paid_from_its_own_budget(
    code: Code, paid: tuple[int, int], verdict: Verdict, after: tuple[int, int]
) -> None:
    assert classify(of(code), *paid, POLICY) == Ruling(
        verdict=verdict, infrastructure_failures=after[0], pipeline_failures=after[1]
    )


@given(st.lists(st.sampled_from(Code), max_size=12))
def test_tries_that_cost_something_come_to_an_end(codes: list[Code]) -> None:
    infrastructure = pipeline = 0
    for code in codes:
        ruling = classify(of(code), infrastructure, pipeline, POLICY)
        infrastructure, pipeline = ruling.infrastructure_failures, ruling.pipeline_failures
        if ruling.verdict is not Verdict.RETRY:
            break
        assert infrastructure <= POLICY.infrastructure_failures
        assert pipeline <= POLICY.pipeline_failures


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 2), (1, 2), (2, 4), (3, 8), (7, 128), (8, 256), (9, 300), (10**9, 300)],
)
def test_the_back_off_doubles_up_to_the_most(failures: int, seconds: float) -> None:
    assert backoff_seconds(failures, POLICY, 0.5) == seconds


@pytest.mark.parametrize(("dice", "seconds"), [(0.0, 9.0), (0.5, 10.0), (0.75, 10.5), (1.0, 11.0)])
def test_the_jitter_spreads_it_both_ways(dice: float, seconds: float) -> None:
    policy = RetryPolicy(base_delay_seconds=10, jitter=0.1)

    assert backoff_seconds(1, policy, dice) == pytest.approx(seconds)


def test_the_hint_of_a_failure_is_its_own_or_that_of_its_code() -> None:
    plain = of(Code.GPU_OOM)
    exact = Failure(code=Code.GPU_OOM, message="It ended.", hint="Use model=tiny.")

    assert plain.advice == "Use a smaller model or a smaller batch."
    assert exact.advice == "Use model=tiny."
