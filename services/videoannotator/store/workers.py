"""Workers as an administrator sees them."""

from sqlalchemy import select, update

from videoannotator.domain.errors import WorkerNotFound
from videoannotator.domain.jobs import Worker, WorkerState
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.reading import clock, records
from videoannotator.store.records import worker_of
from videoannotator.store.visibility import well_formed


class Workers:
    """The workers that are not GONE."""

    def __init__(self, database: Database) -> None:
        """Reads and writes `database`."""
        self._database = database

    async def living(self) -> list[Worker]:
        """All that are not GONE, oldest first."""
        c = t.workers.c
        query = select(t.workers).where(c.state != WorkerState.GONE).order_by(c.created_at, c.id)
        async with self._database.reading() as connection:
            return await records(connection, query, worker_of)

    async def request_abandon(self, worker_id: str) -> None:
        """Asks the scheduler to count a worker no longer: its slot is free, a cancel may end.

        Asking again changes nothing. Raises: WorkerNotFound when there is none that is not GONE.
        """
        unknown = WorkerNotFound(hint="List the workers with GET /api/v1/queue.")
        if not well_formed(worker_id):
            raise unknown
        c = t.workers.c
        living = (c.id == worker_id, c.state != WorkerState.GONE)
        async with self._database.writing() as connection:
            if await connection.scalar(select(c.id).where(*living)) is None:
                raise unknown
            now = await clock(connection)
            await connection.execute(
                update(t.workers)
                .where(*living, c.abandon_requested_at.is_(None))
                .values(abandon_requested_at=now)
            )
