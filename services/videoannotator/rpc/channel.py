"""How we dial and how we listen: keepalive, reconnection, message limits."""

from dataclasses import dataclass
from typing import Any

import grpc

from videoannotator.domain.errors import InvalidSetting
from videoannotator.rpc.auth import bearer
from videoannotator.rpc.certificates import Certificates
from videoannotator.settings import variable

UNIX = "unix:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalive:
    """HTTP/2 pings.

    They find a dead connection; that a worker is wanted is told by the KeepAlive call alone.
    """

    time_seconds: float = 20.0  #: a client pings after so long without data
    timeout_seconds: float = 20.0  #: a connection whose ping is not answered for so long is dead
    # The server takes pings down to this distance while it has nothing to send. It never closes
    # for pinging too much: a silent model load takes minutes, and the library's own limit
    # (2 pings, then too_many_pings) would cut it.
    min_ping_interval_seconds: float = 10.0


KEEPALIVE = Keepalive()

Options = list[tuple[str, int]]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def client_options(keepalive: Keepalive = KEEPALIVE) -> Options:
    """Options of a channel."""
    return [
        ("grpc.keepalive_time_ms", _milliseconds(keepalive.time_seconds)),
        ("grpc.keepalive_timeout_ms", _milliseconds(keepalive.timeout_seconds)),
        ("grpc.http2.ping_timeout_ms", _milliseconds(keepalive.timeout_seconds)),
        ("grpc.http2.max_pings_without_data", 0),  # no limit
        # The library would wait up to two minutes before it dials a worker again.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.enable_retries", 0),  # what is repeated is decided by us
        ("grpc.enable_http_proxy", 0),
    ]


def server_options(keepalive: Keepalive = KEEPALIVE) -> Options:
    """Options of a server."""
    interval = _milliseconds(keepalive.min_ping_interval_seconds)
    return [
        ("grpc.http2.min_ping_interval_without_data_ms", interval),
        ("grpc.http2.max_ping_strikes", 0),  # no limit
        ("grpc.so_reuseport", 0),  # a second server on a port is an error, not a rival
    ]


def dial(
    target: str,
    token: str,
    keepalive: Keepalive = KEEPALIVE,
    certificates: Certificates | None = None,
) -> grpc.aio.Channel:
    """A channel whose every call brings `token`. `target` is as `unix:/path` or `host:port`.

    With `certificates` it speaks TLS, but for Unix sockets: nobody else hears those.
    """
    brings: Any = [_UnaryToken(token), _StreamToken(token)]
    options: list[tuple[str, int | str]] = [*client_options(keepalive)]
    if certificates is None or target.startswith(UNIX):
        return grpc.aio.insecure_channel(target, options, interceptors=brings)
    if certificates.server_name:
        options.append(("grpc.ssl_target_name_override", certificates.server_name))
    return grpc.aio.secure_channel(target, certificates.for_client(), options, interceptors=brings)


def bind(
    server: grpc.aio.Server, target: str, credentials: grpc.ServerCredentials | None, setting: str
) -> int:
    """Lets `server` listen on `target`, in the clear on a Unix socket; returns the port.

    `setting` is the one that says where. Raises: InvalidSetting.
    """
    try:
        if credentials is None or target.startswith(UNIX):
            return server.add_insecure_port(target)
        return server.add_secure_port(target, credentials)
    except RuntimeError as error:
        raise InvalidSetting(
            f"Nothing can listen on {target}.",
            hint=f"Stop the other program, or choose another address with {variable(setting)}.",
            field=setting,
        ) from error


class _Brings:
    """Adds the token to the metadata of a call."""

    def __init__(self, token: str) -> None:
        self._token = bearer(token)

    def _with_token(self, details: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *self._token)
        return details._replace(metadata=metadata)


class _UnaryToken(_Brings, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(self._with_token(details), request)


class _StreamToken(_Brings, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]
    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(self._with_token(details), request)
