"""Schedulers and apis that a test can kill at any moment: children that start in milliseconds.

`python -m tests.fakes.mortal` imports everything once and forks a child for each line that it reads
(nothing has used gRPC by then). `Nursery` is the test's end of it. When that end closes, the
children die.
"""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.fakes.site import plugins_on_path, quick_settings
from tests.fakes.steps import Steps, record_epochs, wrap
from tests.fakes.upload_steps import wrap_uploads
from videoannotator.api.process import serving
from videoannotator.api.serving import listening
from videoannotator.blobs.files import FileBlobs
from videoannotator.domain.errors import JobAlreadyEnded, JobNotFound
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.scheduler.composing import local_scheduler
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.jobs import Jobs
from videoannotator.store.schedule import Schedule
from videoannotator.store.videos import Videos

ROOT = Path(__file__).parents[2]
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What a child shall do."""

    root: str  #: the storage of a site that is there
    scheduler: dict[str, float] = field(default_factory=dict)  #: settings that differ
    reached: str = ""  #: file for the steps; empty: nothing is wrapped
    die_at: str = ""  #: step at which it kills itself
    act_at: str = ""  #: step at which somebody cancels or deletes
    act: str = ""  #: cancel | delete
    job_id: str = ""  #: whose
    epochs: str = ""  #: file for the epoch of each transaction
    freeze_at: int = 0  #: number of the transaction before which it stops (SIGSTOP); 0: none
    for_ever: bool = False  #: else it goes when nothing is left to do
    api_port: int = 0  #: it is an api on this port; 0: a scheduler


# --- the child


async def live(life: Life) -> None:
    """Lives."""
    await (serve(life) if life.api_port else schedule(life))


async def serve(life: Life) -> None:
    """Answers requests for ever. Nobody needs a key; jobs are those of the open user."""
    settings = quick_settings(Path(life.root), **life.scheduler)
    open_to_all = {
        "api": settings.api.model_copy(update={"uploads_per_minute": 0, "grpc_port": None}),
        "auth": settings.auth.model_copy(update={"required": False}),
    }
    if life.reached:
        wrap_uploads(Steps(Path(life.reached), life.die_at, "", _nothing))
    database = Database.open(settings.database_url)
    with listening("127.0.0.1", life.api_port) as listener:
        chosen = settings.model_copy(update=open_to_all)
        async with serving(chosen, database, Catalogue.load(), listener):
            await asyncio.Event().wait()


async def _nothing() -> None:
    """Nobody does anything."""


async def schedule(life: Life) -> None:
    """Schedules until nothing is left to do."""
    settings = quick_settings(Path(life.root), **life.scheduler)
    database = Database.open(settings.database_url)
    blobs = FileBlobs(settings.storage.root)
    if life.reached:
        wrap(Steps(Path(life.reached), life.die_at, life.act_at, _act(life, database)))
    if life.epochs:
        record_epochs(Path(life.epochs), life.freeze_at)
    scheduler = local_scheduler(settings, database, blobs, Catalogue.load())
    await scheduler.start()
    while life.for_ever or not await nothing_left(database):
        await asyncio.sleep(LOOK_SECONDS)
        assert scheduler.alive
    await scheduler.stop(take_workers=False)
    await database.close()


def _act(life: Life, database: Database) -> Callable[[], Awaitable[None]]:
    """What a user does meanwhile, as the api would write it down."""

    async def act() -> None:
        user = await Access(database).open_principal()
        jobs = Jobs(database)
        with suppress(JobAlreadyEnded, JobNotFound):
            await (jobs.delete if life.act == "delete" else jobs.cancel)(user, life.job_id)

    return act


async def nothing_left(database: Database) -> bool:
    """Every run has ended, every worker is gone, every deletion is done."""
    snapshot = await Schedule(database).snapshot()
    return not snapshot.jobs and not await Videos(database).doomed()


# --- the process that forks


def main() -> None:
    """Forks a child for each line of stdin; tells who was born and who died how."""
    children: dict[int, int] = {}
    bell, ringer = os.pipe()
    for end in (bell, ringer):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
    waiting = b""
    while True:
        ready, _, _ = select.select([0, bell], [], [])
        if bell in ready:
            os.read(bell, 4096)
        _bury(children)
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                break
            *lines, waiting = (waiting + read).split(b"\n")
            for line in lines:
                _bear(json.loads(line), children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _bear(order: dict[str, Any], children: dict[int, int]) -> None:
    life = Life(**order["life"])
    pid = os.fork()
    if pid == 0:
        _become(life, Path(order["log"]))
    children[pid] = order["number"]
    _tell(number=order["number"], pid=pid)


def _bury(children: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _tell(number=children.pop(ended[0]), status=os.waitstatus_to_exitcode(ended[1]))


def _tell(**facts: int) -> None:
    os.write(1, json.dumps(facts).encode() + b"\n")


def _become(life: Life, log: Path) -> None:
    """The child: its words go to a file, its end is its own."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        words = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for mine, target in ((nothing, 0), (words, 1), (words, 2)):
            os.dup2(mine, target)
        asyncio.run(live(life))
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


# --- the test's end


class Mortal:
    """A child as its test sees it."""

    def __init__(self, log: Path) -> None:
        """Not born yet."""
        self.log = log
        self.pid = 0
        self.status: int | None = None  #: exit status, negative: the signal

    async def born(self) -> "Mortal":
        """Waits for its process id."""
        await _until(lambda: self.pid > 0, 30.0)
        return self

    async def died(self, seconds: float) -> int:
        """Waits for its end; its exit status."""
        await _until(lambda: self.status is not None, seconds, self.log)
        return self.status or 0

    def signal(self, number: int) -> None:
        """Sends a signal, unless it is dead: a dead child's number may be another's."""
        if self.status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Nursery:
    """Starts children, and hears of their end."""

    def __init__(self, folder: Path) -> None:
        """`folder` gets their logs."""
        self._folder = folder
        self._children: list[Mortal] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.mortal"],
            cwd=ROOT,
            env={**os.environ, **plugins_on_path()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders: IO[bytes] = self._process.stdin
        self._news: IO[bytes] = self._process.stdout
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    async def bear(self, life: Life) -> Mortal:
        """Starts a child."""
        number = len(self._children)
        child = Mortal(self._folder / f"child-{number}.log")
        self._children.append(child)
        order = {"number": number, "life": asdict(life), "log": str(child.log)}
        self._orders.write(json.dumps(order).encode() + b"\n")
        self._orders.flush()
        return await child.born()

    def _listen(self) -> None:
        for line in self._news:
            facts = json.loads(line)
            child = self._children[facts["number"]]
            child.pid = facts.get("pid", child.pid)
            child.status = facts.get("status")

    def close(self) -> None:
        """Ends every child and the process that forks."""
        self._orders.close()
        self._process.wait(30)
        self._listener.join(30)
        self._news.close()


async def _until(reached: Callable[[], bool], seconds: float, log: Path | None = None) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not in time: {log}"
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    main()
