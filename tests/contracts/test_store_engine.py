"""Transactions: whole or not at all, one writer's work never lost under another's."""

import asyncio
import signal
import subprocess
import sys

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.fakes.stored import NOON, Stored
from videoannotator.domain.access import Role, User
from videoannotator.domain.errors import Conflict, DatabaseUnavailable
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.records import user_values

ROUNDS = 20

# Writes half of something, says so, and waits to be killed.
HALF_WRITER = """
import asyncio, sys
from sqlalchemy import text
from videoannotator.store.engine import Database

async def main():
    async with Database.open(sys.argv[1]).writing() as connection:
        await connection.execute(text("UPDATE leader SET epoch = 99"))
        print("half", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def a_user(name: str) -> User:
    """A researcher, like no other of the same name."""
    return User(id=name, name=name, role=Role.RESEARCHER, created_at=NOON)


async def add(connection: AsyncConnection, name: str) -> None:
    """Adds a user."""
    await connection.execute(insert(t.users).values(user_values(a_user(name))))


async def count(database: Database) -> int:
    """How many users there are."""
    async with database.reading() as connection:
        return (await connection.execute(select(func.count()).select_from(t.users))).scalar_one()


async def increment(database: Database) -> None:
    """Reads a number, lets others work, and writes what follows from it."""
    async with database.writing() as connection:
        query = select(t.leader.c.epoch).with_for_update()
        epoch = (await connection.execute(query)).scalar_one()
        await asyncio.sleep(0.001)
        await connection.execute(update(t.leader).values(epoch=epoch + 1))


async def test_no_read_modify_write_of_two_writers_is_lost(
    database: Database, other: Database
) -> None:
    writers = [increment(place) for place in (database, other) * ROUNDS]

    ends = await asyncio.gather(*writers, return_exceptions=True)

    async with database.reading() as connection:
        epoch = await connection.scalar(select(t.leader.c.epoch))
    assert ends == [None] * len(writers)
    assert epoch == len(writers)


async def test_a_read_does_not_wait_for_a_writer(database: Database) -> None:
    async with database.writing() as connection:
        await add(connection, "ada")
        async with asyncio.timeout(20):
            assert await count(database) == 0

    assert await count(database) == 1


async def test_a_read_sees_one_moment(database: Database) -> None:
    async with database.reading() as connection:
        everyone = select(func.count()).select_from(t.users)
        before = (await connection.execute(everyone)).scalar_one()
        async with database.writing() as writer:
            await add(writer, "ada")
        assert (await connection.execute(everyone)).scalar_one() == before


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.reading() as connection:
            await add(connection, "ada")

    assert await count(database) == 0


async def test_an_error_writes_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.writing() as connection:
            await add(connection, "ada")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert await count(database) == 0


async def test_what_contradicts_the_tables_is_a_conflict(database: Database) -> None:
    async def add_twice() -> None:
        async with database.writing() as connection:
            await add(connection, "ada")
            await add(connection, "ada")

    with pytest.raises(Conflict) as refused:
        await add_twice()

    assert refused.value.__cause__ is not None
    assert await count(database) == 0


async def test_a_writer_that_is_cancelled_writes_nothing_and_holds_nothing(
    database: Database,
) -> None:
    begun = asyncio.Event()

    async def write() -> None:
        async with database.writing() as connection:
            await add(connection, "ada")
            begun.set()
            await asyncio.sleep(600)

    writer = asyncio.create_task(write())
    await begun.wait()
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer

    async with asyncio.timeout(20), database.writing() as connection:
        await add(connection, "bob")
    assert await count(database) == 1


async def test_writers_that_are_cancelled_at_any_step_hold_nothing(database: Database) -> None:
    for steps in range(60):
        writer = asyncio.create_task(increment(database))
        for _ in range(steps):
            await asyncio.sleep(0)
        writer.cancel()
        await asyncio.wait([writer])

    async with asyncio.timeout(20):
        await increment(database)


async def test_a_writer_that_is_killed_leaves_nothing_half(
    stored: Stored, database_url: str
) -> None:
    writer = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-c", HALF_WRITER, database_url],
        stdout=subprocess.PIPE,
    )
    with writer:
        assert writer.stdout is not None
        assert await asyncio.to_thread(writer.stdout.readline) == b"half\n"
        writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL

    rows = await stored.launch(await stored.submit())

    assert (await stored.schedule.snapshot()).leadership.epoch == stored.epoch
    assert await stored.jobs.get(stored.owner, rows.job.id) == rows
