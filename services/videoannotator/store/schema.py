"""The schema of the database: which one it has, and the way to the one this program needs."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import random
from time import monotonic, sleep

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from videoannotator.domain.errors import SchemaMismatch, StorageDenied, StorageError
from videoannotator.store.engine import parse_url, sqlite_file
from videoannotator.store.faults import refused_for_good, translated
from videoannotator.store.patience import PATIENCE_SECONDS, pause_seconds
from videoannotator.store.postgresql import WRITING, begin_with, connecting, driver_loads
from videoannotator.store.sqlite import BUSY_SECONDS, prepare_sqlite

MIGRATIONS = Path(__file__).parent / "migrations"
#: Every revision and the release that brought it, oldest first; a test compares them with the
#: migrations. A release brings one at most, and they are counted through: so a program knows the
#: next one, which it has never seen. They are named here, and Alembic is imported by an upgrade
#: that has something to do: it takes as long as all the rest.
REVISIONS: Mapping[str, str] = {"0001": "2.0"}
DIGITS = 4  # of a revision
VERSIONS = "alembic_version"  # the table in which Alembic notes the revision
MIGRATION_LOCK = 0x7661_0003
LONG_SECONDS = 60.0  # how long one upgrade waits for another
#: On PostgreSQL; a migration itself may take its time.
MIGRATING = {
    **WRITING,
    "lock_timeout": f"{LONG_SECONDS:g}s",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": f"{LONG_SECONDS:g}s",
}


def upgrade(url: str) -> None:
    """Brings the database to the schema of this program; makes it when it is not there.

    May be repeated. Blocks: call it outside the event loop.
    Raises: SchemaMismatch when it is newer or too old, DatabaseUnavailable, StorageDenied,
    StorageFull.
    """
    file = sqlite_file(parse_url(url))
    if file is not None:
        _make_folder(file.parent)
    with _transaction(url, timeout_seconds=LONG_SECONDS) as connection:
        _refuse_foreign(connection)
        if _revision(connection) != head():
            _migrate(connection)


def current(url: str) -> str | None:
    """The revision of the database's schema; None when it has none."""
    file = sqlite_file(parse_url(url))
    if file is not None and not file.exists():
        return None
    with _transaction(url, begin="BEGIN DEFERRED") as connection:
        return _revision(connection)


def check(url: str) -> None:
    """Raises: SchemaMismatch when this program cannot work with the database's schema."""
    refusal = misfit(current(url), REVISIONS)
    if refusal is not None:
        raise refusal


def head() -> str:
    """The revision of the schema that this program needs."""
    return max(REVISIONS)


def misfit(found: str | None, revisions: Mapping[str, str]) -> SchemaMismatch | None:
    """Why a program of these revisions cannot work on a database of revision `found`; None: it can.

    It works on the schema of the next release as well: that one only adds. So the programs of both
    are at work while one is replaced by the other, or comes back.
    """
    own = max(revisions)
    if found in (own, _next(own)):
        return None
    if found is None:
        return SchemaMismatch("The database has no tables yet.")
    if found in revisions:
        return SchemaMismatch("The database has an older schema than this program.")
    return _newer()


def out_of_reach(found: str | None, revisions: Mapping[str, str]) -> SchemaMismatch | None:
    """Why a program of these revisions cannot bring a database of revision `found` to its own.

    Nobody tries a way over two releases; and programs still at work would find their tables gone.
    """
    names = list(revisions)
    if found is None or found in names[-2:]:
        return None
    if found not in revisions:
        return _newer()
    return SchemaMismatch(
        "The database is more than one release behind this program.",
        hint=f"Upgrade to release {revisions[_next(found)]} first, then on from there.",
    )


def _next(revision: str) -> str:
    return f"{int(revision) + 1:0{DIGITS}}"


def _newer() -> SchemaMismatch:
    return SchemaMismatch(
        "The database has a newer schema than this program.",
        hint="Upgrade this program to the release that made the database, or a later one.",
    )


def _refuse_foreign(connection: Connection) -> None:
    revision = _revision(connection)
    if revision is None and inspect(connection).get_table_names():
        raise SchemaMismatch(
            "The database has tables of another program.",
            hint="Give this program a database of its own.",
        )
    refusal = out_of_reach(revision, REVISIONS)
    if refusal is not None:
        raise refusal


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSIONS):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSIONS}"))  # noqa: S608 - ours
    return found.scalar_one_or_none()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise StorageDenied("The folder of the database cannot be made.") from error
    except OSError as error:
        raise StorageError("The folder of the database cannot be made.") from error


def _sqlite_engine(url: URL, timeout_seconds: float) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite").difference_update_query(["timeout"]),
        poolclass=NullPool,
        connect_args={"timeout": timeout_seconds},
    )

    @event.listens_for(engine, "connect")
    def connect(raw: sqlite3.Connection, _: object) -> None:
        prepare_sqlite(raw, query_only=False)

    return engine


def _postgresql_engine(url: URL) -> Engine:
    with driver_loads():
        return create_engine(
            url, poolclass=NullPool, connect_args=connecting(url), use_native_hstore=False
        )


def _connected(engine: Engine) -> Connection:
    """A connection; waits a while for a server that starts or is full."""
    tried, patience_ends_at = 0, monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            out_of_patience = engine.dialect.name == "sqlite" or monotonic() >= patience_ends_at
            if out_of_patience or refused_for_good(error):
                raise
        tried += 1
        sleep(pause_seconds(tried, random()))  # noqa: S311 - no secret


@contextmanager
def _transaction(
    url: str, timeout_seconds: float = BUSY_SECONDS, begin: str = "BEGIN IMMEDIATE"
) -> Iterator[Connection]:
    """One transaction for the whole way: an upgrade that is cut off changes nothing."""
    parsed = parse_url(url)
    on_postgresql = parsed.get_backend_name() == "postgresql"
    if on_postgresql:
        engine, begin = _postgresql_engine(parsed), begin_with("READ COMMITTED", MIGRATING)
    else:
        engine = _sqlite_engine(parsed, timeout_seconds)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    with translated(), _connected(engine) as connection, connection.begin():
        if on_postgresql:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        yield connection
