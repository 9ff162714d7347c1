"""What only a PostgreSQL server does: it restarts, has too few connections, breaks deadlocks."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sqlalchemy import Integer, Text, bindparam, cast, func, insert, select, text, update

from tests.fakes import databases
from tests.fakes.postgres import ROLE, Mode, PostgresServer
from tests.fakes.stored import NOON
from videoannotator.domain.access import Role, User
from videoannotator.domain.errors import DatabaseUnavailable, InvalidRequest
from videoannotator.store import patience, postgresql
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.postgresql import CONNECTIONS
from videoannotator.store.records import user_values
from videoannotator.store.schema import check, current, upgrade

pytestmark = pytest.mark.postgresql

USABLE = 5  # connections of the server; three more are an administrator's
LONG_SECONDS = 600.0  # what nobody waits for


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server with few connections."""
    databases.need_postgresql()
    with PostgresServer(max_connections=str(USABLE + 3), deadlock_timeout="50ms") as server:
        yield server


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> str:
    """A database with all tables."""
    address = server.create("few")
    upgrade(address)
    return address


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """The database as one process has it."""
    opened = Database.open(url)
    yield opened
    await opened.close()


@pytest.fixture
async def other(url: str) -> AsyncIterator[Database]:
    """The database as another process has it."""
    opened = Database.open(url)
    yield opened
    await opened.close()


@pytest.fixture
def away(server: PostgresServer) -> Iterator[PostgresServer]:
    """The server, stopped; it is back at the end."""
    server.stop()
    yield server
    if not server.runs:
        server.start()


async def read(database: Database) -> int:
    """One read."""
    async with database.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(t.leader)) or 0)


LEADERS = (select(func.count().label("number")).select_from(t.leader),)


async def look(database: Database) -> int:
    """One look, a message for all of it."""
    ((row,),) = await database.look_up(LEADERS, {})
    (number,) = row.values()
    return int(number)


async def write(database: Database) -> int:
    """One write."""
    async with database.writing() as connection:
        changed = await connection.execute(update(t.leader).values(address="unix:/x"))
        return changed.rowcount


async def burst(*used: Database, size: int = 60) -> list[int]:
    """Many reads and writes at once."""
    acts = (act(each) for _ in range(size) for each in used for act in (read, look, write))
    return await asyncio.gather(*acts)


def connections(server: PostgresServer) -> int:
    """How many connections programs have."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    with server.admin() as admin:
        (number,) = admin.execute(query, [ROLE]).fetchone() or (0,)
        return int(number)


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Polls."""
    async with asyncio.timeout(60):
        while not await reached():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def all_connections_taken(url: str) -> AsyncIterator[None]:
    """Somebody has every connection of the server inside the block."""
    database = Database.open(url)
    async with AsyncExitStack() as stack:
        for _ in range(USABLE):
            await stack.enter_async_context(database.reading())
        yield
    await database.close()


# --- few connections


async def test_a_burst_beyond_the_connections_of_the_server_stands_in_line(
    server: PostgresServer, database: Database
) -> None:
    assert set(await burst(database)) == {1}

    assert await asyncio.to_thread(connections, server) <= USABLE


async def test_two_processes_share_what_is_too_little_for_both(
    monkeypatch: pytest.MonkeyPatch, database: Database, other: Database
) -> None:
    monkeypatch.setattr(patience, "BURST_SECONDS", 0.05)

    assert set(await burst(database, other)) == {1}


async def test_what_a_burst_needed_is_closed_after_it(
    monkeypatch: pytest.MonkeyPatch, server: PostgresServer, database: Database
) -> None:
    monkeypatch.setattr(patience, "BURST_SECONDS", 0.05)
    await burst(database)

    async def few() -> bool:
        return await asyncio.to_thread(connections, server) <= patience.RESTING

    await until(few)
    assert await read(database) == 1


async def test_who_has_no_connection_at_all_is_told_after_its_time_in_line(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(postgresql, "QUEUE_SECONDS", 0.2)
    late = Database.open(url)
    async with all_connections_taken(url):
        with pytest.raises(DatabaseUnavailable, match="no connection free"):
            await read(late)

    assert await read(late) == 1
    await late.close()


async def test_that_others_have_all_connections_is_borne_longer_than_an_outage(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    late, refused = Database.open(url), asyncio.Event()

    def pause_seconds(_: int, __: float) -> float:
        refused.set()
        return 0.01

    async with all_connections_taken(url):
        monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
        monkeypatch.setattr(patience, "pause_seconds", pause_seconds)
        waiting = asyncio.create_task(read(late))
        hearing = asyncio.create_task(refused.wait())
        await asyncio.wait({waiting, hearing}, return_when=asyncio.FIRST_COMPLETED)
        hearing.cancel()

    assert await waiting == 1
    await late.close()


async def test_readers_do_not_wait_for_writers_that_wait_for_each_other() -> None:
    with databases.new_url() as url:
        database = Database.open(url)
        async with database.writing() as connection:
            await connection.execute(update(t.leader).values(address="unix:/x"))
            waiting = [asyncio.create_task(write(database)) for _ in range(2 * CONNECTIONS)]
            await asyncio.sleep(0)
            async with asyncio.timeout(30):
                assert await asyncio.gather(*(read(database) for _ in range(50))) == [1] * 50
        assert await asyncio.gather(*waiting) == [1] * 2 * CONNECTIONS
        await database.close()


# --- restarts


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
async def test_nobody_notices_a_restart_between_transactions(
    server: PostgresServer, database: Database, mode: Mode
) -> None:
    await burst(database)
    await asyncio.to_thread(server.restart, mode)

    assert set(await burst(database)) == {1}


async def test_who_comes_during_a_restart_waits(away: PostgresServer, database: Database) -> None:
    waiting = asyncio.create_task(burst(database, size=10))
    await asyncio.sleep(0.1)

    await asyncio.to_thread(away.start)

    assert set(await waiting) == {1}


async def test_a_transaction_that_a_restart_cuts_off_is_told_and_writes_nothing(
    server: PostgresServer, database: Database
) -> None:
    async def cut_off() -> None:
        async with database.writing() as connection:
            await connection.execute(update(t.leader).values(epoch=77))
            await asyncio.to_thread(server.restart, "immediate")

    with pytest.raises(DatabaseUnavailable):
        await cut_off()

    async with database.reading() as connection:
        assert await connection.scalar(select(t.leader.c.epoch)) == 0


async def test_in_a_long_outage_who_comes_late_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, away: PostgresServer, database: Database
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(DatabaseUnavailable):
        await read(database)
    monkeypatch.delattr(patience, "pause_seconds")  # so nobody may pause

    with pytest.raises(DatabaseUnavailable):
        await read(database)

    await asyncio.to_thread(away.start)
    assert await read(database) == 1


def test_a_migration_waits_for_a_server_that_starts(away: PostgresServer, url: str) -> None:
    starting = threading.Timer(0.2, away.start)
    starting.start()

    check(url)

    starting.join()


@pytest.mark.parametrize(("old", "new"), [("/few", "/many"), (ROLE, "nobody")])
async def test_a_refused_login_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, url: str, old: str, new: str
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", LONG_SECONDS)
    monkeypatch.setattr("videoannotator.store.schema.PATIENCE_SECONDS", LONG_SECONDS)
    wrong = url.replace(old, new)
    database = Database.open(wrong)

    with pytest.raises(DatabaseUnavailable, match="refuses this program") as refused:
        await read(database)
    with pytest.raises(DatabaseUnavailable, match="refuses this program"):
        await asyncio.to_thread(current, wrong)

    assert "database.url" in refused.value.hint
    assert new not in f"{refused.value.message} {refused.value.hint}"
    await database.close()


# --- limits


@pytest.mark.parametrize("unix", [False, True])
async def test_every_transaction_sets_its_own_limits(
    server: PostgresServer, url: str, unix: bool
) -> None:
    if unix:
        url = f"postgresql://{ROLE}@/few?host={server.folder}&port={server.port}"
    database = Database.open(url)

    async with database.writing() as writing, database.reading() as reading:
        for connection, limits in ((writing, postgresql.WRITING), (reading, postgresql.READING)):
            for name, value in limits.items():
                if unix and name.startswith("tcp_"):
                    continue
                setting = text("SELECT setting, unit FROM pg_settings WHERE name = :name")
                now = (await connection.execute(setting, {"name": name})).one()
                assert float(now.setting) == _in_unit(value, now.unit), name
    await database.close()


SETTING = (select(func.current_setting(bindparam("name", type_=Text)).label("now")),)
QUOTIENT = (select(cast(1 / bindparam("number", type_=Integer), Integer).label("quotient")),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transaction_isolation", "repeatable read"),
        ("transaction_read_only", "on"),
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "1min"),
    ],
)
async def test_a_look_is_a_transaction_with_its_limits(
    database: Database, name: str, value: str
) -> None:
    ((row,),) = await database.look_up(SETTING, {"name": name})

    assert list(row.values()) == [value]


async def test_a_look_that_fails_leaves_nothing_behind(database: Database) -> None:
    for _ in range(CONNECTIONS + 1):
        with pytest.raises(InvalidRequest):
            await database.look_up(QUOTIENT, {"number": 0})

    assert await burst(database, size=5) == [1] * 15


async def test_a_look_that_is_cancelled_leaves_no_answer_for_the_next(database: Database) -> None:
    for moment in range(20):
        looking = asyncio.create_task(look(database))
        await asyncio.sleep(moment * 0.0002)
        looking.cancel()
        await asyncio.wait([looking])

        ((row,),) = await database.look_up(SETTING, {"name": "transaction_read_only"})
        assert list(row.values()) == ["on"]


def _in_unit(value: str, unit: str) -> float:
    seconds = float(value.removesuffix("s"))
    return seconds * 1000 if unit == "ms" else seconds


async def test_a_writer_that_does_nothing_is_ended(
    monkeypatch: pytest.MonkeyPatch, url: str, other: Database
) -> None:
    idle = {**postgresql.WRITING, "idle_in_transaction_session_timeout": "50ms"}
    monkeypatch.setattr(postgresql, "WRITING", idle)
    database = Database.open(url)

    async def freeze() -> None:
        async with database.writing() as connection:
            await connection.execute(update(t.leader).values(epoch=77))
            assert await write(other) == 1  # which waits for the lock

    with pytest.raises(DatabaseUnavailable):
        await freeze()

    async with other.reading() as connection:
        assert await connection.scalar(select(t.leader.c.epoch)) == 0
    await database.close()


async def test_nobody_waits_for_a_lock_for_ever(
    monkeypatch: pytest.MonkeyPatch, url: str, other: Database
) -> None:
    monkeypatch.setattr(postgresql, "WRITING", {**postgresql.WRITING, "lock_timeout": "50ms"})
    database = Database.open(url)

    async with other.writing() as connection:
        await connection.execute(update(t.leader).values(address="unix:/x"))
        with pytest.raises(DatabaseUnavailable, match="busy"):
            await write(database)

    assert await write(database) == 1
    await database.close()


async def test_of_two_that_lock_each_other_out_one_may_try_again(database: Database) -> None:
    users = [User(id=name, name=name, role=Role.ADMIN, created_at=NOON) for name in ("ada", "bob")]
    async with database.writing() as connection:
        await connection.execute(insert(t.users), [user_values(user) for user in users])
    both = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> str:
        async with database.writing() as connection:
            for name in (first, second):
                one = update(t.users).where(t.users.c.id == name).values(role=Role.RESEARCHER)
                await connection.execute(one)
                if name == first:
                    await both.wait()
        return first

    results = await asyncio.gather(lock("ada", "bob"), lock("bob", "ada"), return_exceptions=True)

    told = [result for result in results if isinstance(result, DatabaseUnavailable)]
    assert [error.message for error in told] == ["The database is busy."]
    assert len({str(result) for result in results} & {"ada", "bob"}) == 1


async def test_what_a_column_cannot_hold_is_the_requests_fault(database: Database) -> None:
    values = user_values(User(id="x" * 65, name="x", role=Role.ADMIN, created_at=NOON))

    with pytest.raises(InvalidRequest):
        async with database.writing() as connection:
            await connection.execute(insert(t.users).values(values))
