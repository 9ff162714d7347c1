"""What answers and silences of the API server mean."""

import json

import aiohttp
import pytest

from videoannotator.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NotFound,
    Unavailable,
    VideoAnnotatorError,
)
from videoannotator.scheduler.launchers.kubernetes.answers import (
    LONGEST_MESSAGE,
    Answer,
    fault_of,
    is_another_uid,
    retry_after_of,
    silence_of,
)

QUOTA = (
    'jobs.batch "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, '
    "used: requests.nvidia.com/gpu=2, limited: requests.nvidia.com/gpu=2"
)


def answer(status: int, message: str = "", reason: str = "", **more: object) -> Answer:
    """An answer with a Status."""
    told = {"kind": "Status", "message": message, "reason": reason, "code": status, **more}
    return Answer(status=status, body=json.dumps(told).encode())


@pytest.mark.parametrize(
    ("given", "meaning", "says", "hint"),
    [
        (answer(403, QUOTA, "Forbidden"), LimitReached, "exceeded quota: gpus", "quota"),
        (answer(403, "pods is forbidden", "Forbidden"), Forbidden, "pods is forbidden", "Role"),
        (answer(401, "Unauthorized"), Forbidden, "Unauthorized", "kubeconfig"),
        (answer(409, "it exists", "AlreadyExists"), Conflict, "it exists", ""),
        # a quota that two creates change at once: nothing was created
        (answer(409, "please apply your changes", "Conflict"), Unavailable, "apply", "operator"),
        (answer(404, 'namespaces "va" not found'), NotFound, "not found", "namespace"),
        (answer(400, "bad"), InvalidRequest, "bad", "chart"),
        (answer(413, "too large"), InvalidRequest, "too large", "chart"),
        (answer(422, "invalid"), InvalidRequest, "invalid", "chart"),
        (answer(415, "media"), InvalidRequest, "media", "chart"),
        (answer(408, "timeout"), Unavailable, "timeout", "operator"),
        (answer(410, "too old"), Unavailable, "too old", "operator"),
        (answer(429, "too many"), Unavailable, "too many", "operator"),
        (answer(500, "etcd"), Unavailable, "etcd", "operator"),
        (answer(503, "no"), Unavailable, "no", "operator"),
        (answer(302, "over there"), Unavailable, "over there", "operator"),
        (Answer(status=502, body=b"<html>"), Unavailable, "status 502", "operator"),
        (Answer(status=400, body=b"[]"), InvalidRequest, "status 400", "chart"),
    ],
)
def test_every_answer_has_one_meaning_and_says_what_to_do(
    given: Answer, meaning: type[VideoAnnotatorError], says: str, hint: str
) -> None:
    fault = fault_of(given)

    assert type(fault) is meaning
    assert says in fault.message
    assert hint in fault.hint


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (Answer(status=429, retry_after="7"), 7.0),
        (Answer(status=429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), None),
        (Answer(status=429, retry_after="-1"), None),
        (Answer(status=429, retry_after="nan"), None),
        (Answer(status=429, retry_after="99999"), 300.0),
        (Answer(status=429), None),
        (answer(500, details={"retryAfterSeconds": 3}), 3.0),
        (answer(500, details={"retryAfterSeconds": 0}), None),
        (answer(500, details="?"), None),
    ],
)
def test_how_long_a_server_asks_us_to_wait(given: Answer, seconds: float | None) -> None:
    assert retry_after_of(given) == seconds
    fault = fault_of(given)
    assert isinstance(fault, Unavailable)
    assert fault.retry_after_seconds == seconds


def test_a_long_message_is_cut() -> None:
    assert len(fault_of(answer(422, "x" * 10_000)).message) == LONGEST_MESSAGE + 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(409, "Precondition failed: UID in precondition: a, UID in object meta: b"), True),
        (answer(409, "the UID in the precondition (a) does not match the UID in record (b)"), True),
        (answer(409, "the object has been modified"), False),
        (answer(404, "UID in precondition"), False),
    ],
)
def test_a_delete_that_found_another_object(given: Answer, expected: bool) -> None:
    assert is_another_uid(given) is expected


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"7"])
def test_what_is_no_object_did_not_come_from_an_api_server(body: bytes) -> None:
    with pytest.raises(Unavailable, match="not an API server"):
        Answer(status=200, body=body).json()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (TimeoutError(), "in time"),
        (aiohttp.SocketTimeoutError(), "in time"),
        (aiohttp.ServerDisconnectedError(), "broke"),
        (aiohttp.ClientPayloadError(), "broke"),
        (ConnectionResetError(), "broke"),
    ],
)
def test_a_silence_has_an_unknown_outcome(error: BaseException, says: str) -> None:
    fault = silence_of(error)

    assert says in fault.message
    assert "operator" in fault.hint
