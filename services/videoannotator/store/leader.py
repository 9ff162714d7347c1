"""The leader row: who decides, judged by the database's clock."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update

from videoannotator.domain.errors import NotLeader
from videoannotator.domain.leadership import Leadership
from videoannotator.store import tables as t
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.engine import Database
from videoannotator.store.reading import clock
from videoannotator.store.records import leadership_of
from videoannotator.store.types import database_now

ROW = t.leader.c.id == t.LEADER_ROW


async def read_leadership(connection: AsyncConnection) -> Leadership:
    """The leader row."""
    found = await connection.execute(select(t.leader).where(ROW))
    return leadership_of(found.mappings().one())


async def hold_epoch(connection: AsyncConnection, epoch: int) -> datetime:
    """Locks the leader row against a takeover until the transaction ends; tells the time.

    The lock is shared: transactions of the leader do not wait for each other, a takeover
    waits for all of them. The time is the database's.
    Raises: NotLeader when `epoch` is over.
    """
    query = select(t.leader).where(ROW).with_for_update(read=True)
    row = leadership_of((await connection.execute(query)).mappings().one())
    if row.epoch != epoch or row.holder is None:
        raise NotLeader("This scheduler is no longer the leader.")
    return await clock(connection)


class Leader:
    """Takes, renews and gives up the leadership."""

    def __init__(self, database: Database) -> None:
        """The row lives in `database`."""
        self._database = database

    async def acquire(self, holder: str, address: str, lease_seconds: float) -> Leadership | None:
        """Takes the leadership with a new epoch; None while a lease is valid, be it `holder`'s own.

        Waits for transactions of the former leader that are in flight.
        """
        if await self._taken():
            return None
        async with self._database.writing() as connection:
            # The row first, the clock after it: the lock may have been waited for.
            await connection.execute(select(t.leader.c.id).where(ROW).with_for_update())
            expires_at = await clock(connection) + timedelta(seconds=lease_seconds)
            taken = await connection.execute(
                update(t.leader)
                .where(ROW, _free())
                .values(
                    holder=holder,
                    address=address,
                    epoch=t.leader.c.epoch + 1,
                    expires_at=expires_at,
                )
            )
            return await read_leadership(connection) if taken.rowcount else None

    async def _taken(self) -> bool:
        """A look without a lock: a standby asks often, and shall not hold up the leader."""
        async with self._database.reading() as connection:
            free = select(t.leader.c.id).where(ROW, _free())
            return await connection.scalar(free) is None

    async def renew(self, holder: str, epoch: int, lease_seconds: float) -> bool:
        """Prolongs the lease; False when another took over or it was given up.

        A lease that is over is renewed as long as nobody took it: no one else decided meanwhile.
        """
        async with self._database.writing() as connection:
            expires_at = await clock(connection) + timedelta(seconds=lease_seconds)
            renewed = await connection.execute(
                update(t.leader).where(*_held(holder, epoch)).values(expires_at=expires_at)
            )
            return bool(renewed.rowcount)

    async def give_up(self, holder: str, epoch: int) -> None:
        """Frees the leadership at once; nothing when it is another's."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(t.leader)
                .where(*_held(holder, epoch))
                .values(holder=None, address=None, expires_at=None)
            )

    async def read(self) -> Leadership:
        """The row as it is; whether its lease is valid only the database's clock can say."""
        async with self._database.reading() as connection:
            return await read_leadership(connection)

    async def request_drain(self, on: bool) -> None:
        """Asks the leader to launch nothing new, or to launch again."""
        async with self._database.writing() as connection:
            since = await clock(connection) if on else None
            await connection.execute(update(t.leader).where(ROW).values(drain_requested_at=since))


def _free() -> ColumnElement[bool]:
    return or_(t.leader.c.holder.is_(None), t.leader.c.expires_at <= database_now())


def _held(holder: str, epoch: int) -> tuple[ColumnElement[bool], ...]:
    return (ROW, t.leader.c.holder == holder, t.leader.c.epoch == epoch)
