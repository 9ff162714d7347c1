"""One machine: api and scheduler composed in one process, from the first byte to the last."""

import asyncio
import socket

from videoannotator.api.process import Announce, serving
from videoannotator.api.serving import listening
from videoannotator.blobs.opening import open_blobs
from videoannotator.pipelines.catalogue import catalogue_of
from videoannotator.processes.collecting import settle
from videoannotator.processes.endings import End
from videoannotator.scheduler.composing import scheduler_of
from videoannotator.scheduler.process import scheduling
from videoannotator.settings import Settings
from videoannotator.store import schema
from videoannotator.store.engine import Database, parse_url, sqlite_file


def run(settings: Settings, announce: Announce, *, until_stdin_closes: bool = False) -> int:
    """Serves until a signal says to stop; returns the exit status.

    With `until_stdin_closes` it also stops, workers and all, when whoever started it is gone.
    Raises: InvalidSetting, StorageError, SchemaMismatch, DatabaseUnavailable.
    """
    prepare_schema(settings)
    with listening(settings.api.host, settings.api.port) as listener:
        return asyncio.run(_serve(settings, listener, announce, until_stdin_closes))


def prepare_schema(settings: Settings) -> None:
    """Makes or upgrades a SQLite database; a shared one is only checked.

    Raises: SchemaMismatch, which says how to upgrade a shared database.
    """
    url = settings.database_url
    if sqlite_file(parse_url(url)) is not None:
        schema.upgrade(url)
    else:
        schema.check(url)


async def _serve(
    settings: Settings, listener: socket.socket, announce: Announce, until_stdin_closes: bool
) -> int:
    end = End()
    end.listen_for_signals()
    if until_stdin_closes:
        end.listen_to_stdin()
    database = Database.open(settings.database_url)
    try:
        catalogue, blobs = catalogue_of(settings), open_blobs(settings.storage)
        scheduler = await scheduler_of(settings, database, blobs, catalogue)
        async with (
            scheduling(scheduler, end),
            serving(settings, database, catalogue, listener) as api,
        ):
            settle()
            announce(await api.started())
            how = await end.wait({"http": lambda: api.alive, "scheduler": lambda: scheduler.alive})
        return how.status
    finally:
        await database.close()
