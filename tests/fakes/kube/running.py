"""Containers of a fake cluster that really run: as processes of this machine."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What the node is told to run: command and environment of the pod's template."""

    pod: str  # the pod's name
    command: Sequence[str]  # command and args
    environment: Mapping[str, str]  # values and fields of the pod; what a Secret gives is not here
    pod_ip: str  # an address of this machine's own, one for each pod
    grace_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a container ended."""

    code: int
    message: str = ""  # what it wrote to its termination message file


class Running(Protocol):
    """A container that runs."""

    def terminate(self) -> None:
        """Sends it SIGTERM."""
        ...

    def kill(self) -> None:
        """Sends it SIGKILL."""
        ...

    async def wait(self) -> Exit:
        """How it ended, once it has."""
        ...

    def log(self) -> str:
        """What it wrote so far."""
        ...


Runner = Callable[[Container], Awaitable[Running]]


class LocalProcess:
    """A container as a local process with files for its log and its last words."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        """`folder` holds `log` and `termination`."""
        self._process = process
        self._folder = folder

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> "LocalProcess":
        """Starts it; `environment` is added to that of this process."""
        with _log_in(folder) as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**os.environ, **environment},
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return cls(process, folder)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def terminate(self) -> None:
        """Sends it SIGTERM."""
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        """Sends it SIGKILL."""
        if self._process.returncode is None:
            self._process.kill()

    async def wait(self) -> Exit:
        """How it ended, with the code that a container runtime would tell."""
        code = await self._process.wait()
        words = self._folder / "termination"
        message = words.read_text(encoding="utf-8") if words.exists() else ""
        return Exit(code=code if code >= 0 else 128 - code, message=message)

    def log(self) -> str:
        """What it wrote so far."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")


def _log_in(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / "log").open("wb")
