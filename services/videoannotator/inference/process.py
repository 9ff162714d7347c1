"""The life of a worker's process: start, serve, and end for one of three reasons."""

import asyncio
import contextlib
import faulthandler
import os
import signal
import sys
import uuid

from videoannotator.domain.failures import Code, Failure
from videoannotator.inference.contact import Contact
from videoannotator.inference.failures import exit_status
from videoannotator.inference.last_words import write_last_words
from videoannotator.inference.server import WorkerServer
from videoannotator.inference.service import Service
from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.rpc.certificates import Certificates
from videoannotator.settings import WorkerSettings
from videoannotator.telemetry import get_logger

log = get_logger(__name__)

# Of the grace: the rest is for the last words and the exit, before the launcher kills.
WORK_SHARE = 0.9
STREAMS_SECONDS = 1.0  # for streams to hear the end
BACKSTOP_SECONDS = 15.0  # after orphan grace and stop grace; together less than the 90 s of proof


class WorkerProcess:
    """One worker, from its settings to its exit status."""

    def __init__(
        self,
        settings: WorkerSettings,
        spec: PipelineSpec,
        certificates: Certificates | None = None,
    ) -> None:
        """Must be made inside the event loop. With `certificates` it speaks TLS over TCP."""
        self._certificates = certificates
        self._settings = settings
        self._signal: int | None = None
        self._orphan = False
        self._contact = Contact(settings.orphan_grace_seconds, on_admit=self._arm_backstop)
        self._service = Service(
            spec,
            self._contact,
            worker_id=settings.id,
            identity=uuid.uuid4().hex,
            on_failure=self._write_last_words,
            scratch=settings.scratch,
        )

    async def run(self) -> int:
        """Serves until the process shall end. Returns its exit status."""
        self._arm_backstop()
        self._listen_to_signals()
        server = WorkerServer(
            self._service, self._settings.token_sha256, certificates=self._certificates
        )
        await server.start(self._settings.listen)
        log.info("worker listens", pipeline=self._service.description().pipeline)
        watch = asyncio.create_task(self._watch_for_orphanhood())
        await self._service.ending.wait()
        watch.cancel()
        await self._wind_up(server)
        return self._status()

    async def _wind_up(self, server: WorkerServer) -> None:
        grace = self._settings.stop_grace_seconds * WORK_SHARE
        if not await self._service.wind_up(grace):
            log.warning("the work did not stop in time and is cut off")
        await server.stop(min(STREAMS_SECONDS, self._settings.stop_grace_seconds - grace))

    def _status(self) -> int:
        if self._orphan and not self._contact.called:
            self._write_last_words(_not_called())
        status = exit_status(self._service.end, signal=self._signal, orphan=self._orphan)
        log.info("worker ends", status=status)
        return status

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        if self._service.ending.is_set():
            return
        self._signal = number
        self._service.stop(f"signal {signal.Signals(number).name}")

    async def _watch_for_orphanhood(self) -> None:
        while (left := self._contact.left_seconds) > 0:  # noqa: ASYNC110 - every call moves it
            await asyncio.sleep(left)
        self._orphan = True
        self._service.stop("no scheduler calls any more")

    def _arm_backstop(self) -> None:
        """Ends the process a little after the orphan rule, even when the interpreter hangs.

        The rule must hold when an engine never gives the interpreter back: after that time a worker
        counts as gone and its place is given away. This clock runs in a thread without Python.
        """
        settings = self._settings
        seconds = settings.orphan_grace_seconds + settings.stop_grace_seconds + BACKSTOP_SECONDS
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.stderr)

    def _write_last_words(self, failure: Failure) -> None:
        if self._settings.termination_file is not None:
            write_last_words(self._settings.termination_file, failure)


def _not_called() -> Failure:
    return Failure(code=Code.UNREACHABLE, message="No scheduler called this worker in time.")


def end_session() -> None:
    """Asks what the pipeline left running to end, when this process leads its own session.

    Under a launcher the rest is killed anyway; this is for a worker that ends without one. In a
    container this process is number 1, and its group stands for all others: there may be none.
    """
    if os.getpid() == os.getsid(0) == os.getpgrp():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(os.getpgrp(), signal.SIGTERM)
