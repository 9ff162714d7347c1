"""A failure in a few short lines."""

import pytest

from videoannotator.cli.failures import failure_lines
from videoannotator.client.records import RunError

TOLD = {"code": "MEDIA_ERROR", "message": "No picture.", "hint": "Convert it."}


@pytest.mark.parametrize(
    ("more", "first"),
    [
        ({}, "MEDIA_ERROR: No picture."),
        ({"stage": None, "position_seconds": None}, "MEDIA_ERROR: No picture."),
        ({"position_seconds": 12.5}, "MEDIA_ERROR: No picture. (at 12.5 s)"),
        ({"position_seconds": 0}, "MEDIA_ERROR: No picture. (at 0.0 s)"),
        (
            {"stage": "detect", "position_seconds": 65.2},
            "MEDIA_ERROR: No picture. (detect, at 1 min 05 s)",
        ),
        ({"stage": "detect"}, "MEDIA_ERROR: No picture. (detect)"),
    ],
)
def test_code_message_place_and_what_to_do(more: dict[str, object], first: str) -> None:
    assert failure_lines(RunError.read({**TOLD, **more})) == [first, "Convert it."]


def test_the_log_is_shown_only_when_asked_for_and_cut() -> None:
    log = [f"line {number} {'x' * 9000}" for number in range(100)]
    error = RunError.read({**TOLD, "message": "a\n" * 5000, "log_tail": log})

    short, verbose = failure_lines(error), failure_lines(error, verbose=True)

    assert len(short) == 2
    assert sum(map(len, short)) < 400
    assert verbose[2].startswith("log: line 80 ")
    assert len(verbose) == 22
    assert all(len(line) <= 320 for line in verbose)
