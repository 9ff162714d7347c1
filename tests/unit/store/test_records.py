"""Every record comes out of its row as it went in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert, select

from tests.fakes.stored import NOON
from videoannotator.domain.access import ApiKey, User
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import (
    Artifact,
    Attempt,
    Job,
    Progress,
    Resources,
    Run,
    Wants,
    Worker,
)
from videoannotator.domain.videos import AudioStream, Probe, Video, VideoStream
from videoannotator.store import records
from videoannotator.store import tables as t
from videoannotator.store.types import Instant

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
INSTANT = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
MAYBE = st.none() | INSTANT
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
DOCUMENT = st.dictionaries(TEXT, JSON, max_size=3)
FRACTION = st.fractions(min_value=0, max_denominator=100_000)
FAILURE = st.builds(
    Failure,
    code=st.sampled_from(Code),
    message=TEXT,
    hint=TEXT,
    stage=TEXT,
    position_seconds=st.none() | NUMBER,
    log_tail=st.lists(TEXT, max_size=3).map(tuple),
)
PROGRESS = st.builds(
    Progress, stage=TEXT, position_seconds=NUMBER, duration_seconds=NUMBER, rate=NUMBER
)
RESOURCES = st.builds(Resources, cpus=NUMBER)
PROBE = st.builds(
    Probe,
    container=TEXT,
    duration_seconds=NUMBER,
    start_seconds=NUMBER,
    video=st.none()
    | st.builds(
        VideoStream,
        codec=TEXT,
        mean_frame_rate=st.none() | FRACTION,
        sample_aspect_ratio=FRACTION,
        start_seconds=NUMBER,
        duration_seconds=NUMBER,
    ),
    audio=st.none()
    | st.builds(
        AudioStream, codec=TEXT, layout=TEXT, start_seconds=NUMBER, duration_seconds=NUMBER
    ),
)
SMALL = st.integers(-(2**31), 2**31 - 1)
LARGE = st.integers(0, 2**63 - 1)
MOMENTS = ("created_at", "started_at", "finished_at", "not_before", "opened_at", "over_at")
MOMENTS += ("create_sent_at", "up_at", "last_contact_at", "stopping_at", "abandon_requested_at")
MOMENTS += ("unproven_since", "gone_at", "expires_at", "revoked_at", "delete_requested_at")
MOMENTS += ("updated_at", "completed_at", "cancelled_at")
NEVER_NONE = {"created_at", "updated_at", "opened_at"}


def record(kind: Any, **fields: Any) -> st.SearchStrategy[Any]:
    """Any record of `kind`; `fields` for what cannot be told from the type."""
    known = set(kind.__dataclass_fields__)
    moments = {name: INSTANT if name in NEVER_NONE else MAYBE for name in MOMENTS if name in known}
    hints = kind.__annotations__
    texts = {name: TEXT for name, hint in hints.items() if hint is str}
    texts |= {name: st.none() | TEXT for name, hint in hints.items() if hint == str | None}
    whole = {name: SMALL for name, hint in hints.items() if hint is int}
    return st.builds(kind, **{**texts, **whole, **moments, **fields})


RECORDS = {
    "user": record(User),
    "key": record(ApiKey),
    "video": record(Video, size_bytes=LARGE, probe=st.none() | PROBE),
    "job": record(
        Job,
        config=DOCUMENT,
        wants=st.builds(Wants, cancel_requested_at=MAYBE, delete_requested_at=MAYBE),
    ),
    "run": record(
        Run,
        parameters=DOCUMENT,
        ignored_parameters=st.dictionaries(TEXT, TEXT, max_size=3),
        resources=RESOURCES,
        failure=st.none() | FAILURE,
        progress=PROGRESS,
        summary=st.dictionaries(TEXT, SMALL, max_size=3),
        queue_position=st.none() | SMALL,
    ),
    "attempt": record(Attempt, failure=st.none() | FAILURE),
    "worker": record(
        Worker,
        body=DOCUMENT,
        gpus=st.lists(SMALL, max_size=4).map(tuple),
        resources=RESOURCES,
        failure=st.none() | FAILURE,
    ),
    "artifact": record(Artifact, size_bytes=LARGE),
}
TABLES = {
    "user": t.users,
    "key": t.api_keys,
    "video": t.videos,
    "job": t.jobs,
    "run": t.runs,
    "attempt": t.attempts,
    "worker": t.workers,
    "artifact": t.artifacts,
}


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """A database in memory with all tables and no foreign keys checked."""
    engine = create_engine("sqlite://")
    t.metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


@pytest.mark.parametrize("name", RECORDS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_record_comes_back_as_it_was(
    connection: Connection, name: str, data: st.DataObject
) -> None:
    given_record = data.draw(RECORDS[name])
    values = getattr(records, f"{name}_values")(given_record)

    with connection.begin() as transaction:
        connection.execute(insert(TABLES[name]).values(values))
        row = connection.execute(select(TABLES[name])).mappings().one()
        found = getattr(records, f"{name}_of")(row)
        transaction.rollback()

    assert found == given_record


@given(first=INSTANT, second=INSTANT)
def test_instants_sort_as_text(first: Any, second: Any) -> None:
    dialect = create_engine("sqlite://").dialect
    texts = [Instant().process_bind_param(each, dialect) for each in (first, second)]

    assert (texts[0] < texts[1]) == (first < second)
    assert Instant().process_result_value(texts[0], dialect) == first


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Instant().process_bind_param(NOON.replace(tzinfo=None), create_engine("sqlite://").dialect)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_cannot_hold_are_unknown(number: float) -> None:
    progress = Progress(stage="x", position_seconds=number, duration_seconds=2, rate=number)
    failure = Failure(code=Code.MEDIA_ERROR, message="x", position_seconds=number)
    probe = Probe(container="mp4", duration_seconds=number)

    assert records.progress_document(progress) == records.progress_document(
        replace(progress, position_seconds=0.0, rate=0.0)
    )
    assert (records.failure_document(failure) or {})["position_seconds"] == 0.0
    assert (records.probe_document(probe) or {})["duration_seconds"] == 0.0
