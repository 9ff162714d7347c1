"""The services as processes of their own, on a storage folder that is theirs alone."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.fakes.postgres import PostgresServer, binaries
from videoannotator.settings import environment
from videoannotator.store.schema import upgrade

STOP_SECONDS = 20.0
#: Nothing that would hold the load back.
UNLIMITED: Mapping[str, str] = {
    "API__UPLOADS_PER_MINUTE": "0",
    "API__MAX_QUEUED_RUNS_PER_OWNER": "0",
    "API__HOST": "127.0.0.1",
    "API__PORT": "0",
    "API__GRPC_PORT": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the services of a measurement keep what they have."""

    root: Path
    database_url: str

    def variables(self, **more: str) -> dict[str, str]:
        """The environment of a service."""
        own = {
            "STORAGE__ROOT": str(self.root),
            "DATABASE__URL": self.database_url,
            **UNLIMITED,
            **more,
        }
        return {**environment(), **{f"VIDEOANNOTATOR_{name}": own[name] for name in own}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that has started."""

    process: subprocess.Popen[str]
    told: Mapping[str, str]  #: what it said when it was ready

    @property
    def port(self) -> int:
        """Of REST."""
        return int(self.told["address"].rpartition(":")[2])

    @property
    def address(self) -> str:
        """Of REST."""
        return self.told["address"]

    @property
    def resident_megabytes(self) -> float:
        """Memory in use now."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    @property
    def peak_megabytes(self) -> float:
        """The most memory that was ever in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024 / 1e6


def databases() -> tuple[str, ...]:
    """The kinds of database that can be measured here."""
    return ("sqlite", "postgresql") if binaries() else ("sqlite",)


@contextmanager
def place(kind: str) -> Iterator[Place]:
    """A storage folder and an empty database, durable as in use."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder) / "storage"
        if kind == "sqlite":
            yield _migrated(Place(root=root, database_url=f"sqlite:///{folder}/videoannotator.db"))
            return
        server = PostgresServer(durable=True)
        server.start()
        try:
            yield _migrated(Place(root=root, database_url=server.create("bench")))
        finally:
            server.close()


def _migrated(made: Place) -> Place:
    upgrade(made.database_url)
    return made


@contextmanager
def service(name: str, at: Place, **more: str) -> Iterator[Service]:
    """`videoannotator.api` or `videoannotator.scheduler`, started and ready, until left."""
    made = start([sys.executable, "-m", f"videoannotator.{name}"], at.variables(**more))
    try:
        yield made
    finally:
        stop(made)


def start(command: list[str], variables: Mapping[str, str]) -> Service:
    """Starts a service and waits for its word."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=dict(variables)
        )
        assert process.stdout is not None  # noqa: S101 - it was asked for
        line = process.stdout.readline()
        if not line:
            log.seek(0)
            raise SystemExit(f"{command[-1]} did not start:\n{log.read()}")
    return Service(process=process, told=json.loads(line))


def stop(made: Service) -> None:
    """Ends a service in good order, or kills it."""
    with made.process as process:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return
        process.kill()
