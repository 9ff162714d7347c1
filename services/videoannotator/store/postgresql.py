"""Databases on a PostgreSQL server, or behind a PgBouncer in transaction mode."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, event

from videoannotator.domain.errors import InvalidSetting
from videoannotator.store.connections import AsyncEngine, create_async_engine
from videoannotator.store.patience import PatientPool
from videoannotator.store.types import as_json

#: Of one process. A transaction takes milliseconds, so this carries more than one Python process
#: asks for; and two apis and two schedulers fit into the 97 that a server has by default.
CONNECTIONS = 16
QUEUE_SECONDS = 30.0  # how long a transaction stands in line for one of them

#: For every new connection; what the address itself says comes first. A server that is gone
#: without a word is noticed after 25 s of silence, or 15 s after the last byte it did not take.
CONNECTING: Mapping[str, Any] = {
    "application_name": "videoannotator",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
#: For the server, in every transaction: a PgBouncer keeps no session's settings.
LIMITS: Mapping[str, str] = {
    # Longer than the longest honest wait for a lock: a frozen writer's 5 s, and its rollback.
    "lock_timeout": "10s",
    "statement_timeout": "30s",
}
#: A client whose machine is gone holds its locks until the server knows. On a Unix socket the
#: server ignores these.
HOLDING_LOCKS = {
    "tcp_user_timeout": "10s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
#: Tried: a process frozen inside a transaction otherwise blocks every takeover.
WRITING = {**LIMITS, **HOLDING_LOCKS, "idle_in_transaction_session_timeout": "5s"}
#: A frozen reader holds no lock, but keeps the server from cleaning up.
READING = {**LIMITS, "idle_in_transaction_session_timeout": "60s"}


def postgresql_engines(url: URL) -> tuple[AsyncEngine, AsyncEngine]:
    """For writes and for reads, on the same connections: a server may have few of them.

    Raises: InvalidSetting when the driver does not load.
    """
    engine = _engine(url)
    writes = begin_with("READ COMMITTED READ WRITE", WRITING)
    return (engine.execution_options(begin=writes), engine.execution_options(begin=BEGIN_READING))


def connecting(url: URL) -> dict[str, Any]:
    """How to connect to `url`; the driver in autocommit: we begin transactions."""
    given = {name: value for name, value in CONNECTING.items() if name not in url.query}
    # Prepared statements belong to a session, which a PgBouncer does not keep.
    return {**given, "autocommit": True, "prepare_threshold": None}


def begin_with(mode: str, settings: Mapping[str, str]) -> str:
    """One message that begins a transaction and sets what holds inside it."""
    local = (f"SET LOCAL {name} = '{value}'" for name, value in settings.items())
    return "; ".join((f"BEGIN ISOLATION LEVEL {mode}", *local))


BEGIN_READING = begin_with("REPEATABLE READ READ ONLY", READING)


@contextmanager
def driver_loads() -> Iterator[None]:
    """Raises: InvalidSetting when the driver is there, but not the library that it needs."""
    try:
        yield
    except ImportError as error:
        raise InvalidSetting(
            "The PostgreSQL driver does not load.",
            hint="Run: pip install 'videoannotator[postgresql]'.",
            field="database.url",
        ) from error


def _engine(url: URL) -> AsyncEngine:
    with driver_loads():
        engine = create_async_engine(
            url,
            poolclass=PatientPool,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=QUEUE_SECONDS,
            connect_args=connecting(url),
            json_serializer=as_json,
            use_native_hstore=False,  # else every new connection asks for a type that we never use
        )

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options()["begin"])

    return engine
