"""Calls with a token: what a server asks for and how a client brings it."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import grpc

from videoannotator.domain.errors import Unauthenticated
from videoannotator.rpc.decoding import lenient
from videoannotator.rpc.status import abort

METADATA_KEY = "authorization"
SCHEME = "Bearer "

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any]"]]


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that carries `token`."""
    return ((METADATA_KEY, SCHEME + token),)


def token_of(details: grpc.HandlerCallDetails) -> str | None:
    """The token that a call brought; None when it brought none."""
    for key, value in details.invocation_metadata or ():
        if key == METADATA_KEY and isinstance(value, str) and value.startswith(SCHEME):
            return value[len(SCHEME) :]
    return None


class TokenInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Refuses calls of the guarded services unless their token is accepted.

    Health and reflection are not guarded: they tell nothing of anybody's work.
    """

    def __init__(self, accepts: Callable[[str], bool], services: Collection[str]) -> None:
        """`accepts` judges a token.

        `services` are full names, as `videoannotator.v1.InferenceService`.
        """
        self._accepts = accepts
        self._guarded = tuple(f"/{service}/" for service in services)

    async def intercept_service(
        self, continuation: Continuation, details: grpc.HandlerCallDetails
    ) -> Any:
        """Hands the call on, or answers UNAUTHENTICATED before its request is read."""
        if not details.method.startswith(self._guarded):
            return await continuation(details)
        token = token_of(details)
        if token is not None and self._accepts(token):
            return lenient(await continuation(details))
        handler = await continuation(details)
        return _refusal(handler)


async def _refuse(request: object, context: Any) -> None:
    await abort(context, Unauthenticated(hint="This service is for the scheduler and the api."))


def _refusal(handler: Any) -> Any:
    """A handler of the same kind that refuses; None stays None (no such method)."""
    if handler is None:
        return None
    if handler.request_streaming or handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(_refuse)
    return grpc.unary_unary_rpc_method_handler(_refuse)
