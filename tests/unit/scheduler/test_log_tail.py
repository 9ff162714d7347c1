"""What an owner reads of a worker's log: what happened, no places, no stack traces."""

import json

import pytest

from videoannotator.scheduler.log_tail import LONGEST_LINE, readable

TRACE = 'Traceback (most recent call last):\n  File "/srv/app/x.py", line 3, in f\nOSError: no'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("plain words", "plain words"),
        (json.dumps({"event": "work began", "level": "info", "time": "t"}), "info work began"),
        (json.dumps({"event": "read", "level": "info", "frames": 3}), "info read frames=3"),
        (
            json.dumps({"event": "work failed", "level": "error", "exception": TRACE}),
            "error work failed (OSError: no)",
        ),
        ("cannot open /srv/storage/videos/me/1/source: broken", "cannot open source: broken"),
        ("cannot open 'file:/srv/storage/source'", "cannot open 'source'"),
        ("3/4 of 7 m/s", "3/4 of 7 m/s"),
        ("[1, 2]", "[1, 2]"),
        ('{"half', '{"half'),
    ],
)
def test_a_line_says_what_happened(line: str, told: str) -> None:
    assert readable([line], 5) == (told,)


def test_the_last_lines_are_kept_in_their_order() -> None:
    assert readable(["a", "b", "c"], 2) == ("b", "c")


def test_a_line_is_cut() -> None:
    assert len(readable(["x" * 5000], 1)[0]) == LONGEST_LINE


def test_no_path_and_no_stack_survive() -> None:
    entry = {"event": "failed at /srv/secret/place", "exception": TRACE, "input": "/srv/a/b.mp4"}

    told = readable([json.dumps(entry)], 1)[0]

    assert "/srv" not in told
    assert "Traceback" not in told
