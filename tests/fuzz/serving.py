"""An api as a process of its own, for children that send it things."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from videoannotator.store.schema import upgrade

START_SECONDS = 60.0
LEAVE_SECONDS = 20.0
RESIDENT_BYTES = 600 * 1024**2
#: Words that only a fault of ours brings into an answer or a log.
LEAKED = re.compile(
    rb"Traceback|sqlalchemy|sqlite3?\.|psycopg|\.py\b|Unexpected <class|Exception (de|se)rializing"
    rb"|SELECT |INSERT |/site-packages/|0x[0-9a-f]{8}"
)
FAULTS = re.compile(rb"Traceback|request_crashed|request_failed|Unhandled|never retrieved")


@dataclass(slots=True, kw_only=True)
class Service:
    """A process that serves."""

    process: "subprocess.Popen[bytes]"
    root: Path
    log: Path
    port: int
    grpc: str
    key: str
    read: int = 0  #: bytes of its log that were looked at

    def news(self) -> bytes:
        """What it has logged since it was asked last."""
        with self.log.open("rb") as log:
            log.seek(self.read)
            words = log.read()
        self.read += len(words)
        return words

    def wrong(self) -> Iterator[str]:
        """What is not as it must be between two inputs."""
        if self.process.poll() is not None:
            yield f"the server ended with {self.process.returncode}"
            return
        words = self.news()
        if FAULTS.search(words):
            yield f"logged: {words.decode(errors='replace')[-2500:]}"
        resident = psutil.Process(self.process.pid).memory_info().rss
        if resident > RESIDENT_BYTES:
            yield f"the server holds {resident / 1024**2:.0f} MiB"
        left = self.left()
        if left:
            yield f"left in storage: {left}"

    def left(self) -> list[str]:
        """Files that an upload has left behind: it may just be about to remove them."""
        deadline = time.monotonic() + LEAVE_SECONDS
        while left := [path.name for path in (self.root / "incoming").rglob("*")]:
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        return left

    def exchange(self, request: bytes, quiet_seconds: float) -> bytes:
        """Sends bytes and reads until the server closes, or says nothing for so long.

        The client goes away then.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            with suppress(OSError):  # it may answer and close before it has read everything
                connection.sendall(request)
            connection.settimeout(quiet_seconds)
            return _read(connection)


def _read(connection: socket.socket) -> bytes:
    answer = bytearray()
    try:
        while piece := connection.recv(65536):
            answer += piece
    except OSError:
        pass  # nothing more, or cut off
    return bytes(answer)


@contextmanager
def api(folder: Path) -> Iterator[Service]:
    """An api without a scheduler, on a database and a storage of its own."""
    root, log = folder / "storage", folder / "api.log"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    upgrade(f"sqlite:///{root / 'videoannotator.db'}")
    chosen = {
        "STORAGE__ROOT": str(root),
        "API__PORT": "0",
        "API__GRPC_PORT": "0",
        "API__UPLOADS_PER_MINUTE": "0",
        "API__MAX_QUEUED_RUNS_PER_OWNER": "0",
        "TELEMETRY__LOG_LEVEL": "info",
    }
    with log.open("wb") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "videoannotator.cli", "api", "--json"],
            env={**os.environ, **{f"VIDEOANNOTATOR_{k}": v for k, v in chosen.items()}},
            stdout=subprocess.PIPE,
            stderr=words,
            cwd=folder,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        told = json.loads(line)
        port = int(told["address"].rpartition(":")[2])
        yield Service(
            process=process,
            root=root,
            log=log,
            port=port,
            grpc=told["grpc_address"] or "",
            key=told["admin_key"],
        )
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
