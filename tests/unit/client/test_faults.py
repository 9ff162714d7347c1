"""Answers back to errors."""

import pytest

from tests.fakes.server import envelope
from videoannotator.api.problems import ANSWERS, refusal
from videoannotator.client.faults import fault
from videoannotator.domain import errors
from videoannotator.domain.errors import InvalidConfig, Problem, VideoAnnotatorError

#: What the server keeps to itself, or says in a more general word, comes back as that.
GENERAL: dict[type[VideoAnnotatorError], type[VideoAnnotatorError]] = {
    errors.Problem: errors.InvalidConfig,
    errors.InvalidSetting: errors.VideoAnnotatorError,
    errors.IllegalTransition: errors.VideoAnnotatorError,
    errors.NotLeader: errors.Unavailable,
    errors.WorkerUnreachable: errors.Unavailable,
    errors.Stopped: errors.Unavailable,
}


@pytest.mark.parametrize("kind", ANSWERS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_server_comes_back_as_itself(kind: type[VideoAnnotatorError]) -> None:
    answer = refusal(kind("What happened.", hint="Do this."), "r1")

    back = fault(answer.status_code, bytes(answer.body))

    assert type(back) is GENERAL.get(kind, kind)
    assert (back.message, back.hint) == ("What happened.", "Do this.")


def test_each_problem_of_a_configuration_comes_back() -> None:
    problems = (Problem("Too low.", hint="At least 1.", field="a.x"), Problem("No.", field="a.y"))
    answer = refusal(InvalidConfig("Bad.", problems=problems), "r1")

    back = fault(answer.status_code, bytes(answer.body))

    assert isinstance(back, InvalidConfig)
    assert [(each.field, each.message) for each in back.problems] == [
        ("a.x", "Too low."),
        ("a.y", "No."),
    ]
    assert back.field == "a.x"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", errors.Unauthenticated),
        (404, b'{"detail": "Not Found"}', errors.NotFound),
        (413, b"<html>", errors.TooLarge),
        (422, b'{"detail": [{"loc": []}]}', errors.InvalidRequest),
        (502, b"<html>bad gateway</html>", errors.Unavailable),
        (418, b"[]", VideoAnnotatorError),
        (500, b"\xff\xfe", VideoAnnotatorError),
    ],
)
def test_an_answer_of_something_else_is_judged_by_its_status(
    status: int, body: bytes, kind: type[VideoAnnotatorError]
) -> None:
    assert type(fault(status, body)) is kind


def test_the_code_counts_before_the_status() -> None:
    import json

    body = json.dumps(envelope("JOB_NOT_FOUND", "x")).encode()

    assert isinstance(fault(404, body), errors.JobNotFound)
