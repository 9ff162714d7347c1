"""The one attempt of this process: takes it, lets a thread do it, keeps what there is to say."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

from videoannotator import __version__
from videoannotator.domain.errors import Conflict, InvalidRequest, Stopped
from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Progress
from videoannotator.inference.contact import Contact
from videoannotator.inference.messages import Messages
from videoannotator.inference.work import Work
from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.rpc.work import Accepted, Assignment, Completed, Description, LogLine
from videoannotator.telemetry import bound, get_logger

log = get_logger(__name__)


class Service:
    """Serves one run for the life of the process. Used in the event loop."""

    def __init__(
        self,
        spec: PipelineSpec,
        contact: Contact,
        *,
        worker_id: str,
        identity: str,
        on_failure: Callable[[Failure], None],
        scratch: Path | None = None,
    ) -> None:
        """`on_failure` hears of a failure the moment it is known.

        `scratch` is the folder for what must be fetched; None: that for temporary files.
        """
        self._scratch = scratch
        self.contact = contact
        self.ending = asyncio.Event()  #: somebody asked the process to end
        self._spec = spec
        self._worker_id = worker_id
        self._identity = identity
        self._on_failure = on_failure
        self._messages = Messages()
        self._work: Work | None = None
        self._over = asyncio.Event()  # the thread has ended
        self._stop = threading.Event()
        # One thread, because pipelines are synchronous: the loop goes on answering while a model
        # loads. It may never end; the process does not wait for it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pipeline")

    @property
    def identity(self) -> str:
        """Names this process and no other."""
        return self._identity

    @property
    def end(self) -> Completed | Failure | None:
        """What the work came to; None while there is nothing."""
        return self._messages.end

    def description(self) -> Description:
        """What this worker is."""
        return Description(
            worker_id=self._worker_id,
            pipeline=self._spec.name,
            pipeline_version=self._spec.version,
            product_version=__version__,
            identity=self._identity,
            attempt=self._work.assignment.attempt if self._work else 0,
        )

    def annotate(self, assignment: Assignment) -> Messages:
        """Starts the work, or finds it, which takes the new addresses.

        Raises: InvalidRequest for another pipeline, Conflict for another attempt, Stopped when the
        process is about to end.
        """
        if assignment.pipeline != self._spec.name:
            raise InvalidRequest(f"This worker serves the pipeline '{self._spec.name}'.")
        if self._work is None:
            self._begin(assignment)
        elif _key(assignment) != _key(self._work.assignment):
            raise Conflict("This worker serves another attempt.", hint="Start a worker for it.")
        else:
            self._work.renew(assignment)
        return self._messages

    def _begin(self, assignment: Assignment) -> None:
        if self._stop_wanted():
            raise Stopped("This worker was asked to stop.")
        voice = _Voice(self._messages, asyncio.get_running_loop())
        self._work = work = Work(assignment, self._spec, voice, self._stop_wanted, self._scratch)
        with bound(run_id=assignment.run_id, attempt=assignment.attempt):
            log.info("work begins", pipeline=self._spec.name, video_id=assignment.video_id)
            future = self._thread.submit(copy_context().run, work.do)
        future.add_done_callback(voice.tell_end(self._ended))

    def stop(self, reason: str) -> None:
        """Asks the work to stop at its next checkpoint, and the process to end."""
        log.info("stop asked", reason=reason)
        self._stop.set()
        self.ending.set()

    async def wind_up(self, timeout_seconds: float) -> bool:
        """Stops the work and waits for its thread; False when it did not end in time."""
        self._stop.set()
        try:
            if self._work is not None:
                await asyncio.wait_for(self._over.wait(), timeout_seconds)
        except TimeoutError:
            return False
        finally:
            self._messages.stop()
        return True

    def _stop_wanted(self) -> bool:
        return self._stop.is_set() or self.contact.left_seconds <= 0

    def _ended(self, future: "Future[Completed]") -> None:
        """The boundary: whatever a pipeline raised becomes a failure with a public code."""
        self._over.set()
        if self._work is None:
            return
        error = future.exception()
        with bound(run_id=self._work.assignment.run_id, attempt=self._work.assignment.attempt):
            if error is None:
                log.info("work completed", summary=dict(future.result().summary))
                self._messages.finish(future.result())
            elif self._stop_wanted():
                # A library that is interrupted fails in its own way: that is no fault to report.
                log.info("work stopped", reason=type(error).__name__)
                self._messages.stop()
            else:
                self._failed(self._work.failure(error), error)

    def _failed(self, failure: Failure, error: BaseException) -> None:
        log.error("work failed", code=failure.code.value, stage=failure.stage, exc_info=error)
        self._messages.finish(failure)
        self._on_failure(failure)


def _key(assignment: Assignment) -> tuple[str, int]:
    return assignment.run_id, assignment.attempt


class _Voice:
    """Brings what the thread says into the event loop, in order."""

    def __init__(self, messages: Messages, loop: asyncio.AbstractEventLoop) -> None:
        self._messages = messages
        self._loop = loop

    def accept(self, accepted: Accepted) -> None:
        self._loop.call_soon_threadsafe(self._messages.accept, accepted)

    def report(self, progress: Progress) -> None:
        self._loop.call_soon_threadsafe(self._messages.report, progress)

    def log(self, line: LogLine) -> None:
        log.log(30 if line.level == "warning" else 20, "pipeline", message=line.message)
        self._loop.call_soon_threadsafe(self._messages.log, line)

    def tell_end(
        self, ended: Callable[["Future[Completed]"], None]
    ) -> Callable[["Future[Completed]"], None]:
        """Calls `ended` in the loop, after everything said before."""

        def tell(future: "Future[Completed]") -> None:
            self._loop.call_soon_threadsafe(ended, future)

        return tell
