"""Who may call a guarded service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from videoannotator.domain.errors import Unauthenticated
from videoannotator.rpc.auth import TokenInterceptor, bearer
from videoannotator.rpc.channel import dial, server_options
from videoannotator.rpc.status import error_of
from videoannotator.v1 import inference_pb2, inference_pb2_grpc

SERVICE = "videoannotator.v1.InferenceService"


class Open(inference_pb2_grpc.InferenceServiceServicer):
    """Answers everybody; counts the calls that reach it."""

    def __init__(self) -> None:
        self.calls = 0

    async def KeepAlive(self, request: Any, context: Any) -> inference_pb2.KeepAliveResponse:  # noqa: N802
        """A call with one answer."""
        self.calls += 1
        return inference_pb2.KeepAliveResponse(identity="i")

    async def Annotate(  # noqa: N802
        self, request: Any, context: Any
    ) -> AsyncIterator[inference_pb2.AnnotateResponse]:
        """A stream of one message."""
        self.calls += 1
        yield inference_pb2.AnnotateResponse(accepted=inference_pb2.Accepted(device="cpu"))


@asynccontextmanager
async def guarded(folder: Path) -> AsyncIterator[tuple[str, Open]]:
    """A server that accepts the token "right"; its target and what it serves."""
    server = grpc.aio.server(
        interceptors=[TokenInterceptor(lambda token: token == "right", [SERVICE])],
        options=server_options(),
    )
    servicer = Open()
    inference_pb2_grpc.add_InferenceServiceServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    target = f"unix:{folder / 'socket'}"
    server.add_insecure_port(target)
    await server.start()
    try:
        yield target, servicer
    finally:
        await server.stop(0)


async def test_a_channel_brings_its_token_with_every_call(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (target, _), dial(target, "right") as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)

        answer = await stub.KeepAlive(inference_pb2.KeepAliveRequest(epoch=1))
        events = [event async for event in stub.Annotate(inference_pb2.AnnotateRequest())]

    assert answer.identity == "i"
    assert events[0].accepted.device == "cpu"


@pytest.mark.parametrize("token", ["wrong", "", "right ", "Right"])
async def test_a_wrong_token_is_refused_before_the_service_hears_of_it(
    tmp_path: Path, token: str
) -> None:
    async with guarded(tmp_path) as (target, servicer), dial(target, token) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)

        with pytest.raises(grpc.aio.AioRpcError) as unary:
            await stub.KeepAlive(inference_pb2.KeepAliveRequest(epoch=1))
        with pytest.raises(grpc.aio.AioRpcError) as stream:
            await anext(aiter(stub.Annotate(inference_pb2.AnnotateRequest())))

    assert unary.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert isinstance(error_of(stream.value), Unauthenticated)
    assert servicer.calls == 0


@pytest.mark.parametrize(
    "metadata",
    [(), (("authorization", "right"),), (("authorization", "Basic right"),), (("token", "right"),)],
)
async def test_a_call_without_a_bearer_token_is_refused(tmp_path: Path, metadata: Any) -> None:
    async with guarded(tmp_path) as (target, _), grpc.aio.insecure_channel(target) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.KeepAlive(inference_pb2.KeepAliveRequest(), metadata=metadata)

    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_method_that_is_not_there_is_refused_too(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (target, _), grpc.aio.insecure_channel(target) as channel:
        call = channel.unary_unary(f"/{SERVICE}/Delete")

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"", metadata=bearer("wrong"))

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health_answers_everybody(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (target, _), grpc.aio.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        answer = await stub.Check(health_pb2.HealthCheckRequest())

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("rpc", ["KeepAlive", "Annotate"])
@pytest.mark.parametrize("raw", [b"\x0a\x05a", b"\xff", b"\x0b" * 200])
async def test_bytes_that_are_no_message_are_the_callers_fault(
    tmp_path: Path, rpc: str, raw: bytes
) -> None:
    async with guarded(tmp_path) as (target, servicer), grpc.aio.insecure_channel(target) as plain:
        call: Any = plain.unary_stream(f"/{SERVICE}/{rpc}")  # fits both kinds of rpc

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(aiter(call(raw, metadata=bearer("right"))))

    assert servicer.calls == 0
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_of(refused.value).hint
