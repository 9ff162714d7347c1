"""The loop of one leadership: look, decide, act. Everything that decides is elsewhere and pure."""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime

from videoannotator.domain.errors import Conflict, NotFound, StorageError
from videoannotator.domain.jobs import RUN_ACTIVE, Worker, WorkerState
from videoannotator.scheduler import accounting
from videoannotator.scheduler.actions import Action, Wait
from videoannotator.scheduler.figures import LaunchClock, figures_of
from videoannotator.scheduler.inbox import Inbox
from videoannotator.scheduler.lease import Lease
from videoannotator.scheduler.observed import Observed
from videoannotator.scheduler.reconcile import reconcile
from videoannotator.scheduler.shell import Parts, Shell
from videoannotator.scheduler.view import Seen, View
from videoannotator.store.rows import Changes, JobRows
from videoannotator.telemetry import bound, get_logger
from videoannotator.telemetry.metrics import TICK_SECONDS

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the loop looks. Seconds."""

    tick_seconds: float = 1.0  #: without any ring
    quick_seconds: float = 0.1  #: while a worker starts or stops


class Loop:
    """Ticks while the lease is valid. A tick that changed rows is followed by another at once."""

    def __init__(
        self, parts: Parts, lease: Lease, inbox: Inbox, leader_since: datetime, pace: Pace
    ) -> None:
        """Nothing is looked at before `run`."""
        self._parts = parts
        self._lease = lease
        self._inbox = inbox
        self._pace = pace
        self._view = View(leader_since)
        self._shell = Shell(parts, lease, inbox, self._view)
        self._clock = LaunchClock()
        self._workers: tuple[Worker, ...] = ()
        self.rows: tuple[JobRows, ...] = ()  #: as of the last tick
        self.draining = False
        self.trouble = ""  #: why workers can be neither seen nor started, as of the last tick
        self.ending = False  #: set to take the workers along
        self._idle = False
        self._troubled = False  #: the last tick could not do all it wanted
        self.ticked_at: datetime | None = None
        self._ticked = time.monotonic()

    @property
    def epoch(self) -> int:
        """Number of this leadership."""
        return self._lease.epoch

    @property
    def idle(self) -> bool:
        """A look that began after `ending` was set saw no worker, and no run that had one."""
        return self._idle

    @property
    def silent_seconds(self) -> float:
        """Since the end of the last tick."""
        return time.monotonic() - self._ticked

    async def run(self) -> None:
        """Ticks until it is cancelled. Raises: NotLeader, DatabaseUnavailable."""
        while True:
            began = time.monotonic()
            with TICK_SECONDS.time():
                changed = await self.tick()
            self._ticked = time.monotonic()
            took = self._ticked - began
            if not changed:
                await self._inbox.wait(self._pause(took))

    def _pause(self, took: float) -> float:
        """Short while something is on its way, but never so short that it only looks."""
        if self._troubled:  # looking more often would not mend it
            return self._pace.tick_seconds
        moving = any(worker.state is not WorkerState.UP for worker in self._workers)
        if moving or self._view.busy or self._view.examining:
            return max(self._pace.quick_seconds, took)
        return self._pace.tick_seconds

    async def tick(self) -> bool:
        """One look and what follows from it; True when rows were changed."""
        ending = self.ending  # whoever sets it meanwhile is answered by the next look
        seen = await self._look()
        self._troubled = False
        snapshot = await self._parts.schedule.snapshot()
        now, self.rows = snapshot.now, snapshot.jobs
        self.draining = snapshot.leadership.drain_requested_at is not None
        self.trouble = seen.watch.trouble
        self._view.fold(self._inbox.take(), now)
        await self._write_told()
        observed = self._view.observed(seen, self.rows, now, draining=self.draining, ending=ending)
        by_id = {job.job.id: job for job in self.rows}
        changed = False
        actions = reconcile(observed, self.rows, self._parts.policy, now)
        for action in actions:
            changed |= await self._act(action, by_id[action.job_id], now)
        await self._shell.tell_waiting([one for one in actions if isinstance(one, Wait)])
        self._shell.clear(seen.watch.strays)
        self._account(observed, now)
        await self._tidy(now)
        self._idle = ending and not self._workers and not self._unsettled()
        return changed

    def _unsettled(self) -> bool:
        """The rows still say of some run that a worker is at it."""
        return any(run.state in RUN_ACTIVE for job in self.rows for run in job.runs)

    async def _act(self, action: Action, rows: JobRows, now: datetime) -> bool:
        """One job's trouble must not stop the others: it is told, and the next tick looks again."""
        with bound(job_id=action.job_id):
            try:
                return await self._shell.carry_out(action, rows, now)
            except (Conflict, NotFound, StorageError) as error:
                self._troubled = True
                name = type(action).__name__
                log.error("scheduler.action_failed", action=name, reason=error.message)
                return False

    async def _look(self) -> Seen:
        """Looked at before the rows: a worker that only the rows know is not seen yet."""
        launcher = self._parts.launcher
        watch = launcher.watch()
        if self.ticked_at is None:  # no rows were read yet: everything would look left over
            return Seen(watch=replace(watch, strays=()))
        return Seen(watch=watch, sights=await launcher.observe(self._workers))

    async def _write_told(self) -> None:
        """Writes all progress, probes and log lines of this tick in one transaction.

        What could not be written is kept for the next tick.
        """
        runs = {
            worker.id: (job, worker)
            for job in self.rows
            for worker in job.workers
            if worker.state is not WorkerState.GONE
        }
        moved = self._view.unwritten & runs.keys()
        lines = tuple(self._view.lines)
        probes = {
            worker_id: probe
            for worker_id, probe in self._view.probes.items()
            if worker_id in runs and runs[worker_id][0].video.probe is None
        }
        if not (moved or lines or probes):
            return
        self._lease.check()
        async with self._parts.schedule.transaction(self._lease.epoch) as transaction:
            for worker_id in sorted(moved):
                run_id = runs[worker_id][1].run_id
                await transaction.progress(run_id, self._view.progress[worker_id])
            for worker_id, probe in sorted(probes.items()):
                await transaction.write(runs[worker_id][0], Changes(probe=probe))
            for line in lines:
                if line.worker_id in runs:
                    job, worker = runs[line.worker_id]
                    await transaction.log(job.job.id, worker.run_id, line.level, line.text)
        self._view.written(moved, len(lines))

    async def _tidy(self, now: datetime) -> None:
        live = tuple(
            worker
            for job in self.rows
            for worker in job.workers
            if worker.state is not WorkerState.GONE
        )
        for gone in {worker.id for worker in self._workers} - {worker.id for worker in live}:
            await self._shell.release(gone)
        self._workers = live
        self.ticked_at = now
        self._lease.check()
        await self._shell.sweeper.sweep()

    def _account(self, observed: Observed, now: datetime) -> None:
        """Shows what this look saw."""
        accounting.show(figures_of(self.rows, observed, now), self._lease.epoch)
        accounting.tell_phases(self._clock.measure(self.rows, observed))

    async def close(self) -> None:
        """Ends every call; workers run on."""
        await self._shell.close()


async def until_idle(loop: Loop, running: asyncio.Task[None], seconds: float) -> bool:
    """Waits until no worker is left, at most `seconds`; True when none is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not running.done():
        if loop.idle:
            return True
        await asyncio.sleep(0.05)
    return loop.idle
