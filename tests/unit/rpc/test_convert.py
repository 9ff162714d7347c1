"""Records as messages, and back: nothing is lost, nothing is forgotten."""

from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any, get_args

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Progress
from videoannotator.domain.videos import AudioStream, Probe, VideoStream
from videoannotator.rpc import convert
from videoannotator.rpc.well_known import LARGEST_EXACT, struct_from, struct_to
from videoannotator.rpc.work import (
    Accepted,
    Assignment,
    Completed,
    Description,
    LogLine,
    WorkEvent,
)
from videoannotator.v1 import inference_pb2, log_pb2, media_pb2

texts = st.text(st.characters(codec="utf-8"), max_size=20)
int32 = st.integers(0, 2**31 - 1)
int64 = st.integers(0, 2**63 - 1)
seconds = st.floats(-1e6, 1e6)
rates = st.builds(Fraction, st.integers(1, 2**40), st.integers(1, 2**40))

videos = st.builds(
    VideoStream,
    codec=texts,
    width=int32,
    height=int32,
    rotation=st.sampled_from([0, 90, 180, 270]),
    mean_frame_rate=st.none() | rates,
    variable_frame_rate=st.booleans(),
    sample_aspect_ratio=rates,
    start_seconds=seconds,
    duration_seconds=seconds,
)
audios = st.builds(
    AudioStream,
    codec=texts,
    sample_rate=int32,
    channels=int32,
    layout=texts,
    start_seconds=seconds,
    duration_seconds=seconds,
)
probes = st.builds(
    Probe,
    container=texts,
    duration_seconds=seconds,
    start_seconds=seconds,
    video=st.none() | videos,
    audio=st.none() | audios,
)
progresses = st.builds(
    Progress,
    stage=texts,
    position_seconds=seconds,
    duration_seconds=seconds,
    rate=seconds,
)
failures = st.builds(
    Failure,
    code=st.sampled_from(Code),
    message=texts,
    hint=texts,
    stage=texts,
    position_seconds=st.none() | seconds,
    log_tail=st.just(()),  # travels as log lines
)
log_lines = st.builds(
    LogLine, level=st.sampled_from([*convert.LEVELS]), message=texts, told_before=st.booleans()
)
accepteds = st.builds(Accepted, probe=st.none() | probes, device=texts)
completeds = st.builds(
    Completed,
    manifest_sha256=texts,
    files=st.lists(texts, max_size=3).map(tuple),
    summary=st.dictionaries(texts, int64, max_size=3),
)
events = st.one_of(accepteds, progresses, log_lines, completeds, failures)
values = st.recursive(
    st.none()
    | st.booleans()
    | texts
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
assignments = st.builds(
    lambda source, target, **rest: Assignment(**source, **target, **rest),
    source=st.one_of(st.builds(dict, path=texts), st.builds(dict, url=texts)),
    target=st.one_of(
        st.builds(dict, directory=texts),
        st.builds(
            dict,
            signed=st.dictionaries(texts, texts, max_size=3),
            manifest_url=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        ),
    ),
    run_id=texts,
    attempt=int32,
    pipeline=texts,
    parameters=st.dictionaries(texts, values, max_size=3),
    ignored_parameters=st.dictionaries(texts, texts, max_size=3),
    retries=int32,
    video_id=texts,
    sha256=texts,
    size_bytes=int64,
)
descriptions = st.builds(
    Description,
    worker_id=texts,
    pipeline=texts,
    pipeline_version=texts,
    product_version=texts,
    identity=texts,
    attempt=int32,
)


def over_the_wire(message: Message) -> Any:
    """The message as the other side reads it."""
    return type(message).FromString(message.SerializeToString())


@given(probe=probes)
def test_a_probe_comes_back_equal(probe: Probe) -> None:
    assert convert.probe_from(over_the_wire(convert.probe_to(probe))) == probe


@given(event=events)
def test_every_event_comes_back_equal(event: WorkEvent) -> None:
    assert convert.event_from(over_the_wire(convert.event_to(event))) == event


@given(assignment=assignments, epoch=int64)
def test_an_assignment_comes_back_equal(assignment: Assignment, epoch: int) -> None:
    message = over_the_wire(convert.assignment_to(assignment, epoch))

    assert convert.assignment_from(message) == assignment
    assert message.epoch == epoch


@given(description=descriptions)
def test_a_description_comes_back_equal(description: Description) -> None:
    message = over_the_wire(convert.description_to(description))

    assert convert.description_from(message) == description


@given(parameters=st.dictionaries(texts, values, max_size=3))
def test_whole_numbers_in_parameters_come_back_as_integers(parameters: dict[str, Any]) -> None:
    back = struct_from(over_the_wire(struct_to(parameters)))

    assert back == parameters
    assert not [each for each in leaves(back) if isinstance(each, float) and each.is_integer()
                and abs(each) <= LARGEST_EXACT]  # fmt: skip


def leaves(value: Any) -> list[Any]:
    """Every plain value inside."""
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


def full_messages() -> list[Message]:
    """One message of each kind whose record has every field set."""
    video = VideoStream(
        codec="h264", width=1, height=2, rotation=90, mean_frame_rate=Fraction(30000, 1001),
        variable_frame_rate=True, sample_aspect_ratio=Fraction(4, 3), start_seconds=0.5,
        duration_seconds=2.0,
    )  # fmt: skip
    audio = AudioStream(
        codec="aac", sample_rate=8000, channels=6, layout="5.1", start_seconds=0.1,
        duration_seconds=3.0,
    )  # fmt: skip
    probe = Probe(
        container="mp4", duration_seconds=3.0, start_seconds=0.1, video=video, audio=audio
    )
    progress = Progress(stage="s", position_seconds=1.0, duration_seconds=2.0, rate=3.0)
    line = LogLine(level="warning", message="m", told_before=True)
    completed = Completed(manifest_sha256="00", files=("a",), summary={"scenes": 2})
    failure = Failure(code=Code.MEDIA_ERROR, message="m", hint="h", stage="s", position_seconds=0.0)
    description = Description(
        worker_id="w", pipeline="p", pipeline_version="1", product_version="2", identity="i",
        attempt=1,
    )  # fmt: skip
    local = Assignment(
        run_id="r", attempt=1, pipeline="p", parameters={"a": 1}, ignored_parameters={"b": "a"},
        retries=2, video_id="v", path="/v", sha256="00", size_bytes=3, directory="/d",
    )  # fmt: skip
    signed = Assignment(
        run_id="r", attempt=1, pipeline="p", video_id="v", url="https://x", sha256="00",
        size_bytes=3, signed={"a": "https://y"}, manifest_url="https://z",
    )  # fmt: skip
    spoken: list[WorkEvent] = [
        Accepted(probe=probe, device="cpu"), progress, line, completed, failure
    ]  # fmt: skip
    return [
        *[convert.event_to(event) for event in spoken],
        convert.description_to(description),
        convert.assignment_to(local, 7),
        convert.assignment_to(signed, 7),
    ]


def set_fields(message: Message) -> set[str]:
    """Full names of the fields that are set, inside too."""
    found: set[str] = set()
    for field, value in message.ListFields():
        found.add(field.full_name)
        if field.message_type is None or not field.full_name.startswith("videoannotator"):
            continue
        if field.message_type.full_name.startswith("videoannotator") and not is_map(field):
            found |= set_fields(value)
    return found


def is_map(field: Any) -> bool:
    """A map field is a list of messages that the compiler made up."""
    return bool(field.message_type.GetOptions().map_entry)


def all_fields(*kinds: Descriptor) -> set[str]:
    """Full names of the fields of these messages, and of the messages inside."""
    found: set[str] = set()
    for kind in kinds:
        for field in kind.fields:
            found.add(field.full_name)
            inside = field.message_type
            if inside and inside.file.package == "videoannotator.v1" and not is_map(field):
                found |= all_fields(inside)
    return found


def test_every_field_of_the_contract_is_written_by_some_record() -> None:
    kinds = (
        inference_pb2.AnnotateRequest.DESCRIPTOR,
        inference_pb2.AnnotateResponse.DESCRIPTOR,
        inference_pb2.DescribeResponse.DESCRIPTOR,
        media_pb2.Probe.DESCRIPTOR,
    )

    written = {name for message in full_messages() for name in set_fields(message)}

    assert all_fields(*kinds) == written


@pytest.mark.parametrize(
    ("record", "strategy"),
    [
        (Probe, probes),
        (VideoStream, videos),
        (AudioStream, audios),
        (Progress, progresses),
        (Failure, failures),
        (LogLine, log_lines),
        (Accepted, accepteds),
        (Completed, completeds),
        (Description, descriptions),
    ],
)
def test_the_examples_above_vary_every_field_of_every_record(record: type, strategy: Any) -> None:
    assert is_dataclass(record)
    given_names = set(strategy.wrapped_strategy.kwargs)

    assert given_names == {field.name for field in fields(record)}


def test_every_event_of_the_contract_has_its_record() -> None:
    oneof = inference_pb2.AnnotateResponse.DESCRIPTOR.oneofs_by_name["event"]

    assert len(oneof.fields) == len(get_args(WorkEvent))
    for field in oneof.fields:
        message = inference_pb2.AnnotateResponse()
        getattr(message, field.name).SetInParent()
        assert isinstance(convert.event_from(message), WorkEvent), field.name


def test_an_event_of_a_newer_program_is_passed_over() -> None:
    assert convert.event_from(inference_pb2.AnnotateResponse()) is None


@pytest.mark.parametrize("number", log_pb2.LogLevel.values())
def test_every_log_level_of_the_contract_has_its_word(number: log_pb2.LogLevel) -> None:
    line = convert.log_from(inference_pb2.Log(level=number))

    unspecified = number == log_pb2.LOG_LEVEL_UNSPECIFIED
    assert line.level == ("info" if unspecified else convert.LEVEL_NAMES[number])
    assert unspecified or convert.log_to(line).level == number


@pytest.mark.parametrize("code", ["", "FROM_THE_FUTURE"])
def test_an_unknown_code_is_a_fault_of_the_pipeline(code: str) -> None:
    assert convert.failure_from(inference_pb2.Failed(code=code)).code is Code.PIPELINE_ERROR


def test_the_last_log_lines_are_added_by_who_kept_them() -> None:
    failure = convert.failure_from(inference_pb2.Failed(code="MEDIA_ERROR"), ("a", "b"))

    assert failure.log_tail == ("a", "b")


def test_a_message_without_an_aspect_ratio_or_rate_is_read() -> None:
    stream = convert.video_stream_from(media_pb2.VideoStream())

    assert stream.sample_aspect_ratio == 1
    assert stream.mean_frame_rate is None


def test_a_rational_without_a_denominator_is_read() -> None:
    assert convert.rational_from(media_pb2.Rational(numerator=3)) == 3
