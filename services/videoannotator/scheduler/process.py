"""A scheduler of its own: leads or stands by until a signal says to stop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from videoannotator.blobs.opening import open_blobs
from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.pipelines.catalogue import catalogue_of
from videoannotator.processes.collecting import settle
from videoannotator.processes.endings import INTERRUPTED_ALONE, End
from videoannotator.processes.probes import Probes
from videoannotator.scheduler.composing import scheduler_of
from videoannotator.scheduler.service import Scheduler
from videoannotator.settings import Settings
from videoannotator.store import schema
from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader
from videoannotator.telemetry.metrics import DATABASE_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What whoever starts a scheduler wants to know of it."""

    address: str  #: where the api dials when this one leads
    probes_port: int | None  #: None: no probes


#: Told once, when the scheduler leads or stands by.
Announce = Callable[[Started], None]


def run(settings: Settings, announce: Announce) -> int:
    """Schedules until a signal says to stop; returns the exit status.

    Both signals give the leadership up at once and leave the workers to the next leader: this
    process cannot know that nobody stands by.
    Raises: InvalidSetting, StorageError, SchemaMismatch, DatabaseUnavailable.
    """
    schema.check(settings.database_url)
    return asyncio.run(_schedule(settings, announce))


async def _schedule(settings: Settings, announce: Announce) -> int:
    end = End()
    end.listen_for_signals(INTERRUPTED_ALONE)
    database = Database.open(settings.database_url)
    DATABASE_UP.set_function(lambda: float(database.reached))
    try:
        blobs, catalogue = open_blobs(settings.storage), catalogue_of(settings)
        scheduler = await scheduler_of(settings, database, blobs, catalogue)
        async with scheduling(scheduler, end), _probes(settings, database, scheduler) as port:
            settle()
            announce(Started(address=scheduler.address, probes_port=port))
            how = await end.wait({"scheduler": lambda: scheduler.alive})
        return how.status
    finally:
        await database.close()


@asynccontextmanager
async def scheduling(scheduler: Scheduler, end: End) -> AsyncIterator[None]:
    """The scheduler is at work inside the block, and stopped as `end` says."""
    await scheduler.start()
    try:
        yield
    finally:
        await scheduler.stop(take_workers=end.how.take_workers)


@asynccontextmanager
async def _probes(
    settings: Settings, database: Database, scheduler: Scheduler
) -> AsyncIterator[int | None]:
    """Probes and metrics where the settings say so; their port. Raises: InvalidSetting."""
    host, port = settings.telemetry.host, settings.telemetry.port
    if port is None:
        yield None
        return
    leader = Leader(database)

    async def ready() -> str:
        if not scheduler.alive:
            return "The scheduler has ended; it must be restarted."
        return await _silence(leader) or scheduler.trouble

    probes = Probes(ready, lambda: scheduler.alive and scheduler.ticks)
    bound = await probes.start(host, port)
    try:
        yield bound
    finally:
        await probes.stop()


async def _silence(leader: Leader) -> str:
    """Why the database does not answer; a standby is as ready as a leader."""
    try:
        await leader.read()
    except VideoAnnotatorError as error:
        return f"{error.message} {error.hint}".strip()
    return ""
