"""Messages that cannot be read: the caller's fault, which the library would call the server's."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from videoannotator.domain.errors import InvalidRequest, TooLarge
from videoannotator.rpc.status import abort


def lenient(handler: Any) -> Any:
    """The same handler for one message, that answers INVALID_ARGUMENT to bytes that are none.

    None stays None (no such method); a stream of messages is left as it is.
    """
    if handler is None or handler.request_streaming:
        return handler
    decode, encode = decoder(handler.request_deserializer), handler.response_serializer
    if handler.response_streaming:
        many = _to_many(handler.unary_stream)
        return grpc.unary_stream_rpc_method_handler(many, decode, encode)
    one = _to_one(handler.unary_unary)
    return grpc.unary_unary_rpc_method_handler(one, decode, encode)


def decoder(decode: Callable[[bytes], Any], max_bytes: int | None = None) -> Callable[[bytes], Any]:
    """Reads a message, or gives the error in its place, also for one of more than `max_bytes`."""

    def decoded(raw: bytes) -> Any:
        if max_bytes is not None and len(raw) > max_bytes:
            return TooLarge(
                f"The message is larger than {max_bytes} bytes.", hint="Send a smaller one."
            )
        try:
            return decode(raw)
        except DecodeError:
            return InvalidRequest(
                "The message cannot be read.", hint="Send it as the protos say; text is UTF-8."
            )

    return decoded


def _to_one(serve: Any) -> Any:
    async def behaviour(request: Any, context: Any) -> Any:
        if isinstance(request, InvalidRequest):
            await abort(context, request)
        return await serve(request, context)

    return behaviour


def _to_many(serve: Any) -> Any:
    async def behaviour(request: Any, context: Any) -> AsyncIterator[Any]:
        if isinstance(request, InvalidRequest):
            await abort(context, request)
        async with aclosing(serve(request, context)) as messages:
            async for message in messages:
                yield message

    return behaviour
