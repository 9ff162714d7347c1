"""A private server: one for this command alone, gone when the command is."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from videoannotator.cli.private_folder import PrivateFolder
from videoannotator.domain.errors import Unavailable
from videoannotator.settings import environment

LOG = "server.log"
#: Seconds beyond the grace that workers get; after that the server is killed.
MARGIN_SECONDS = 20.0
SHOWN_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateServer:
    """Where the private server is, and the key to it."""

    address: str
    token: str


@contextmanager
def private_server(folder: PrivateFolder, stop_grace_seconds: float) -> Iterator[PrivateServer]:
    """Serves on a free port of this machine, with all that it stores in `folder`, until left.

    The server watches its stdin, which this process holds: it ends, workers and all, also when this
    process is killed.
    Raises: StorageError, Unavailable when the server does not start.
    """
    with (folder.path / LOG).open("wb") as log:
        process = _start(folder, log.fileno())
    try:
        address, token = _announced(process, folder.path)
        yield PrivateServer(address=address, token=token)
    finally:
        _stop(process, stop_grace_seconds + MARGIN_SECONDS)


def private_settings(folder: Path) -> Mapping[str, str]:
    """What makes a server private, whatever the environment says of the site's own one."""
    return {
        "VIDEOANNOTATOR_STORAGE__ROOT": str(folder),
        "VIDEOANNOTATOR_STORAGE__URL": "none",
        "VIDEOANNOTATOR_STORAGE__ENDPOINT": "none",
        "VIDEOANNOTATOR_DATABASE__URL": f"sqlite:///{folder / 'videoannotator.db'}",
        "VIDEOANNOTATOR_API__HOST": "127.0.0.1",
        "VIDEOANNOTATOR_API__PORT": "0",
        "VIDEOANNOTATOR_API__GRPC_PORT": "none",
        "VIDEOANNOTATOR_SCHEDULER__LISTEN": "unix",
        "VIDEOANNOTATOR_TELEMETRY__PORT": "none",
        "VIDEOANNOTATOR_API__UPLOADS_PER_MINUTE": "0",
        "VIDEOANNOTATOR_API__MAX_QUEUED_RUNS_PER_OWNER": "0",
        "VIDEOANNOTATOR_AUTH__REQUIRED": "true",
    }


def _start(folder: PrivateFolder, log: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "videoannotator.cli", "serve", "--json"]
    return subprocess.Popen(
        [*command, "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**environment(), **private_settings(folder.path)},
        pass_fds=(folder.lock,),  # it owns the folder until it has ended, too
        # Ctrl-C at the terminal is for this process, which then ends the server in good order.
        start_new_session=True,
    )


def _announced(process: subprocess.Popen[bytes], folder: Path) -> tuple[str, str]:
    """Address and key, from the one line that the server writes when it is ready."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    line = process.stdout.readline()
    if not line:
        lines = (folder / LOG).read_text("utf-8", "replace").splitlines()
        raise Unavailable("The private server did not start.", hint="\n".join(lines[-SHOWN_LINES:]))
    told = json.loads(line)
    return told["address"], told["admin_key"]


def _stop(process: subprocess.Popen[bytes], patience_seconds: float) -> None:
    """Ends the server and its workers; kills it when it does not come to an end."""
    with process:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.close()
        try:
            process.wait(patience_seconds)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
