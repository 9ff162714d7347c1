"""A real PostgreSQL server in a temporary folder, which ends with the process that asked for it."""

import contextlib
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql

DEBIAN = Path("/usr/lib/postgresql")  # where Debian keeps what is not in PATH
MISSING = (
    "PostgreSQL is not installed. "
    "On Debian: apt-get install --no-install-recommends postgresql pgbouncer"
)
ADMIN = "admin"  # who made the cluster
ROLE = "videoannotator"  # without rights of an administrator, so without reserved connections
START_SECONDS = 60.0
#: Tried: making a database, 300 files, takes 20 ms in memory and up to 600 ms on a busy disk.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30
#: Below the range from which the kernel takes the ports of outgoing connections, so that nobody
#: takes the port while the server is away.
PORTS = range(20_000, 30_000)

SMALL = {
    "max_connections": "300",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # a container's /dev/shm is small
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_min_messages": "log",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

#: Runs a command; stops it and removes the folder `$1` when standard input ends. The kernel ends it
#: whatever became of the process at the other end.
GUARD = """
folder=$1; shift
orphaned=
trap 'orphaned=yes' USR1
exec 3<&0
"$@" </dev/null &
server=$!
(read -r _ <&3; kill -USR1 $$; kill -INT $server) &
wait $server
while kill -0 $server 2>/dev/null; do wait $server; done
kill $! 2>/dev/null
[ -z "$orphaned" ] || rm -rf "$folder"
"""

Mode = Literal["fast", "immediate", "kill"]
SIGNALS: Mapping[str, signal.Signals] = {
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
    "kill": signal.SIGKILL,
}


def binaries() -> Path | None:
    """The folder with `postgres` and `initdb`, the newest; None when there is none."""
    found = shutil.which("postgres")
    if found and shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


class Cluster:
    """A running server, as everybody sees it who knows its port."""

    def __init__(self, port: int) -> None:
        """`port` on 127.0.0.1."""
        self.port = port

    def url(self, name: str, role: str = ROLE) -> str:
        """The address of a database."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str | None = None) -> str:
        """Makes a database when it is missing; its address."""
        order = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(ROLE), sql.Identifier(template or "template0")
        )
        with self.admin() as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
            # Older servers know no other way than the one that is quick here.
            copying = " STRATEGY file_copy" if connection.info.server_version >= 150_000 else ""
            connection.execute(order + sql.SQL(copying))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Removes a database with its connections."""
        with self.admin() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def databases(self) -> set[str]:
        """The names of the databases."""
        with self.admin() as connection:
            return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}

    @contextlib.contextmanager
    def admin(self, name: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """A connection of an administrator, in autocommit."""
        url = self.url(name, ADMIN)
        with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
            yield connection


class PostgresServer(Cluster):
    """A server of one's own: to be stopped, restarted and starved of connections."""

    def __init__(
        self, *, durable: bool = False, alive: int = subprocess.PIPE, **settings: str
    ) -> None:
        """Prepares a cluster; `start` starts it. Without `durable` nothing waits for the disk.

        `alive` is a pipe's reading end: the server stops when its other end is gone. By default
        that is this process's. `settings` replace those of SMALL.
        """
        found = binaries()
        assert found is not None, MISSING
        super().__init__(free_port())
        self._binaries = found
        self._alive = alive
        self._guard: subprocess.Popen[bytes] | None = None
        self._user = unprivileged()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-of-tests-", dir=roomy(durable)))
        if self._user is not None:
            os.chown(self.folder, self._user, -1)
        self._settings = {**SMALL, **({} if durable else NOT_DURABLE), **settings}
        self._initialise()

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "log"

    @property
    def runs(self) -> bool:
        """It was started and not stopped."""
        return self._guard is not None

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        assert self._guard is None, "It runs already."
        with_parent = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        self._guard = self._popen(
            ["sh", "-c", GUARD, "guard", str(self.folder), *with_parent, *self._order()],
            stdin=self._alive,
            start_new_session=True,
        )
        self._wait_until_it_answers()

    def stop(self, mode: Mode = "fast") -> None:
        """Ends every connection and the server; `immediate` and `kill` as a crash does."""
        guard, self._guard = self._guard, None
        assert guard is not None, "It does not run."
        with contextlib.suppress(ProcessLookupError):
            self.signal(SIGNALS[mode])
        guard.wait(START_SECONDS)
        if guard.stdin is not None:
            guard.stdin.close()

    def let_go(self) -> None:
        """Leaves the server to its guard."""
        assert self._guard is not None
        self._guard.returncode = 0  # nobody here will wait for it

    def restart(self, mode: Mode = "fast") -> None:
        """Stops and starts."""
        self.stop(mode)
        self.start()

    def signal(self, number: int) -> None:
        """Sends a signal to the server's first process."""
        os.kill(int((self.folder / "data/postmaster.pid").read_text().split()[0]), number)

    def close(self) -> None:
        """Ends the server and removes its folder."""
        if self._guard is not None:
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def __enter__(self) -> "PostgresServer":
        """Starts."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends."""
        self.close()

    def _order(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": str(self.port), **self._settings}
        places = ["-D", "data", "-k", str(self.folder)]
        given = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self._binaries / "postgres"), *places, *given]

    def _initialise(self) -> None:
        order = [str(self._binaries / "initdb"), "-D", "data", "-U", ADMIN, "-A", "trust", "-N"]
        order += ["-E", "UTF8", "--locale=C"]
        if version(self._binaries) >= 15:
            # Words sort as a language has them: code that relies on bytes shall fail here.
            order += ["--locale-provider=icu", "--icu-locale=en"]
        assert self._popen(order).wait(START_SECONDS) == 0, self.log.read_text()
        self.start()
        with self.admin() as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(ROLE)))
        self.stop()

    def _popen(self, order: list[str], **how: Any) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            order = as_user(self._user, order)
            return subprocess.Popen(order, cwd=self.folder, stdout=log, stderr=log, **how)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self._guard is not None
            assert self._guard.poll() is None, self.log.read_text()
            try:
                with self.admin():
                    return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.02)


def roomy(durable: bool) -> Path:
    """Where a cluster is kept: in memory when there is plenty, else where every user may go."""
    if durable or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        return Path("/tmp")
    return MEMORY


def unprivileged() -> int | None:
    """The user for the server, which refuses to be root; None: who we are."""
    if os.geteuid() != 0:
        return None
    users = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return users.get("postgres", users.get("nobody"))


def as_user(user: int | None, order: list[str]) -> list[str]:
    """The same command as another user; None: as who we are.

    Popen's own `user` makes it fork, and a library's handlers of a fork run in the child: gRPC's,
    which a test before may have left in this process, crash there.
    """
    if user is None:
        return order
    group = pwd.getpwuid(user).pw_gid
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *order]


def version(folder: Path) -> int:
    """The release of the server in `folder`."""
    told = subprocess.check_output([folder / "postgres", "--version"], text=True)
    return int(re.findall(r"\d+", told)[0])


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
