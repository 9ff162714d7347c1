"""The gate before the public services: it asks whose key a call brings, before it reads a message.

Then it reads messages leniently and answers every error. The servicers behind it take a message
and a Call, and raise our errors.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import grpc

from videoannotator.api.auth import Callers
from videoannotator.api.middleware import request_id_from
from videoannotator.api.servicers.calls import REQUEST_ID, Call, InHand, answered, to_its_end
from videoannotator.domain.access import Principal
from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.rpc.auth import METADATA_KEY, Continuation
from videoannotator.rpc.decoding import decoder

T = TypeVar("T")
Behaviour = Callable[[Any, Any], Awaitable[Any]]


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Guards the services that it knows; health and reflection answer everybody."""

    def __init__(self, callers: Callers, services: Mapping[str, bool], max_bytes: int) -> None:
        """`services`: full name -> public, for strangers too.

        `max_bytes` is the largest message of a call that sends one; of a stream of messages each
        may be as large as gRPC takes.
        """
        self._callers = callers
        self._services = services
        self._max_bytes = max_bytes
        self.in_hand = InHand()

    async def intercept_service(
        self, continuation: Continuation, details: grpc.HandlerCallDetails
    ) -> Any:
        """Puts the caller, an id and the answering of errors around the handler of a call."""
        handler: Any = await continuation(details)
        service, _, rpc = details.method.removeprefix("/").partition("/")
        if handler is None or service not in self._services:
            return handler
        given = _texts(details.invocation_metadata)
        asking = asyncio.ensure_future(
            self._callers.caller(given.get(METADATA_KEY, ""), public=self._services[service])
        )
        asking.add_done_callback(_looked_at)  # also when the client is gone before the answer
        await asyncio.wait([asking])
        call = Call(
            rpc=f"{service.rpartition('.')[2]}/{rpc}",
            request_id=request_id_from(given.get(REQUEST_ID, "")),
            principal=None if asking.exception() else asking.result(),
        )
        return (
            _refusing(call, asking, self.in_hand)
            if asking.exception()
            else self._guarded(handler, call)
        )

    def _guarded(self, handler: Any, call: Call) -> Any:
        decode = decoder(handler.request_deserializer, self._max_bytes)
        encode = handler.response_serializer
        if handler.stream_unary:
            each = decoder(handler.request_deserializer)
            behaviour = _from_many(handler.stream_unary, call, self.in_hand)
            return grpc.stream_unary_rpc_method_handler(behaviour, each, encode)
        if handler.unary_stream:
            behaviour = _to_many(handler.unary_stream, call, self.in_hand)
            return grpc.unary_stream_rpc_method_handler(behaviour, decode, encode)
        behaviour = _one_to_one(handler.unary_unary, call, self.in_hand)
        return grpc.unary_unary_rpc_method_handler(behaviour, decode, encode)


def _texts(metadata: Any) -> dict[str, str]:
    """Metadata that is text, the first of each name."""
    pairs = [(key, value) for key, value in metadata or () if isinstance(value, str)]
    return dict(reversed(pairs))


def _looked_at(asked: "asyncio.Future[Principal | None]") -> None:
    asked.cancelled() or asked.exception()


async def _settled(work: Awaitable[T]) -> "asyncio.Future[T]":
    """What came of the work, an error too: it is raised where errors are answered."""
    future = asyncio.ensure_future(work)
    future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # is looked at
    await asyncio.wait([future])
    return future


def _refusing(call: Call, asked: "asyncio.Future[Principal | None]", in_hand: InHand) -> Any:
    """Answers with what asking for the caller raised. As a stream, so that nothing is read."""

    async def refuse(messages: Any, context: Any) -> None:
        async with answered(context, call, in_hand):
            asked.result()

    return grpc.stream_unary_rpc_method_handler(refuse)


def _one_to_one(serve: Any, call: Call, in_hand: InHand) -> Behaviour:
    async def behaviour(request: Any, context: Any) -> Any:
        async with answered(context, call, in_hand):
            return await to_its_end(serve(_understood(request), call))

    return behaviour


def _from_many(serve: Any, call: Call, in_hand: InHand) -> Behaviour:
    async def behaviour(messages: Any, context: Any) -> Any:
        async with (
            answered(context, call, in_hand),
            aclosing(_each_understood(messages)) as understood,
        ):
            return await serve(understood, call)

    return behaviour


def _to_many(serve: Any, call: Call, in_hand: InHand) -> Behaviour:
    # Written by hand and not yielded: when the client goes away, what is closed is closed now.
    async def behaviour(request: Any, context: Any) -> None:
        async with (
            answered(context, call, in_hand),
            aclosing(serve(_understood(request), call)) as messages,
        ):
            async for message in messages:
                await context.write(message)

    return behaviour


def _understood(request: Any) -> Any:
    if isinstance(request, VideoAnnotatorError):
        raise request
    return request


async def _each_understood(messages: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    async for message in messages:
        yield _understood(message)
