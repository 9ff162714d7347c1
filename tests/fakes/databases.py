"""Which database the tests of this run use, and the one server that all its processes share.

The controller of the run holds the writing end of a pipe in a folder; the server is started by
whoever needs it first, and stops when that end is gone.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest

from tests.fakes.postgres import MISSING, Cluster, PostgresServer, binaries
from videoannotator.store.schema import upgrade

KINDS = ("sqlite", "postgresql")
#: How child processes of a test learn of it.
KIND = "DATABASE_OF_TESTS"
FOLDER = "FOLDER_OF_TESTS"
MIGRATED = "migrated"

_roots: dict[str, Path] = {}  # database -> the site that it is of


def url_for(root: Path) -> str:
    """The address of the database of a site below `root`, with all tables.

    Empty when this run is on SQLite: such a site has a file of its own.
    """
    if os.environ.get(KIND, "sqlite") == "sqlite":
        return ""
    return _migrated(shared()).create(_name(root), MIGRATED)


def copy(source: Path, target: Path) -> None:
    """Makes the database of a site below `target` a copy of that below `source`.

    Nobody may be connected to that one. A SQLite database is copied with the files beside it.
    """
    if url_for(source):
        shared().create(_name(target), _name(source))


def _name(root: Path) -> str:
    name = "site_" + hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:24]
    _roots[name] = root.resolve()
    return name


def forget(folder: Path) -> None:
    """Drops the databases of sites below `folder`."""
    for name in [name for name, root in _roots.items() if root.is_relative_to(folder.resolve())]:
        del _roots[name]
        shared().drop(name)


def ruin(root: Path) -> None:
    """Leaves the site below `root` without a database. Nobody of this process may be connected."""
    if url_for(root):
        forget(root)
        return
    (root / "videoannotator.db").write_bytes(b"not a database, not at all" * 100)
    for name in ("-wal", "-shm"):
        (root / f"videoannotator.db{name}").unlink(missing_ok=True)


@contextmanager
def new_url() -> Iterator[str]:
    """The address of a PostgreSQL database with all tables, for a while."""
    cluster, name = _migrated(shared()), f"test_{uuid4().hex}"
    yield cluster.create(name, MIGRATED)
    cluster.drop(name)


def empty_url() -> str:
    """The address of a new PostgreSQL database without tables."""
    return shared().create(f"test_{uuid4().hex}")


@cache
def shared() -> Cluster:
    """The server of this run; skips the test when PostgreSQL is not installed."""
    need_postgresql()
    folder = Path(os.environ[FOLDER])
    port = folder / "port"
    with _alone(folder):
        if not port.exists():
            port.write_text(str(_start(folder)))
        return Cluster(int(port.read_text()))


def need_postgresql() -> None:
    """Skips the test without PostgreSQL; where a change is judged, fails it."""
    need(binaries() is not None)


def need(installed: bool) -> None:
    """Skips the test without a program of PostgreSQL's; where a change is judged, fails it."""
    if installed:
        return
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(MISSING)
    pytest.fail(MISSING)


def begin(kind: str) -> int:
    """Makes the folder of a run; the returned end of a pipe keeps its server alive."""
    folder = Path(tempfile.mkdtemp(prefix="databases-of-tests-"))
    os.mkfifo(folder / "alive")
    os.environ[KIND] = kind
    os.environ[FOLDER] = str(folder)
    return os.open(folder / "alive", os.O_RDWR)


def end(alive: int) -> None:
    """Lets the server go."""
    os.close(alive)
    shutil.rmtree(os.environ.pop(FOLDER))


def _start(folder: Path) -> int:
    alive = os.open(folder / "alive", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(alive, True)
    server = PostgresServer(alive=alive)
    server.start()
    os.close(alive)
    server.let_go()
    return server.port


@cache
def _migrated(cluster: Cluster) -> Cluster:
    """Sees to the database that every other one is a copy of."""
    with _alone(Path(os.environ[FOLDER])):
        if MIGRATED not in cluster.databases():
            upgrade(cluster.create("unfinished"))
            with cluster.admin() as connection:
                connection.execute(f"ALTER DATABASE unfinished RENAME TO {MIGRATED}")
    return cluster


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
