"""JSON objects and times as protobuf's own types, and back."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain.errors import InvalidRequest
from videoannotator.rpc.well_known import (
    LARGEST_EXACT,
    struct_from,
    struct_to,
    timestamp_from,
    timestamp_to,
)

texts = st.text(st.characters(codec="utf-8"), max_size=10)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-LARGEST_EXACT, LARGEST_EXACT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values: st.SearchStrategy[Any] = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=4))
def test_an_object_comes_back_as_it_went(given_object: dict[str, Any]) -> None:
    sent = struct_to(given_object).SerializeToString()

    assert struct_from(Struct.FromString(sent)) == given_object


@pytest.mark.parametrize("number", [9, -3, 2**53, 0])
def test_whole_numbers_come_back_as_integers(number: int) -> None:
    found = struct_from(struct_to({"a": number, "b": [number, {"c": number}]}))

    assert type(found["a"]) is int
    assert found == {"a": number, "b": [number, {"c": number}]}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_does_not_know_is_refused(number: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        struct_from(struct_to({"a": [number]}))

    assert "finite" in caught.value.hint


def test_a_value_that_says_nothing_is_null() -> None:
    assert struct_from(Struct(fields={"a": Value()})) == {"a": None}


@given(
    st.datetimes(
        datetime(1, 1, 2),  # noqa: DTZ001 - the zone is drawn below
        datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]),
    )
)
def test_a_time_comes_back_to_the_microsecond(moment: datetime) -> None:
    message = timestamp_to(moment)

    assert message is not None
    assert timestamp_from(message) == moment
    assert timestamp_from(message).tzinfo is UTC


def test_no_time_is_no_message() -> None:
    assert timestamp_to(None) is None


@pytest.mark.parametrize(
    "message",
    [
        Timestamp(seconds=2**63 - 1),
        Timestamp(seconds=-(2**63)),
        Timestamp(seconds=253402300800),
        Timestamp(seconds=-62135596801),
        Timestamp(nanos=-1),
        Timestamp(nanos=10**9),
    ],
)
def test_a_time_outside_the_calendar_is_refused(message: Timestamp) -> None:
    with pytest.raises(InvalidRequest):
        timestamp_from(message)
