"""A real PgBouncer in transaction mode before a PostgreSQL server, in a temporary folder."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from tests.fakes.databases import need
from tests.fakes.postgres import ROLE, Cluster, as_user, free_port, unprivileged

START_SECONDS = 30.0
SETTINGS = """
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
server_lifetime = 5
"""


class PgBouncer:
    """Gives many clients a few connections of a server, each for one transaction at a time."""

    def __init__(self, cluster: Cluster, pool_size: int = 3) -> None:
        """`pool_size` is how many connections it opens per database."""
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="pgbouncer-of-tests-"))
        self._user = unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        (self._folder / "users").write_text(f'"{ROLE}" ""\n')
        (self._folder / "settings").write_text(
            SETTINGS.format(
                server_port=cluster.port, port=self.port, folder=self._folder, pool_size=pool_size
            )
        )
        if self._user is not None:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, self._user, -1)

    def url(self, name: str) -> str:
        """The address of a database through it."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Starts it and waits until it answers; not in a thread, with which it would end."""
        order = [program(), str(self._folder / "settings")]
        if shutil.which("setpriv"):  # it ends with us, also when we are killed
            order = ["setpriv", "--pdeathsig", "KILL", *order]
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(as_user(self._user, order), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url("postgres")).close()
            return True
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends it with every connection through it."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(number)
        process.wait(START_SECONDS)

    def restart(self) -> None:
        """Ends and starts."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Ends it and removes its folder."""
        if self._process is not None:
            self.stop(signal.SIGKILL)
        shutil.rmtree(self._folder)


def program() -> str:
    """Where it is; skips the test when it is not installed."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    need(found is not None)
    return str(found)


@contextmanager
def pgbouncer(cluster: Cluster, pool_size: int = 3) -> Iterator[PgBouncer]:
    """One that runs inside the block."""
    bouncer = PgBouncer(cluster, pool_size)
    try:
        bouncer.start()
        yield bouncer
    finally:
        bouncer.close()
