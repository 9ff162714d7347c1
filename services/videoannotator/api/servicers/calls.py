"""One call of a public rpc: who calls, under which id, and how it is answered whatever happens."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import grpc

from videoannotator.api.auth import MISSING
from videoannotator.api.problems import answer_of
from videoannotator.domain.access import Principal
from videoannotator.domain.errors import Unauthenticated, Unavailable, VideoAnnotatorError
from videoannotator.rpc.status import abort, code_of
from videoannotator.telemetry import bound, log
from videoannotator.telemetry.metrics import RPC_SECONDS, RPCS

REQUEST_ID = "x-request-id"  #: metadata of a call and of its end
CODE = "videoannotator-code"  #: trailing metadata: the code that REST tells for the same error
FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS})  #: of ours
CLEANING_SECONDS = 10.0  # for a call that was sent away, to leave nothing behind

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a servicer knows of a call."""

    rpc: str  #: as "JobService/GetJob"
    request_id: str
    principal: Principal | None = None  #: None: a stranger, on what is public

    @property
    def caller(self) -> Principal:
        """Who calls. Raises: Unauthenticated."""
        if self.principal is None:
            raise Unauthenticated(MISSING)
        return self.principal


class InHand:
    """The calls that are worked on. They end before the server does: it drops what is left."""

    def __init__(self) -> None:
        """None yet."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self.ending = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """Around the work of one call, which runs in a task of its own."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        yield

    async def end(self, grace_seconds: float) -> None:
        """Waits for them; after the grace they are told to come again."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace_seconds)
        self.ending = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=CLEANING_SECONDS)


@asynccontextmanager
async def answered(context: Any, call: Call, in_hand: InHand) -> AsyncIterator[None]:
    """Around the work of a call: its lines in the log carry its id, and an error ends it."""
    context.set_trailing_metadata(((REQUEST_ID, call.request_id),))
    with in_hand.one(), bound(request_id=call.request_id):
        async with _Ending(context, call, in_hand):
            yield


class _Ending:
    """Takes every exception of a call; only a class can do that without a blind except."""

    def __init__(self, context: Any, call: Call, in_hand: InHand) -> None:
        self._context = context
        self._call = call
        self._in_hand = in_hand
        self._began = time.monotonic()

    async def __aenter__(self) -> None:
        """Nothing to do."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the call with the error's status; one that nobody expected is told in the log."""
        if isinstance(error, asyncio.CancelledError) and self._in_hand.ending:
            error = Unavailable("The server stops.", hint="Call again in a moment.")
        if isinstance(error, Exception) and not isinstance(error, grpc.aio.BaseError):
            fault = self._fault(error)
            self._log(code_of(fault))
            own = ((REQUEST_ID, self._call.request_id), (CODE, answer_of(fault).code))
            await abort(self._context, fault, own)
        self._log(grpc.StatusCode.OK if error is None else grpc.StatusCode.CANCELLED)

    def _fault(self, error: Exception) -> VideoAnnotatorError:
        if not isinstance(error, VideoAnnotatorError):
            log.error("call_crashed", rpc=self._call.rpc, exc_info=error)
            return VideoAnnotatorError(
                "Something went wrong here. It has been logged.",
                hint=f"Tell the operator the request id {self._call.request_id}.",
            )
        if code_of(error) in FAULTS:
            log.error("call_failed", rpc=self._call.rpc, exc_info=error)
        return error

    def _log(self, code: grpc.StatusCode) -> None:
        seconds = time.monotonic() - self._began
        RPCS.labels(self._call.rpc, code.name).inc()
        RPC_SECONDS.labels(self._call.rpc).observe(seconds)
        log.info("call", rpc=self._call.rpc, code=code.name, milliseconds=round(seconds * 1000, 1))


async def to_its_end(work: Awaitable[T]) -> T:
    """Does `work` and does not return before it has ended, also when cancelled.

    A client goes away at any moment. What was begun with rows and bytes is then ended first, as it
    is over REST, where nobody can break it off; and no connection is left in the middle of a query.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
