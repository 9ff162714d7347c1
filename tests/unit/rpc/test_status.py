"""Domain errors as gRPC statuses, and back."""

import inspect
import json
from collections.abc import Iterator
from urllib.parse import quote

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain import errors
from videoannotator.domain.errors import (
    InvalidConfig,
    LimitReached,
    MediaError,
    NotLeader,
    Problem,
    VideoAnnotatorError,
)
from videoannotator.rpc.status import (
    CODES,
    MAX_MESSAGE_BYTES,
    MAX_TRAILER_BYTES,
    TRAILER,
    UNEXPLAINED,
    code_of,
    error_of,
    packed,
    shortened,
    unpacked,
)

#: What gRPC sends as it is; everything else becomes %XX.
PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def tree(kind: type[VideoAnnotatorError] = VideoAnnotatorError) -> Iterator[type]:
    """A class of errors and all below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


def rpc_error(
    code: grpc.StatusCode, details: str = "", trailer: bytes | None = None
) -> grpc.aio.AioRpcError:
    """A failed call, as the client sees it."""
    trailing = grpc.aio.Metadata() if trailer is None else grpc.aio.Metadata((TRAILER, trailer))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details, None)


@pytest.mark.parametrize("kind", [each for each in tree() if each.__module__ == errors.__name__])
def test_every_class_of_the_tree_has_its_code_and_comes_back_as_itself(
    kind: type[VideoAnnotatorError],
) -> None:
    error = kind("What happened.", hint="What to do.")

    back = error_of(rpc_error(code_of(error), error.message, packed(error)))

    assert kind in CODES
    assert type(back) is kind
    assert (back.message, back.hint, back.field) == (error.message, error.hint, error.field)


def test_the_table_names_no_class_that_is_not_in_the_tree() -> None:
    there = {each for _, each in inspect.getmembers(errors, inspect.isclass)}

    assert set(CODES) <= there


def test_every_code_in_the_table_means_something_without_an_explanation_too() -> None:
    unexplained = {*CODES.values()} - {*UNEXPLAINED}

    assert unexplained == {grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS}


def test_an_old_leader_is_refused_with_failed_precondition() -> None:
    assert code_of(NotLeader()) is grpc.StatusCode.FAILED_PRECONDITION


def test_a_class_of_somebody_elses_counts_as_the_nearest_above() -> None:
    class JobIsOnTheMoon(errors.JobNotFound):
        """There is no bridge."""

    assert code_of(JobIsOnTheMoon()) is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_status_of_the_library_becomes_an_error_of_ours(code: grpc.StatusCode) -> None:
    error = error_of(rpc_error(code, "said by the library"))

    assert type(error) is UNEXPLAINED.get(code, VideoAnnotatorError)
    assert error.message == "said by the library"


texts = st.text(st.characters(codec="utf-8"), max_size=40)


@given(message=texts, hint=texts, field=st.none() | texts)
def test_texts_of_any_language_come_through(message: str, hint: str, field: str | None) -> None:
    problem = Problem(message, hint=hint, field=field, code="UNKNOWN_FIELD")
    error = InvalidConfig(message, hint=hint, field=field, problems=(problem,))

    back = unpacked(packed(error), "")

    assert isinstance(back, InvalidConfig)
    assert (back.message, back.hint, back.field) == (error.message, error.hint, error.field)
    found = back.problems[0]
    assert (found.message, found.hint, found.code) == (problem.message, problem.hint, problem.code)


@pytest.mark.parametrize("second", [None, 0.0, 12.5])
def test_the_second_of_a_media_error_comes_through(second: float | None) -> None:
    back = unpacked(packed(MediaError("Broken.", second=second)), "")

    assert isinstance(back, MediaError)
    assert back.second == second


def test_an_error_too_long_for_metadata_keeps_its_class_and_message() -> None:
    problems = tuple(Problem("x" * 100, field=f"p.{n}") for n in range(1000))
    error = InvalidConfig("Too much is wrong.", problems=problems)

    trailer = packed(error)
    back = error_of(rpc_error(code_of(error), error.message, trailer))

    assert len(trailer) <= MAX_TRAILER_BYTES
    assert type(back) is InvalidConfig
    assert back.message == "Too much is wrong."


def test_the_wait_of_a_limit_comes_through() -> None:
    back = unpacked(packed(LimitReached("Later.", retry_after_seconds=12.5)), "")

    assert isinstance(back, LimitReached)
    assert back.retry_after_seconds == 12.5


def test_as_many_problems_as_fit_come_through() -> None:
    problems = tuple(Problem(f"Number {n} is wrong.", field=f"p.{n}") for n in range(300))

    back = unpacked(packed(InvalidConfig("Much is wrong.", hint="Mend.", problems=problems)), "")

    assert isinstance(back, InvalidConfig)
    assert (back.message, back.hint) == ("Much is wrong.", "Mend.")
    assert 30 < len(back.problems) < 300
    assert [each.message for each in back.problems[:2]] == [
        "Number 0 is wrong.",
        "Number 1 is wrong.",
    ]


@given(st.text(max_size=4000))
def test_a_message_is_cut_to_what_the_head_of_an_answer_holds(message: str) -> None:
    cut = shortened(message)
    sent = quote(cut.encode("utf-8", "surrogatepass"), safe=PLAIN)

    assert message.startswith(cut)
    assert len(sent) <= MAX_MESSAGE_BYTES
    assert cut == message or len(sent) > MAX_MESSAGE_BYTES - 12  # one character takes no more


@pytest.mark.parametrize(
    "trailer", [b"", b"\xff", b"[]", b"1", b'{"error": 1}', b'{"error": "FromTheFuture"}']
)
def test_a_trailer_that_is_not_understood_leaves_what_the_status_means(trailer: bytes) -> None:
    error = error_of(rpc_error(grpc.StatusCode.NOT_FOUND, "said", trailer))

    assert type(error) is errors.NotFound
    assert error.message == "said"


def test_a_trailer_is_json_that_any_language_can_read() -> None:
    assert json.loads(packed(NotLeader("No.")))["error"] == "NotLeader"
