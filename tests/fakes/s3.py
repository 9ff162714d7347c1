"""A real S3 server over a temporary folder, which ends with the process that asked for it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.up import programs
from tests.fakes.postgres import free_port
from videoannotator.settings import RpcSettings, Settings, StorageSettings

ACCESS_KEY = "KEYOFTHETESTS"
SECRET_KEY = "secret-that-no-worker-may-have"
BUCKET = "bucket-of-tests"
REGION = "us-east-1"
INTERNAL_TOKEN, WORKER_KEY = "1" * 64, "2" * 64
START_SECONDS = 20.0
PROGRAM = "versitygw"
CANNOT_BUILD = (FileNotFoundError, subprocess.CalledProcessError)  # without Go, or its modules
JUDGED = os.environ.get("CI") == "true"


def settings_on(storage: StorageSettings, settings: Settings) -> Settings:
    """The same site, with its bytes on an S3 server."""
    secrets = {"internal_token": INTERNAL_TOKEN, "worker_key": WORKER_KEY}
    return settings.model_copy(
        update={"storage": storage, "rpc": RpcSettings(**secrets)}  # type: ignore[arg-type]
    )


class S3Server:
    """A running versitygw. Every bucket is a folder."""

    def __init__(self, program: Path, host: str = "127.0.0.1") -> None:
        """`program` is versitygw; it listens on `host`."""
        self.host, self.port = host, free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="s3-of-tests-"))
        self.buckets = self.folder / "buckets"
        (self.buckets / BUCKET).mkdir(parents=True)
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://{self.host}:{self.port}"

    def storage(self, root: Path, **more: Any) -> StorageSettings:
        """Settings of a storage of one's own on it; `more` replaces some."""
        chosen: dict[str, Any] = {
            "root": root,
            "url": f"s3://{BUCKET}/{uuid.uuid4().hex}",
            "endpoint": self.endpoint,
            "region": REGION,
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
        }
        return StorageSettings(**{**chosen, **more})

    def environ(self, storage: StorageSettings) -> dict[str, str]:
        """The same as variables, with the secrets that a site on S3 must be given."""
        chosen = {
            "STORAGE__URL": storage.url,
            "STORAGE__ENDPOINT": storage.endpoint,
            "STORAGE__REGION": storage.region,
            "STORAGE__ACCESS_KEY_ID": storage.access_key_id.get_secret_value(),
            "STORAGE__SECRET_ACCESS_KEY": storage.secret_access_key.get_secret_value(),
            "RPC__INTERNAL_TOKEN": INTERNAL_TOKEN,
            "RPC__WORKER_KEY": WORKER_KEY,
        }
        return {f"VIDEOANNOTATOR_{name}": value for name, value in chosen.items()}

    def unfinished(self) -> list[Path]:
        """What uploads in parts that were neither completed nor given up have left."""
        parts = self.buckets / BUCKET / ".sgwtmp" / "multipart"
        return [path for path in parts.rglob("*") if path.is_file()]

    def start(self) -> None:
        """Starts it and waits until it takes connections."""
        with_parent = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        keys = ["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--region", REGION]
        order = [str(self._program), *keys, "--port", f"{self.host}:{self.port}", "--quiet"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*with_parent, *order, "posix", str(self.buckets)],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_listens(self._process)

    def stop(self) -> None:
        """Ends it at once; what it stored stays."""
        process, self._process = self._process, None
        assert process is not None, "It does not run."
        process.kill()
        process.wait()

    def close(self) -> None:
        """Ends it and removes its folder."""
        if self._process is not None:
            self.stop()
        shutil.rmtree(self.folder)

    def _wait_until_it_listens(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, (self.folder / "log").read_text()
            with contextlib.suppress(OSError):
                socket.create_connection((self.host, self.port), timeout=1).close()
                return
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)


@contextlib.contextmanager
def started() -> Iterator[S3Server]:
    """A server that runs inside the block; the test is skipped where none can be built.

    Where a change is judged that is a failure.
    """
    try:
        server = S3Server(programs.program(PROGRAM))
    except CANNOT_BUILD as error:
        (pytest.fail if JUDGED else pytest.skip)(str(error))
    try:
        server.start()
        yield server
    finally:
        server.close()


def build() -> int:
    """Builds the server ahead of the tests, which have little time; the exit status."""
    try:
        programs.program(PROGRAM)
    except CANNOT_BUILD as error:
        print(f"Tests of S3 are skipped: {error}", file=sys.stderr)
        return int(JUDGED)
    return 0


if __name__ == "__main__":
    sys.exit(build())
