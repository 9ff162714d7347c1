"""What holds for every public rpc: ids, errors, hostile messages, deadlines."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.api_site import ApiSite
from tests.fakes.faces import Asked, Rpc, refused, rpc_server, secret_of
from videoannotator.blobs import keys
from videoannotator.domain.errors import ManifestInvalid, TooLarge
from videoannotator.rpc.status import MAX_MESSAGE_BYTES, error_of
from videoannotator.v1 import job_pb2, pipeline_pb2

CODE = grpc.StatusCode
SERVICES = {**job_pb2.DESCRIPTOR.services_by_name, **pipeline_pb2.DESCRIPTOR.services_by_name}
RPCS = {
    f"/{service.full_name}/{method.name}": method
    for service in SERVICES.values()
    for method in service.methods
}
#: What an answer to nonsense may be. INTERNAL and UNKNOWN would be ours to mend.
ALLOWED = {
    CODE.OK,
    CODE.INVALID_ARGUMENT,
    CODE.NOT_FOUND,
    CODE.RESOURCE_EXHAUSTED,
    CODE.FAILED_PRECONDITION,
}


@pytest.fixture
async def channel(site: ApiSite) -> AsyncIterator[grpc.aio.Channel]:
    """To the site's server."""
    async with rpc_server(site) as target, grpc.aio.insecure_channel(target) as channel:
        yield channel


@pytest.fixture
def rpc(site: ApiSite, channel: grpc.aio.Channel) -> Rpc:
    """The administrator's calls."""
    return Rpc(channel, secret_of(site.admin))


async def failed(call: Any) -> grpc.aio.AioRpcError:
    """The error that a call ends with, for one answer as for many."""
    answers = anext(aiter(call)) if hasattr(call, "__aiter__") else call
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answers
    return caught.value


def trailers(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """Trailing metadata by name."""
    pairs: Any = error.trailing_metadata() or ()
    return dict(pairs)


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [("mine-17", True), ("", False), ("x" * 65, False), ("a b", False), ("a;b", False)],
)
async def test_every_call_has_an_id(rpc: Rpc, given_id: str, kept: bool) -> None:
    metadata = (*rpc._metadata, ("x-request-id", given_id))
    good = rpc.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=metadata)
    bad = rpc.jobs.GetJob(job_pb2.GetJobRequest(job_id="none"), metadata=metadata)

    await good
    first = dict(await good.trailing_metadata())["x-request-id"]
    second = trailers(await failed(bad))["x-request-id"]

    assert ({first, second} == {given_id}) is kept
    assert len(first) >= 7


async def test_a_call_is_one_line_in_the_log(rpc: Rpc, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    metadata = (*rpc._metadata, ("x-request-id", "mine"))

    await failed(rpc.jobs.GetJob(job_pb2.GetJobRequest(job_id="none"), metadata=metadata))

    (line,) = [record.msg for record in caplog.records if "call" in str(record.msg)]
    assert isinstance(line, dict)
    assert (line["event"], line["rpc"], line["code"]) == ("call", "JobService/GetJob", "NOT_FOUND")
    assert line["request_id"] == "mine"
    assert "va_" not in caplog.text


class Broken:
    """Jobs of a store with a mistake in it."""

    def __getattr__(self, name: str) -> Any:
        """Every method."""

        async def crash(*given: Any, **named: Any) -> Any:
            raise ZeroDivisionError("/srv/secret.py: division of 17 by zero")

        return crash


@pytest.mark.parametrize("name", ["GetJob", "WatchJob", "ReadArtifact", "ListJobs", "SubmitJob"])
async def test_what_nobody_expected_is_logged_and_not_told(
    site: ApiSite, rpc: Rpc, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    use = site.operations
    for part, field in ((use.jobs, "jobs"), (use.watching, "jobs"), (use.results, "jobs")):
        object.__setattr__(part, field, Broken())
    method = RPCS[f"/videoannotator.v1.JobService/{name}"]
    request = getattr(job_pb2, method.input_type.name)
    wanted = job_pb2.JobSpecification(upload=job_pb2.VideoUpload(), selected_pipelines=["scene"])
    message = iter([request(specification=wanted)]) if name == "SubmitJob" else request()

    error = await failed(getattr(rpc.jobs, name)(message, metadata=rpc._metadata))

    request_id = trailers(error)["x-request-id"]
    assert error.code() is CODE.INTERNAL
    assert error.details() == "Something went wrong here. It has been logged."
    assert request_id in refused(error).hint
    assert trailers(error)["videoannotator-code"] == "INTERNAL_SERVER_ERROR"
    assert not {"secret", "ZeroDivision", "Traceback"} & set(str(trailers(error)).split())
    (crash,) = [each for each in caplog.records if "call_crashed" in str(each.msg)]
    assert isinstance(crash.msg, dict)
    assert crash.msg["request_id"] == request_id
    assert "division of 17" in str(crash.exc_info)
    assert site.files() == []


async def test_a_long_message_is_cut_before_grpc_refuses_it(rpc: Rpc) -> None:
    name = "ü" * 60_000
    request = pipeline_pb2.GetPipelineRequest(name=name)

    error = await failed(rpc.catalogue.GetPipeline(request))

    assert error.code() is CODE.NOT_FOUND
    assert 100 < len(error.details() or "") <= MAX_MESSAGE_BYTES
    assert "Known pipelines" in error_of(error).hint


async def test_a_message_beyond_the_limit_of_a_body_is_refused(site: ApiSite, rpc: Rpc) -> None:
    most = site.settings.api.max_body_bytes
    small = pipeline_pb2.GetPipelineRequest(name="x" * (most - 100))
    large = pipeline_pb2.GetPipelineRequest(name="x" * most)
    huge = pipeline_pb2.GetPipelineRequest(name="x" * 5_000_000)

    assert (await failed(rpc.catalogue.GetPipeline(small))).code() is CODE.NOT_FOUND
    assert isinstance(error_of(await failed(rpc.catalogue.GetPipeline(large))), TooLarge)
    assert (await failed(rpc.catalogue.GetPipeline(huge))).code() is CODE.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"created_after": Timestamp(seconds=2**62)}, None),
        ({"created_before": Timestamp(seconds=-(2**62))}, None),
        ({"created_before": Timestamp(nanos=-5)}, None),
        ({"sort": 99}, "sort"),
        ({"page": -(2**31)}, "page"),
    ],
)
async def test_a_strange_list_is_refused(
    rpc: Rpc, request_: dict[str, Any], field: str | None
) -> None:
    request = job_pb2.ListJobsRequest(**request_)

    error = await failed(rpc.jobs.ListJobs(request, metadata=rpc._metadata))

    assert error.code() is CODE.INVALID_ARGUMENT
    assert (refused(error).code, refused(error).field) == ("INVALID_REQUEST", field)


async def test_the_first_and_the_last_moment_can_be_asked_for(rpc: Rpc) -> None:
    job = await rpc.submit(Asked())
    first, last = Timestamp(), Timestamp()
    first.FromJsonString("0001-01-01T00:00:00Z")
    last.FromJsonString("9999-12-31T23:59:59.999999Z")
    request = job_pb2.ListJobsRequest(created_after=first, created_before=last)

    answer = await rpc.jobs.ListJobs(request, metadata=rpc._metadata)

    assert [each.id for each in answer.jobs] == [job["id"]]


async def test_a_state_of_a_newer_contract_finds_nothing(rpc: Rpc) -> None:
    await rpc.submit(Asked())
    request: Any = job_pb2.ListJobsRequest(status=99, per_page=7)  # type: ignore[arg-type]

    answer = await rpc.jobs.ListJobs(request, metadata=rpc._metadata)

    assert (len(answer.jobs), answer.total, answer.page, answer.per_page) == (0, 0, 1, 7)


@pytest.fixture
async def file(site: ApiSite, rpc: Rpc) -> dict[str, str]:
    """A result file of three bytes: job_id, artifact_id."""
    job = await rpc.submit(Asked())
    await site.finish(job["id"], b"abc")
    return {"job_id": job["id"], "artifact_id": (await rpc.files(job["id"]))[0]["id"]}


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"offset_bytes": -1}, "offset_bytes"),
        ({"offset_bytes": 4}, "offset_bytes"),
        ({"offset_bytes": 2**63 - 1}, "offset_bytes"),
        ({"length_bytes": -1}, "length_bytes"),
        ({"length_bytes": -(2**63)}, "length_bytes"),
    ],
)
async def test_a_part_that_is_not_there_is_refused(
    rpc: Rpc, file: dict[str, str], part: dict[str, int], field: str
) -> None:
    request = job_pb2.ReadArtifactRequest(**file, **part)

    error = await failed(rpc.jobs.ReadArtifact(request, metadata=rpc._metadata))

    assert (error.code(), refused(error).field) == (CODE.INVALID_ARGUMENT, field)


async def test_a_read_that_goes_on_at_the_end_is_a_header_alone(
    rpc: Rpc, file: dict[str, str]
) -> None:
    request = job_pb2.ReadArtifactRequest(**file, offset_bytes=3, length_bytes=2**63 - 1)

    messages = [m async for m in rpc.jobs.ReadArtifact(request, metadata=rpc._metadata)]

    assert [each.header.size_bytes for each in messages] == [3]


async def test_a_file_that_is_cut_short_does_not_end_well(
    site: ApiSite, rpc: Rpc, file: dict[str, str]
) -> None:
    rows = await site.rows(file["job_id"])
    folder = keys.attempt_folder(rows.job.owner_id, rows.job.id, "scene_detection", 1)
    site.blobs.path(f"{folder}/result.json").write_bytes(b"ab")
    call = rpc.jobs.ReadArtifact(job_pb2.ReadArtifactRequest(**file), metadata=rpc._metadata)
    header, content = await call.read(), await call.read()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()

    assert (header.header.size_bytes, content.chunk) == (3, b"ab")
    assert caught.value.code() is CODE.DATA_LOSS
    assert isinstance(error_of(caught.value), ManifestInvalid)


@pytest.mark.parametrize("after", [-1, -(2**63)])
async def test_a_negative_event_id_is_refused(rpc: Rpc, after: int) -> None:
    job = await rpc.submit(Asked())
    request = job_pb2.WatchJobRequest(job_id=job["id"], after_event_id=after)

    error = await failed(rpc.jobs.WatchJob(request, metadata=rpc._metadata))

    assert error.code() is CODE.INVALID_ARGUMENT


async def test_a_pipeline_and_a_selection_exclude_each_other(rpc: Rpc) -> None:
    request = pipeline_pb2.ValidateParametersRequest(
        pipeline="scene_detection", selected_pipelines=["voice_activity"]
    )

    error = await failed(rpc.catalogue.ValidateParameters(request))

    assert (error.code(), refused(error).field) == (CODE.INVALID_ARGUMENT, "selected_pipelines")


class Slow:
    """Jobs of a store that answers when it is let."""

    def __init__(self, jobs: Any) -> None:
        self.jobs = jobs
        self.begun, self.let, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def cancel(self, *given: Any) -> Any:
        """Of a job."""
        self.begun.set()
        await self.let.wait()
        rows = await self.jobs.cancel(*given)
        self.ended.set()
        return rows


async def test_what_was_begun_is_ended_though_the_client_is_gone(site: ApiSite, rpc: Rpc) -> None:
    job = await rpc.submit(Asked())
    slow = Slow(site.operations.jobs.jobs)
    object.__setattr__(site.operations.jobs, "jobs", slow)
    request = job_pb2.CancelJobRequest(job_id=job["id"])
    call = rpc.jobs.CancelJob(request, metadata=rpc._metadata)
    await asyncio.wait_for(slow.begun.wait(), 20)

    call.cancel()
    await rpc.pipelines()  # the server knows of the cancel by now
    slow.let.set()

    await asyncio.wait_for(slow.ended.wait(), 20)


async def test_a_deadline_is_kept(site: ApiSite, rpc: Rpc) -> None:
    slow = Slow(None)
    object.__setattr__(site.operations.jobs, "jobs", slow)
    request = job_pb2.CancelJobRequest(job_id="x")

    error = await failed(rpc.jobs.CancelJob(request, metadata=rpc._metadata, timeout=0.2))

    assert error.code() is CODE.DEADLINE_EXCEEDED
    slow.jobs = Broken()
    slow.let.set()


async def test_a_reader_that_goes_away_closes_the_file(site: ApiSite, rpc: Rpc) -> None:
    job = await rpc.submit(Asked())
    await site.finish(job["id"], bytes(30_000_000))
    closed = asyncio.Event()
    read = site.blobs.read

    async def watched(*given: Any) -> AsyncIterator[bytes]:
        try:
            async for piece in read(*given):
                yield piece
        finally:
            closed.set()

    site.blobs.read = watched  # type: ignore[method-assign]
    artifact_id = (await rpc.files(job["id"]))[0]["id"]
    request = job_pb2.ReadArtifactRequest(job_id=job["id"], artifact_id=artifact_id)
    call = rpc.jobs.ReadArtifact(request, metadata=rpc._metadata)
    await call.read()
    await call.read()

    call.cancel()

    await asyncio.wait_for(closed.wait(), 20)


async def test_a_method_that_is_not_there_is_told(channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary("/videoannotator.v1.JobService/Explode")

    assert (await failed(call(b""))).code() is CODE.UNIMPLEMENTED


async def answer(
    channel: grpc.aio.Channel, path: str, content: bytes, secret: str
) -> grpc.StatusCode:
    """The status of a call with these bytes."""
    method = RPCS[path]
    metadata = (("authorization", f"Bearer {secret}"),)
    if method.client_streaming:
        call: Any = channel.stream_unary(path)(iter([content]), metadata=metadata, timeout=20)
    elif method.server_streaming:
        call = channel.unary_stream(path)(content, metadata=metadata, timeout=20)
    else:
        call = channel.unary_unary(path)(content, metadata=metadata, timeout=20)
    code: grpc.StatusCode = await call.code()
    return code


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
@pytest.mark.parametrize("path", RPCS)
async def test_no_bytes_are_an_error_of_ours(
    site: ApiSite, channel: grpc.aio.Channel, path: str, data: st.DataObject
) -> None:
    lengths = st.binary(max_size=40)
    tagged = st.builds(lambda n, b: bytes([n << 3 | 2, len(b)]) + b, st.integers(1, 9), lengths)
    numbers = st.builds(lambda n, b: bytes([n << 3, b]), st.integers(1, 9), st.integers(0, 127))
    content = data.draw(lengths | st.lists(tagged | numbers, max_size=6).map(b"".join))

    code = await answer(channel, path, content, secret_of(site.admin) or "")

    assert code in ALLOWED, json.dumps(content.hex())
