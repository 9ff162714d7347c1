"""A site of separate processes: the real commands, on one storage folder and one database."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from tests.fakes.databases import url_for
from tests.fakes.site import QUICK, RETRY, plugins_on_path, workers_of
from videoannotator.client import Client
from videoannotator.scheduler.composing import socket_folder
from videoannotator.settings import Settings, load_settings
from videoannotator.store.schema import upgrade

ROOT = Path(__file__).parents[2]
SECONDS = 90.0
ANY_PORTS = ("--port", "0", "--grpc-port", "0")


class Program:
    """One process, its announcement and its log."""

    def __init__(self, words: list[str], environ: Mapping[str, str], log: Path) -> None:
        """Starts it; what it logs goes to a file."""
        self.log = log
        self.told: dict[str, Any] = {}
        with log.open("wb") as lines:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env={**os.environ, **environ},
                stdout=subprocess.PIPE,
                stderr=lines,
            )

    def ready(self) -> "Program":
        """Waits until it has told where it is."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.told = json.loads(line)
        return self

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log of this name; a line that is being written is left out."""
        lines = self.log.read_text().splitlines()
        whole = [json.loads(each) for each in lines if each[:1] == "{" and each[-1:] == "}"]
        return [line for line in whole if line["event"] == event]

    def send(self, number: int) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    @property
    def frozen(self) -> bool:
        """It stands still."""
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ends it with a signal; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@dataclass
class SeparateSite:
    """A storage folder, a database, and the processes on it."""

    root: Path
    environ: Mapping[str, str]
    programs: list[Program] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """As its processes read them."""
        return load_settings({**os.environ, **self.environ}, None)

    def start(self, *words: str, **environ: str) -> Program:
        """Starts `python -m words…`; it may not be ready yet."""
        log = self.root.parent / f"program-{len(self.programs)}.log"
        program = Program(list(words), {**self.environ, **environ}, log)
        self.programs.append(program)
        return program

    def scheduler(self, *options: str, **environ: str) -> Program:
        """Starts a scheduler."""
        return self.start("videoannotator.cli", "scheduler", "--json", *options, **environ)

    def api(self, *options: str, **environ: str) -> Program:
        """Starts an api on free ports."""
        return self.start("videoannotator.cli", "api", "--json", *ANY_PORTS, *options, **environ)

    @property
    def key(self) -> str:
        """The first key, which one of the apis has told."""
        told: list[str] = [each.told.get("admin_key") or "" for each in self.programs]
        return max(told)

    def client(self, api: Program) -> Client:
        """A client with the first key."""
        return Client(api.told["address"], token=self.key)

    def close(self) -> list[psutil.Process]:
        """Ends everything; the workers that were left behind, which are dead now."""
        for program in self.programs:
            program.end(signal.SIGKILL)
        left = workers_of(self.root)
        for worker in left:
            worker.kill()
        shutil.rmtree(socket_folder(self.root), ignore_errors=True)
        return left


@contextmanager
def separate_site(
    folder: Path, url: str | None = None, times: Mapping[str, float] = QUICK
) -> Iterator[SeparateSite]:
    """A site below `folder` with short times, on the database of this run, or another `url`.

    `times` are settings of the scheduler. Leaves no process behind.
    """
    root = folder / "storage"
    root.mkdir()
    chosen = {
        "STORAGE__ROOT": str(root),
        "DATABASE__URL": url_for(root) if url is None else url,
        **{f"SCHEDULER__{name.upper()}": str(value) for name, value in times.items()},
        **{f"RETRY__{k.upper()}": str(v) for k, v in RETRY.items()},
        "TELEMETRY__LOG_FORMAT": "json",
    }
    environ = {f"VIDEOANNOTATOR_{name}": value for name, value in chosen.items()}
    site = SeparateSite(root, {**environ, **plugins_on_path()})
    upgrade(site.settings.database_url)
    try:
        yield site
    finally:
        left = site.close()
    assert left == [], "processes were left behind"


def until(reached: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Polls until it is so; what it was then."""
    deadline = time.monotonic() + seconds
    while not (found := reached()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
    return found


def moment(line: Mapping[str, Any]) -> float:
    """When a line of a log was written, in seconds of the epoch."""
    return datetime.fromisoformat(line["time"]).timestamp()
