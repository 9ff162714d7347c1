"""SubmitJob message by message: what is refused, what breaks off; and that nothing is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from tests.fakes.api_site import ApiSite
from tests.fakes.faces import Asked, Rpc, messages_of, refused, rpc_server, secret_of
from videoannotator.api.auth import MISSING
from videoannotator.api.grpc_server import PublicServer
from videoannotator.domain.errors import InvalidRequest
from videoannotator.rpc.auth import bearer
from videoannotator.rpc.status import error_of
from videoannotator.store.access import Access
from videoannotator.v1 import job_pb2 as j

CODE = grpc.StatusCode
MIB = 1024 * 1024


@pytest.fixture
async def channel(site: ApiSite) -> AsyncIterator[grpc.aio.Channel]:
    """To the site's server."""
    async with rpc_server(site) as target, grpc.aio.insecure_channel(target) as channel:
        yield channel


@pytest.fixture
def rpc(site: ApiSite, channel: grpc.aio.Channel) -> Rpc:
    """The administrator's calls."""
    return Rpc(channel, secret_of(site.admin))


def upload(size_bytes: int, **more: Any) -> j.SubmitJobRequest:
    """A first message that announces so many bytes."""
    video = j.VideoUpload(filename="a.mp4", size_bytes=size_bytes)
    wanted = j.JobSpecification(upload=video, selected_pipelines=["scene_detection"], **more)
    return j.SubmitJobRequest(specification=wanted)


def chunk(content: bytes) -> j.SubmitJobRequest:
    """A message with bytes."""
    return j.SubmitJobRequest(chunk=content)


STORED = j.SubmitJobRequest(specification=j.JobSpecification(video_id="x"))


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], "does not say"),
        ([j.SubmitJobRequest()], "does not say"),
        ([chunk(b"abc"), upload(3)], "does not say"),
        ([j.SubmitJobRequest(specification=j.JobSpecification())], "no video"),
        ([upload(3)], "ended 3 bytes before"),
        ([upload(3), chunk(b"ab")], "ended 1 bytes before"),
        ([upload(3), chunk(b"ab"), chunk(b"cd")], "more than the announced 3"),
        ([upload(0), chunk(b"a")], "more than the announced 0"),
        ([upload(-1)], "ended"),
        ([upload(-1), chunk(b"a")], "more than the announced -1"),
        ([upload(3), chunk(b"")], "no bytes"),
        ([upload(3), j.SubmitJobRequest()], "no bytes"),
        ([upload(3), upload(3)], "no bytes"),
        ([STORED, chunk(b"abc")], "either"),
        ([STORED, STORED], "either"),
    ],
)
async def test_messages_in_another_order_are_refused(
    site: ApiSite, rpc: Rpc, messages: list[j.SubmitJobRequest], told: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc.jobs.SubmitJob(messages, metadata=rpc._metadata)

    assert caught.value.code() is CODE.INVALID_ARGUMENT
    assert told in (caught.value.details() or "")
    assert refused(caught.value).hint
    assert site.files() == []


async def test_nonsense_is_refused_before_the_video_is_sent(rpc: Rpc) -> None:
    call = rpc.jobs.SubmitJob(metadata=rpc._metadata)
    message = upload(10**9)
    message.specification.selected_pipelines[:] = ["nope"]
    await call.write(message)  # and not a byte of the video

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, 20)

    assert refused(caught.value).code == "INVALID_CONFIG"


async def test_an_announced_video_that_is_too_large_is_not_read(site: ApiSite, rpc: Rpc) -> None:
    call = rpc.jobs.SubmitJob(metadata=rpc._metadata)
    await call.write(upload(2**62))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, 20)

    assert caught.value.code() is CODE.RESOURCE_EXHAUSTED
    assert refused(caught.value).code == "TOO_LARGE"


@pytest.mark.parametrize(
    ("secret", "told"), [(None, MISSING), ("va_wrong", "Invalid or expired token")]
)
async def test_a_stranger_is_refused_before_a_message(
    channel: grpc.aio.Channel, secret: str | None, told: str
) -> None:
    stranger = Rpc(channel, secret)
    call = stranger.jobs.SubmitJob(metadata=stranger._metadata)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, 20)

    assert (caught.value.code(), caught.value.details()) == (CODE.UNAUTHENTICATED, told)
    assert refused(caught.value).hint.startswith("Send the header 'Authorization: Bearer")


async def until(holds: Callable[[], bool]) -> None:
    """Waits until it holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - a folder tells nobody
            await asyncio.sleep(0.01)


async def half_sent(site: ApiSite, rpc: Rpc) -> Any:
    """A call that has sent half of a video, which the server is writing."""
    call = rpc.jobs.SubmitJob(metadata=rpc._metadata)
    await call.write(upload(20 * MIB))
    for _ in range(10):
        await call.write(chunk(b"x" * MIB))
    await until(lambda: site.files() != [])
    return call


async def test_a_client_that_cancels_leaves_nothing(site: ApiSite, rpc: Rpc) -> None:
    call = await half_sent(site, rpc)

    call.cancel()

    await until(lambda: site.files() == [])
    assert (await rpc.listed())["total"] == 0


async def test_a_client_whose_time_is_over_leaves_nothing(site: ApiSite, rpc: Rpc) -> None:
    async def endless() -> AsyncIterator[j.SubmitJobRequest]:
        yield upload(10**9)
        while True:
            yield chunk(b"x" * MIB)
            await asyncio.sleep(0.02)

    # The library's client may tell the write that failed, in place of the deadline.
    with pytest.raises(grpc.aio.AioRpcError):
        await rpc.jobs.SubmitJob(endless(), metadata=rpc._metadata, timeout=1.0)

    await until(lambda: site.files() == [])


async def test_a_connection_that_breaks_leaves_nothing(site: ApiSite, rpc: Rpc) -> None:
    """To the server it looks as if the stream had ended."""
    async with rpc_server(site) as target:
        broken = grpc.aio.insecure_channel(target)
        await half_sent(site, Rpc(broken, secret_of(site.admin)))

        await broken.close(None)

        await until(lambda: site.files() == [])
    assert (await rpc.listed())["total"] == 0


async def test_a_server_that_stops_keeps_nothing_of_half_a_video(site: ApiSite) -> None:
    server = PublicServer(site.operations, Access(site.database), site.settings, site.blobs)
    port = await server.start("127.0.0.1:0", None)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = await half_sent(site, Rpc(channel, secret_of(site.admin)))

        await server.stop(0.1)

        assert site.files() == []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call

    assert caught.value.code() is CODE.UNAVAILABLE
    assert refused(caught.value).message == "The server stops."


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_a_message_beyond_the_limit_of_grpc_ends_the_upload(
    site: ApiSite, rpc: Rpc, compression: grpc.Compression
) -> None:
    messages = [upload(5 * MIB), chunk(bytes(5 * MIB))]

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc.jobs.SubmitJob(messages, metadata=rpc._metadata, compression=compression)

    assert caught.value.code() is CODE.RESOURCE_EXHAUSTED
    await until(lambda: site.files() == [])
    assert (await rpc.listed())["total"] == 0


async def test_a_client_that_leaves_after_the_last_byte_leaves_a_whole_job(
    site: ApiSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once everything is there it is worked to its end: files and rows agree."""
    move, moved, let = site.blobs.move, asyncio.Event(), asyncio.Event()

    async def slow(source: str, target: str) -> None:
        await move(source, target)
        moved.set()
        await let.wait()

    monkeypatch.setattr(site.blobs, "move", slow)
    async with rpc_server(site) as target, grpc.aio.insecure_channel(target) as channel:
        rpc = Rpc(channel, secret_of(site.admin))
        call = rpc.jobs.SubmitJob(metadata=rpc._metadata)
        for message in messages_of(Asked()):
            await call.write(message)
        await call.done_writing()
        await asyncio.wait_for(moved.wait(), 20)
        call.cancel()
        await rpc.pipelines()  # the server knows of the cancel by now
    let.set()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 20)

    (job,) = (await site.admin.get("/api/v1/jobs")).json()["jobs"]
    assert site.files() == [f"videos/{job['owner']}/{job['video_id']}/source"]


async def raw(channel: grpc.aio.Channel, secret: str | None, *messages: bytes) -> Exception:
    """What SubmitJob says to these bytes."""
    call = channel.stream_unary("/videoannotator.v1.JobService/SubmitJob")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(iter(messages), metadata=bearer(secret or ""))
    return error_of(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xff\xff",
        b"\x0a\x05abc",
        upload(3).SerializeToString().replace(b"a.mp4", b"a\xff\xfe\xfd4"),
    ],
)
async def test_bytes_that_are_no_message_are_refused(
    site: ApiSite, channel: grpc.aio.Channel, content: bytes
) -> None:
    secret = secret_of(site.admin)

    first = await raw(channel, secret, content)
    second = await raw(channel, secret, upload(3).SerializeToString(), content)

    assert (type(first), type(second)) == (InvalidRequest, InvalidRequest)
    assert site.files() == []
