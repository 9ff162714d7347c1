"""What to do when a list or a watch ends."""

import pytest

from videoannotator.scheduler.launchers.kubernetes.watching import (
    REFUSALS_BEFORE_LISTING,
    Ending,
    Outcome,
    Progress,
    StrangeLineError,
    Timing,
    after,
    happening_of,
    outcome_of_error,
    pause_of,
    watch_seconds,
)

TIMING = Timing()
HERE = Progress(version="17")


@pytest.mark.parametrize(
    ("ending", "lasted", "version", "failures"),
    [
        (Ending.CLOSED, 5.0, "17", 0),
        (Ending.CLOSED, 4.9, "17", 4),
        (Ending.BROKEN, 0.0, "17", 4),
        (Ending.BROKEN, 70.0, "17", 1),
        (Ending.REFUSED, 0.0, "17", 4),
        (Ending.REFUSED, 60.0, "17", 1),
        (Ending.EXPIRED, 0.0, "", 4),
        (Ending.EXPIRED, 60.0, "", 1),
    ],
)
def test_where_it_goes_on(ending: Ending, lasted: float, version: str, failures: int) -> None:
    outcome = Outcome(ending=ending, lasted_seconds=lasted)

    found = after(Progress(version="17", failures=3), outcome, TIMING)

    assert (found.version, found.failures) == (version, failures)


def test_a_place_that_is_refused_again_and_again_is_given_up() -> None:
    progress = HERE
    versions = []

    for _ in range(REFUSALS_BEFORE_LISTING):
        progress = after(progress, Outcome(ending=Ending.REFUSED), TIMING)
        versions.append(progress.version)

    assert versions == ["17"] * (REFUSALS_BEFORE_LISTING - 1) + [""]


def test_a_place_behind_which_nothing_is_ever_said_is_given_up() -> None:
    silent = Outcome(ending=Ending.SILENT, lasted_seconds=70.0)

    once = after(HERE, silent, TIMING)
    away = after(once, Outcome(ending=Ending.BROKEN), TIMING)
    twice = after(away, silent, TIMING)

    assert [each.version for each in (once, away, twice)] == ["17", "17", ""]
    assert twice.silences == 0


def test_a_place_is_kept_through_any_outage() -> None:
    progress = HERE

    for _ in range(100):
        progress = after(progress, Outcome(ending=Ending.BROKEN), TIMING)

    assert progress.version == "17"


@pytest.mark.parametrize(
    ("failures", "fraction", "pause"),
    [
        (0, 0.5, 0.0),
        (1, 0.0, 0.5),
        (1, 1.0, 1.0),
        (2, 0.0, 1.0),
        (4, 0.5, 6.0),
        (6, 0.0, 15.0),
        (6, 1.0, 30.0),
        (1000, 1.0, 30.0),
    ],
)
def test_pauses_grow_from_half_a_second_to_thirty(
    failures: int, fraction: float, pause: float
) -> None:
    progress = Progress(version="17", failures=failures)

    assert pause_of(progress, Outcome(ending=Ending.BROKEN), fraction, TIMING) == pause


def test_the_server_may_ask_for_a_longer_pause_but_not_for_a_shorter_one() -> None:
    progress = Progress(version="17", failures=3)

    asked = [
        pause_of(progress, Outcome(ending=Ending.REFUSED, retry_after_seconds=wait), 0.0, TIMING)
        for wait in (1.0, 60.0)
    ]

    assert asked == [2.0, 60.0]


@pytest.mark.parametrize(("fraction", "seconds"), [(0.0, 240), (0.5, 270), (1.0, 300)])
def test_watches_last_differently(fraction: float, seconds: int) -> None:
    assert watch_seconds(fraction, TIMING) == seconds


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        ({"code": 410, "reason": "Expired"}, Ending.EXPIRED),
        ({"code": 410}, Ending.EXPIRED),
        ({"reason": "Gone"}, Ending.EXPIRED),
        ({"code": 500, "reason": "InternalError"}, Ending.REFUSED),
        (
            {"code": 504, "details": {"causes": [{"reason": "ResourceVersionTooLarge"}]}},
            Ending.EXPIRED,
        ),
        ({"code": 504, "details": {"causes": ["?"]}}, Ending.REFUSED),
        ({}, Ending.REFUSED),
    ],
)
def test_an_error_in_the_stream(status: dict[str, object], ending: Ending) -> None:
    assert outcome_of_error(status).ending is ending


def test_an_error_in_the_stream_may_ask_for_patience() -> None:
    status = {"code": 429, "message": "too many", "details": {"retryAfterSeconds": 7}}

    found = outcome_of_error(status)

    assert (found.retry_after_seconds, found.trouble) == (7.0, "too many")


@pytest.mark.parametrize("line", [b"<html>", b"[]", b"{}", b'{"type":"ADDED"}', b"\xff"])
def test_what_is_no_line_of_a_watch(line: bytes) -> None:
    with pytest.raises(StrangeLineError):
        happening_of(line)


def test_an_error_is_no_place_in_the_history() -> None:
    line = b'{"type":"ERROR","object":{"metadata":{"resourceVersion":"5"}}}'

    assert happening_of(line).version == ""
    assert happening_of(line.replace(b"ERROR", b"BOOKMARK")).version == "5"
