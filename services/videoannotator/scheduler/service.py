"""The scheduler as a process part: waits for leadership, leads, gives it up."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from videoannotator.domain.errors import NotLeader, StorageError, Unavailable
from videoannotator.domain.leadership import Leadership
from videoannotator.rpc.certificates import Certificates
from videoannotator.scheduler import accounting
from videoannotator.scheduler.inbox import Inbox
from videoannotator.scheduler.lease import Lease
from videoannotator.scheduler.loop import Loop, Pace, until_idle
from videoannotator.scheduler.server import SchedulerServer, reachable
from videoannotator.scheduler.servicer import SchedulerServicer
from videoannotator.scheduler.shell import Parts
from videoannotator.store.leader import Leader
from videoannotator.telemetry import get_logger

ENDING_MARGIN_SECONDS = 10.0  # beyond the workers' grace, when the program takes them along

STANDBY_SECONDS = 0.5  # between two looks of a standby: it reads one row
#: One look takes seconds, at worst a minute; a loop that is silent for longer hangs.
STUCK_SECONDS = 300.0

#: A database that is away and a disk that is full are waited for: work that runs goes on meanwhile.
TRANSIENT = (Unavailable, StorageError)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a leadership. Seconds."""

    holder: str  #: name of this process
    listen: str  #: gRPC address to serve on, as `unix:/path` or `host:port`
    internal_token_sha256: str
    address: str = ""  #: where the api dials; empty: as `listen`, see `server.reachable`
    certificates: Certificates | None = None  #: for TLS, unless on a Unix socket
    lease_seconds: float = 15.0
    renew_seconds: float = 5.0
    stop_grace_seconds: float = 30.0
    pace: Pace = field(default_factory=Pace)


class Scheduler:
    """Leads while it holds the leader row; stands by while another does."""

    def __init__(self, parts: Parts, leader: Leader, terms: Terms) -> None:
        """Nothing happens before `start`."""
        self._parts = parts
        self._leader = leader
        self._terms = terms
        self._inbox = Inbox()
        self._loop: Loop | None = None
        self._loop_task: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = False
        self._in_outage = False
        servicer = SchedulerServicer(self._wake, lambda: self._loop, parts.policy)
        self._server = SchedulerServer(servicer, terms.internal_token_sha256, terms.certificates)
        self._address = ""

    async def start(self) -> None:
        """Serves SchedulerService and begins to lead or to stand by. Raises: InvalidSetting."""
        await self._parts.launcher.start(self._wake)
        port = await self._server.start(self._terms.listen)
        self._address = reachable(self._terms.listen, self._terms.address, port)
        self._running = asyncio.create_task(self._run(), name="scheduler")

    @property
    def address(self) -> str:
        """Where the api dials while this process leads."""
        return self._address

    @property
    def leading(self) -> bool:
        """This process is the leader and its loop runs."""
        return self._loop is not None

    @property
    def alive(self) -> bool:
        """It leads or stands by; False when it broke, which only a restart mends."""
        return self._running is not None and not self._running.done()

    @property
    def ticks(self) -> bool:
        """Its loop goes on; who stands by has none. What it waits for need not be well."""
        return self._loop is None or self._loop.silent_seconds < STUCK_SECONDS

    @property
    def trouble(self) -> str:
        """Why workers cannot be seen or started, for people; empty: they can."""
        return self._parts.launcher.watch().trouble

    async def stop(self, *, take_workers: bool) -> None:
        """Gives the leadership up.

        With `take_workers` every worker is ended first and its run waits again; without, they run
        on and the next leader re-attaches to them.
        """
        if take_workers and self._loop is not None and self._loop_task is not None:
            self._loop.ending = True
            self._inbox.ring()
            limit = self._terms.stop_grace_seconds + ENDING_MARGIN_SECONDS
            if not await until_idle(self._loop, self._loop_task, limit):
                log.error("scheduler.workers_left", hint="They end by their orphan rule.")
        self._stopping = True
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
        await self._give_up_unnoticed()
        await self._server.stop()
        await self._parts.launcher.close()

    def _wake(self) -> None:
        self._inbox.ring()

    async def _run(self) -> None:
        while not self._stopping:
            sent_at = time.monotonic()
            leadership = await self._acquire()
            if leadership is None:
                await asyncio.sleep(STANDBY_SECONDS)
                continue
            lease = Lease(leadership.epoch, self._terms.lease_seconds, sent_at)
            await self._lead(lease)

    async def _acquire(self) -> Leadership | None:
        terms = self._terms
        try:
            taken = await self._leader.acquire(terms.holder, self._address, terms.lease_seconds)
        except TRANSIENT as error:
            if not self._in_outage:  # else an hour of it would be 7,000 lines
                log.warning("scheduler.database_unavailable", reason=error.message)
            self._in_outage = True
            return None
        if self._in_outage:
            log.info("scheduler.database_available")
        self._in_outage = False
        return taken

    async def _lead(self, lease: Lease) -> None:
        """Leads until the lease is lost or this task is cancelled; gives the row up in the end."""
        log.info("scheduler.leading", epoch=lease.epoch)
        try:
            snapshot = await self._parts.schedule.snapshot()
            await self._loop_on(lease, snapshot.now)
        except TRANSIENT as error:
            log.warning("scheduler.database_unavailable", reason=error.message)
            await asyncio.sleep(1.0)
        finally:
            lease.lose()
            accounting.stand_by()
            await self._give_up(lease)
            log.info("scheduler.led", epoch=lease.epoch)

    async def _loop_on(self, lease: Lease, leader_since: datetime) -> None:
        """Ticks and renews; raises what the loop died of."""
        # Tried with one inbox for all: what calls of the last leadership had left in it made this
        # one believe that it had called those workers, and it never did.
        self._inbox = Inbox()
        loop = Loop(self._parts, lease, self._inbox, leader_since, self._terms.pace)
        renewing = asyncio.create_task(self._renew(lease), name="renew the lease")
        self._loop_task = asyncio.create_task(self._tick(loop, lease), name="loop")
        self._loop = loop
        try:
            await asyncio.wait({renewing, self._loop_task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._loop = None
            for task in (renewing, self._loop_task):
                task.cancel()
            ended = await asyncio.gather(renewing, self._loop_task, return_exceptions=True)
            lease.lose()
            await loop.close()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _tick(self, loop: Loop, lease: Lease) -> None:
        while lease.valid:
            try:
                await loop.run()
            except NotLeader:
                return
            except TRANSIENT as error:
                log.warning("scheduler.cannot_look", reason=error.message)
                await asyncio.sleep(1.0)

    async def _renew(self, lease: Lease) -> None:
        while lease.valid:
            await asyncio.sleep(self._terms.renew_seconds)
            sent_at = time.monotonic()
            try:
                kept = await self._leader.renew(
                    self._terms.holder, lease.epoch, self._terms.lease_seconds
                )
            except TRANSIENT as error:
                log.warning("scheduler.renewal_failed", reason=error.message)
                continue
            if not kept:
                lease.lose()
            lease.renewed(sent_at)

    async def _give_up_unnoticed(self) -> None:
        """The leadership that was taken in the moment of the stop: nobody should wait for it."""
        try:
            leadership = await self._leader.read()
            if leadership.holder == self._terms.holder:
                await self._leader.give_up(self._terms.holder, leadership.epoch)
        except TRANSIENT as error:
            log.warning("scheduler.row_kept", reason=error.message)

    async def _give_up(self, lease: Lease) -> None:
        """The row runs out by itself when it cannot be given up."""
        try:
            await self._leader.give_up(self._terms.holder, lease.epoch)
        except TRANSIENT as error:
            log.warning("scheduler.row_kept", reason=error.message)
