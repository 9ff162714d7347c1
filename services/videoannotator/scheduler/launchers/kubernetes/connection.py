"""The one connection to the API server: where it is, who we are, TLS, time limits.

The official client brings configuration, credentials and TLS; bodies stay plain JSON, so what was
stored is what is sent, and a cluster that is newer than the client's models is no trouble.
"""

import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)

from videoannotator.domain.errors import InvalidSetting, Unavailable
from videoannotator.scheduler.launchers.kubernetes.answers import (
    CREDENTIALS,
    Answer,
    fault_of,
    silence_of,
)
from videoannotator.scheduler.launchers.kubernetes.requests import Request, refuse_force

CONNECT_SECONDS = 5.0
UNACKNOWLEDGED_SECONDS = 5.0  #: what is sent and not acknowledged for so long is thrown away
TOKEN_SECONDS = 60.0  #: a service account's token file is replaced about hourly
CONNECTIONS = 32
USER_AGENT = "videoannotator-scheduler"
BEARER = "BearerToken"

Load = Callable[[Configuration], Awaitable[None]]

_read_kubeconfig: Any = load_kube_config  # the client's own functions say no types
_ServiceAccount: Any = InClusterConfigLoader


class Connection:
    """Sends requests and reads answers; repeats nothing that may have been carried out."""

    def __init__(
        self,
        configuration: Configuration,
        load: Load,
        *,
        token_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` fills in the credentials again; `token_seconds` is how often, None: after 401."""
        self._configuration = configuration
        self._load = load
        self._token_seconds = token_seconds
        self._clock = clock
        self._loaded_at = clock()
        self._rest: Any = _Rest(configuration)

    @classmethod
    async def to_kubeconfig(cls, file: Path) -> "Connection":
        """The cluster of the file's current context.

        Raises: InvalidSetting.
        """

        async def load(configuration: Configuration) -> None:
            await _read_kubeconfig(
                config_file=str(file), client_configuration=configuration, persist_config=False
            )

        return await cls._opened(load, None, time.monotonic)

    @classmethod
    async def inside(
        cls,
        token: str = SERVICE_TOKEN_FILENAME,
        authority: str = SERVICE_CERT_FILENAME,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> "Connection":
        """The cluster in whose pod this program runs, with the pod's service account.

        Raises: InvalidSetting.
        """

        async def load(configuration: Configuration) -> None:
            loader = _ServiceAccount(token, authority, try_refresh_token=False)
            loader.load_and_set(configuration)

        return await cls._opened(load, TOKEN_SECONDS, clock)

    @classmethod
    async def _opened(
        cls, load: Load, token_seconds: float | None, clock: Callable[[], float]
    ) -> "Connection":
        configuration = Configuration(connection_pool_maxsize=CONNECTIONS)
        configuration.retries = None
        configuration.client_go_retries = False
        # The authorities of many clusters lack extensions that only this flag asks for.
        configuration.disable_strict_ssl_verification = True
        try:
            await load(configuration)
            return cls(configuration, load, token_seconds=token_seconds, clock=clock)
        except (ConfigException, OSError, ValueError, TypeError, yaml.YAMLError) as error:
            raise InvalidSetting(
                "The way to the Kubernetes cluster cannot be read: neither a kubeconfig file "
                "nor a pod's service account is usable.",
                hint=CREDENTIALS,
            ) from error

    async def call(self, request: Request) -> Answer:
        """The answer, whatever it says.

        Raises: Unavailable when no whole answer came: the outcome is unknown. InvalidRequest when
        it is a request that this program never sends.
        """
        answer = await self._once(request)
        if answer.status != 401 or not await self._has_new_token():
            return answer
        if request.method == "POST":  # a create leaves within its time, or not at all
            raise Unavailable("The credentials for the API server were replaced; call again.")
        return await self._once(request)  # nothing was carried out for the old token

    async def ask(self, request: Request) -> dict[str, Any]:
        """The JSON of an answer that is fine.

        Raises: what `call` does, and what `fault_of` makes of any other answer.
        """
        answer = await self.call(request)
        if not answer.fine:
            raise fault_of(answer)
        return answer.json()

    @asynccontextmanager
    async def stream(self, request: Request, idle_seconds: float) -> AsyncIterator["Stream"]:
        """An answer whose body is read as it comes; breaks after so long a silence.

        Raises: Unavailable, also while the body is read.
        """
        limit = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=idle_seconds)
        try:
            response = await self._sent(request, limit)
            try:
                yield await _stream(response)
            finally:
                _break_off(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise silence_of(error) from error

    async def renew(self) -> None:
        """Reads the credentials again, after they were refused."""
        await self._reload()

    async def close(self) -> None:
        """Ends all connections."""
        await self._rest.close()

    async def _once(self, request: Request) -> Answer:
        limit = aiohttp.ClientTimeout(total=request.seconds, connect=CONNECT_SECONDS)
        try:
            async with await self._sent(request, limit) as response:
                return await _answer(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise silence_of(error) from error

    async def _sent(self, request: Request, limit: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        refuse_force(request)
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        response = await self._rest.request(
            request.method,
            self._configuration.host + request.target,
            headers=headers | await self._credentials(),
            body=request.body,
            _request_timeout=limit,
        )
        found: aiohttp.ClientResponse = response.response
        return found

    async def _credentials(self) -> dict[str, str]:
        age = self._clock() - self._loaded_at
        if self._token_seconds is not None and age >= self._token_seconds:
            await self._reload()
        token = self._configuration.api_key.get(BEARER)
        return {"Authorization": " ".join(token.split())} if token else {}

    async def _has_new_token(self) -> bool:
        """Reads the credentials again; whether that brought another token."""
        before = self._configuration.api_key.get(BEARER)
        await self._reload()
        return self._configuration.api_key.get(BEARER) != before

    async def _reload(self) -> None:
        """Keeps the old credentials when there are no readable new ones."""
        self._loaded_at = self._clock()
        try:
            await self._load(self._configuration)
        except (ConfigException, OSError, ValueError, TypeError, yaml.YAMLError):
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer that is still coming."""

    answer: Answer  #: whole when it is not fine, else without its body
    chunks: AsyncIterator[bytes]  #: the body of an answer that is fine


class _Rest(RESTClientObject):
    """The official client's session, with sockets that throw away what they cannot deliver."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(
            limit=self.maxsize, ssl=self.ssl_context, socket_factory=_socket
        )

    def _create_pool_manager(self) -> aiohttp.ClientSession:
        session = super()._create_pool_manager()
        # It would send what may be repeated a second time by itself, unseen and uncounted.
        session._retry_connection = False
        return session


def _socket(address: Any) -> socket.socket:
    """A socket that never delivers late: a create would else land after we gave it up."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        made.setsockopt(socket.IPPROTO_TCP, option, int(UNACKNOWLEDGED_SECONDS * 1000))
    return made


def _break_off(response: aiohttp.ClientResponse) -> None:
    """Leaves an answer that still comes, without waiting for the other side's goodbye."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


async def _stream(response: aiohttp.ClientResponse) -> Stream:
    answer = Answer(status=response.status)
    whole = answer if answer.fine else await _answer(response)
    return Stream(answer=whole, chunks=response.content.iter_any())


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    return Answer(
        status=response.status,
        body=await response.read(),
        retry_after=response.headers.get("Retry-After"),
    )
