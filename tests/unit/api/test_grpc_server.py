"""The public gRPC server: how it listens, what it says of its health, how it stops."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.fakes.api_site import ApiSite
from tests.fakes.faces import Asked, Rpc, refused, rpc_server, secret_of
from videoannotator.api import grpc_server
from videoannotator.api.grpc_server import JOBS, PIPELINES, PublicServer
from videoannotator.domain.errors import DatabaseUnavailable, InvalidSetting
from videoannotator.store.access import Access
from videoannotator.v1 import job_pb2, pipeline_pb2

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
Target = tuple[PublicServer, str]


def server_of(site: ApiSite) -> PublicServer:
    """A server that does not listen yet."""
    return PublicServer(site.operations, Access(site.database), site.settings, site.blobs)


@pytest.fixture
async def server(site: ApiSite) -> AsyncIterator[Target]:
    """A server on a TCP port, and its target."""
    server = server_of(site)
    port = await server.start("127.0.0.1:0", None)
    yield server, f"127.0.0.1:{port}"
    await server.stop(0)


def checking(channel: grpc.aio.Channel) -> Any:
    """The calls of grpc.health.v1."""
    stub: Any = health_pb2_grpc.HealthStub
    return stub(channel)


@pytest.mark.parametrize("service", ["", JOBS, PIPELINES])
async def test_every_service_is_said_to_serve_without_a_key(server: Target, service: str) -> None:
    async with grpc.aio.insecure_channel(server[1]) as channel:
        request = health_pb2.HealthCheckRequest(service=service)

        assert (await checking(channel).Check(request)).status == SERVING


async def test_an_unknown_service_has_no_health(server: Target) -> None:
    async with grpc.aio.insecure_channel(server[1]) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await checking(channel).Check(health_pb2.HealthCheckRequest(service="nope"))

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_without_its_database_it_says_so_and_mends_by_itself(
    site: ApiSite, server: Target
) -> None:
    jobs = site.operations.system.jobs

    class Away:
        async def counts(self) -> Any:
            raise DatabaseUnavailable

    async with grpc.aio.insecure_channel(server[1]) as channel:
        check = checking(channel).Check
        object.__setattr__(site.operations.system, "jobs", Away())
        during = (await check(health_pb2.HealthCheckRequest(service=JOBS))).status
        ready = (await site.admin.get("/readyz")).status_code
        object.__setattr__(site.operations.system, "jobs", jobs)
        after = (await check(health_pb2.HealthCheckRequest(service=JOBS))).status

    assert (during, ready, after) == (NOT_SERVING, 503, SERVING)


async def test_a_server_that_stops_says_so_first(site: ApiSite) -> None:
    server = server_of(site)
    port = await server.start("127.0.0.1:0", None)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        watch = checking(channel).Watch(health_pb2.HealthCheckRequest())
        first = (await watch.read()).status
        stopping = asyncio.create_task(server.stop(5))
        second = (await asyncio.wait_for(watch.read(), 20)).status
        watch.cancel()
        await stopping

    assert (first, second) == (SERVING, NOT_SERVING)


async def test_who_watches_its_health_does_not_keep_it_from_stopping(
    site: ApiSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_server, "CLEANING_SECONDS", 600.0)
    server = server_of(site)
    port = await server.start("127.0.0.1:0", None)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        watch = checking(channel).Watch(health_pb2.HealthCheckRequest())
        await watch.read()

        await asyncio.wait_for(server.stop(0.1), 60)


async def test_watchers_are_told_to_come_again_when_it_stops(site: ApiSite) -> None:
    secret = secret_of(site.admin)
    server = server_of(site)
    port = await server.start("127.0.0.1:0", None)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        rpc = Rpc(channel, secret)
        job = await rpc.submit(Asked())
        request = job_pb2.WatchJobRequest(job_id=job["id"])
        call = rpc.jobs.WatchJob(request, metadata=rpc._metadata)
        await call.read()
        seen = await call.read()
        await server.stop(5)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "last event id" in refused(caught.value).hint
    assert seen.event_id > 0


async def test_a_call_in_hand_ends_within_the_grace(site: ApiSite) -> None:
    jobs = site.operations.jobs.jobs
    begun = asyncio.Event()

    class Slow:
        async def list(self, *given: Any) -> Any:
            begun.set()
            await asyncio.sleep(0.2)
            return await jobs.list(*given)

    object.__setattr__(site.operations.jobs, "jobs", Slow())
    server = server_of(site)
    port = await server.start("127.0.0.1:0", None)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        listing = asyncio.ensure_future(Rpc(channel, secret_of(site.admin)).listed())
        await asyncio.wait_for(begun.wait(), 20)
        await server.stop(20)

        assert (await listing)["total"] == 0


async def test_reflection_tells_what_there_is(server: Target) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async with grpc.aio.insecure_channel(server[1]) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub
        call = stub(channel).ServerReflectionInfo(iter([request]))
        answer = await anext(aiter(call))

    assert {each.name for each in answer.list_services_response.service} == {
        JOBS,
        PIPELINES,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_a_port_that_is_taken_is_told(site: ApiSite) -> None:
    server = server_of(site)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidSetting) as caught:
            await server.start(f"127.0.0.1:{port}", None)
    await server.stop(0)

    assert caught.value.field == "api.grpc_port"
    assert "VIDEOANNOTATOR_API__GRPC_PORT" in caught.value.hint


async def test_it_serves_with_credentials(site: ApiSite) -> None:
    local = grpc.LocalConnectionType.LOCAL_TCP
    server = server_of(site)
    port = await server.start("127.0.0.1:0", grpc.local_server_credentials(local))
    request = pipeline_pb2.ListPipelinesRequest()
    good = grpc.aio.secure_channel(f"127.0.0.1:{port}", grpc.local_channel_credentials(local))
    async with good as channel:
        answer = await Rpc(channel, None).catalogue.ListPipelines(request)
    await server.stop(0)

    assert len(answer.pipelines) == 3


async def test_many_watchers_of_many_jobs_hold_nothing_when_they_are_gone(site: ApiSite) -> None:
    feed = site.operations.watching.feed
    async with rpc_server(site) as target:
        async with grpc.aio.insecure_channel(target) as channel:
            rpc = Rpc(channel, secret_of(site.admin))
            job = await rpc.submit(Asked())
            request = job_pb2.WatchJobRequest(job_id=job["id"])
            calls = [rpc.jobs.WatchJob(request, metadata=rpc._metadata) for _ in range(50)]
            await asyncio.gather(*(call.read() for call in calls))
            watching = len(feed._watchers)
        async with asyncio.timeout(20):
            while feed._watchers:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)

    assert watching == 50
