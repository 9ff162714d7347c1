"""Requests: one place that sends, tries again and turns answers into values or errors."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from videoannotator import __version__
from videoannotator.client.faults import fault
from videoannotator.client.reading import not_ours
from videoannotator.client.repeating import LATER, Patience, delay_seconds, retry_after_seconds
from videoannotator.domain.errors import (
    InvalidRequest,
    LimitReached,
    Unavailable,
    VideoAnnotatorError,
)

#: Seconds. Reading waits for the slowest answer; an event stream is never quiet for so long.
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
#: Methods that change nothing, or the same however often they are sent.
SAFE = frozenset({"GET", "HEAD", "DELETE"})

#: Told which limit makes the client wait, and for how many seconds.
Busy = Callable[[LimitReached, float], None]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A try that may be worth another one."""

    error: VideoAnnotatorError
    retry_after_seconds: float | None = None
    unsent: bool = False  #: the server has seen nothing of it


class Transport:
    """A connection to one server."""

    def __init__(
        self,
        server: str,
        token: str = "",
        *,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        busy: Busy | None = None,
    ) -> None:
        """`token` is a key of the server, empty for one without authentication.

        `busy` is told of each wait that a limit of the server makes.
        """
        self._busy = busy
        self.server = server.rstrip("/")
        self.sleep = sleep
        self._patience = patience or Patience()
        headers = {"User-Agent": f"videoannotator/{__version__}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(base_url=_checked(self.server), headers=headers, timeout=TIMEOUT)

    def close(self) -> None:
        """Closes every connection."""
        self._http.close()

    def json(
        self, method: str, path: str, *, repeatable: bool | None = None, **request: Any
    ) -> Any:
        """The JSON that the server answers; None for an empty answer.

        `repeatable` tells that the request may be sent again; by default the method does. `request`
        is httpx's; a function in it is called for a fresh value at every try.
        Raises: what the answer stands for, Unavailable when there is none.
        """
        may_repeat = method in SAFE if repeatable is None else repeatable
        return self.patiently(
            lambda: self._tried(method, path, _fresh(request), _decoded), may_repeat
        )

    def fetch(self, path: str, use: Callable[[httpx.Response], T]) -> T:
        """What `use` makes of an answer, which it reads as it comes; it may be called again.

        `path` may be an address that the server gave, of its own only: the key goes nowhere else.
        Raises: what the answer stands for, Unavailable when there is none or it breaks off.
        """
        own = httpx.URL(self.server + "/")
        url = own.join(path)
        if (url.scheme, url.host, url.port) != (own.scheme, own.host, own.port):
            raise not_ours("it points to another server")
        return self.patiently(lambda: self._tried("GET", str(url), {}, use), True)

    def lines(self, path: str, headers: Mapping[str, str]) -> Iterator[str]:
        """The lines of an answer as they come; tried once.

        Raises: what the answer stands for, Unavailable when there is none or it breaks off.
        """
        try:
            with self._http.stream("GET", path, headers=headers) as response:
                failed = self._judged(response)
                if failed is not None:
                    raise failed.error
                yield from response.iter_lines()
        except httpx.RequestError as error:
            raise _unreachable(self.server, error) from error

    def patiently(self, attempt: Callable[[], T | Failed], repeatable: bool) -> T:
        """The value of `attempt`, which is tried again where that is safe and of use."""
        tried = 1
        while isinstance(outcome := attempt(), Failed):
            wait = delay_seconds(
                self._patience,
                tried,
                outcome.retry_after_seconds,
                random.random(),  # noqa: S311
            )
            if wait is None or not (repeatable or outcome.unsent):
                raise outcome.error
            if self._busy is not None and isinstance(outcome.error, LimitReached):
                self._busy(outcome.error, wait)
            self.sleep(wait)
            tried += 1
        return outcome

    def _tried(
        self,
        method: str,
        path: str,
        request: Mapping[str, Any],
        use: Callable[[httpx.Response], T],
    ) -> T | Failed:
        try:
            with self._http.stream(method, path, **request) as response:
                return self._judged(response) or use(response)
        except httpx.RequestError as error:
            unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            return Failed(error=_unreachable(self.server, error), unsent=unsent)

    def _judged(self, response: httpx.Response) -> Failed | None:
        """None when the answer is a good one."""
        if response.is_success:
            return None
        if response.is_redirect:
            raise not_ours("it redirects")
        asked = retry_after_seconds(response)
        error = fault(response.status_code, response.read(), asked)
        if response.status_code not in LATER:
            raise error
        return Failed(error=error, retry_after_seconds=asked)


def _fresh(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in request.items()}


def _decoded(response: httpx.Response) -> Any:
    if not response.read():
        return None
    try:
        return response.json()
    except ValueError as error:
        raise not_ours("no JSON") from error


def _checked(server: str) -> httpx.URL:
    """The address of a server. Raises: InvalidRequest."""
    try:
        url = httpx.URL(server)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidRequest(
            f"{server} is no address of a server.", hint="Write it as http://host:18011."
        )
    return url


def _unreachable(server: str, error: httpx.RequestError) -> Unavailable:
    reason = str(error) or type(error).__name__
    return Unavailable(
        f"The server at {server} cannot be reached: {reason}.",
        hint="Is it running, and is the address right? "
        "Set it with --server or VIDEOANNOTATOR_SERVER.",
    )
