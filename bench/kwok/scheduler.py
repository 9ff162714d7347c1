"""`python -m bench.kwok.scheduler HOST:PORT`: a scheduler whose workers are all at one address."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from videoannotator.blobs.opening import open_blobs
from videoannotator.pipelines.catalogue import catalogue_of
from videoannotator.processes.endings import INTERRUPTED_ALONE, End
from videoannotator.processes.starting import start
from videoannotator.rpc.worker import WorkerClient
from videoannotator.scheduler.composing import cluster_scheduler
from videoannotator.scheduler.places import LocalPlaces
from videoannotator.scheduler.process import Started, scheduling
from videoannotator.settings import Settings
from videoannotator.store.engine import Database


def run(workers: str, settings: Settings, announce: Callable[[Any], None]) -> int:
    """Schedules until a signal says to stop; returns the exit status."""
    return asyncio.run(_schedule(workers, settings, announce))


async def _schedule(workers: str, settings: Settings, announce: Callable[[Any], None]) -> int:
    end = End()
    end.listen_for_signals(INTERRUPTED_ALONE)
    database = Database.open(settings.database_url)
    try:
        scheduler = await cluster_scheduler(
            settings,
            database,
            open_blobs(settings.storage),
            catalogue_of(settings),
            LocalPlaces(settings.storage.root),
            lambda _, token: WorkerClient(workers, token),
        )
        async with scheduling(scheduler, end):
            announce(Started(address=scheduler.address, probes_port=None))
            return (await end.wait({"scheduler": lambda: scheduler.alive})).status
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(start("scheduler", partial(run, sys.argv[1])))
