"""All that a measurement of a cluster needs: cluster, proxy, workers, database, scheduler."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, select

from bench.kwok.plane import TIED, Plane
from bench.kwok.proxy import Proxy, Seen
from bench.kwok.stages import CLAIM
from bench.kwok.workers import FakeWorkers
from bench.restarting import PIPELINE, asked
from bench.services import Place
from tests.fakes.site import PLUGINS
from videoannotator.domain.jobs import RunState
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.jobs import Jobs
from videoannotator.store.leader import Leader
from videoannotator.store.rows import NewJob, NewRun

NAMESPACE = "va"
FOR_EVER_SECONDS = 36_000.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.1
SLOW_LOOK_SECONDS = 0.5
TOLD_EVERY_SECONDS = 15.0
SMALL = {"image": "none", "cpu": "10m", "memory": "16Mi", "ephemeralStorage": "1Mi"}


class Stand:
    """One site whose workers are fake pods."""

    def __init__(self, plane: Plane, here: Place, max_workers: int) -> None:
        """Nothing runs before `standing`."""
        self.plane = plane
        self.here = here
        self.max_workers = max_workers
        self.proxy = Proxy(plane.address, plane.places.pki)
        self.workers = FakeWorkers(plane.address, plane.places.pki)
        self.database = Database.open(here.database_url)
        self.log = plane.places.logs / "videoannotator.log"
        self._scheduler: subprocess.Popen[str] | None = None
        self._asked: NewJob | None = None
        self.submitted = 0  #: runs, so far

    # --- our scheduler

    async def start(self) -> None:
        """Starts a scheduler and waits until it says that it leads or stands by."""
        self._scheduler = made = self._begun()
        assert made.stdout  # noqa: S101 - it was asked for
        if not await asyncio.to_thread(made.stdout.readline):
            raise SystemExit(f"The scheduler did not start:\n{self.last_lines()}")

    def _begun(self) -> subprocess.Popen[str]:
        command = [*TIED, sys.executable, "-m", "bench.kwok.scheduler", self.workers.address]
        with self.log.open("a") as log:
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._variables()
            )

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends the scheduler, as an upgrade does or as a crash."""
        process, self._scheduler = self._scheduler, None
        if process is not None:
            process.send_signal(number)
            await asyncio.to_thread(process.wait, STOP_SECONDS)

    async def restart(self, number: signal.Signals) -> None:
        """Ends the scheduler and starts another one."""
        await self.stop(number)
        await self.start()

    async def epoch(self) -> int:
        """Of the newest leadership."""
        return (await Leader(self.database).read()).epoch

    def last_lines(self) -> str:
        """What the scheduler said last."""
        return "\n".join(self.log.read_text().splitlines()[-20:])

    # --- work

    async def submit(self, count: int, seconds: float) -> None:
        """So many jobs of one run that works for so long."""
        self._asked = new = self._asked or await asked(self.here, self.database)
        run = NewRun(pipeline=PIPELINE, parameters={"seconds": seconds})
        for _ in range(count):
            await Jobs(self.database).submit(replace(new, runs=(run,)))
        self.submitted += count

    async def runs(self) -> Counter[str]:
        """How many runs are in each state."""
        query = select(t.runs.c.state, func.count()).group_by(t.runs.c.state)
        async with self.database.reading() as connection:
            return Counter({str(state): n for state, n in await connection.execute(query)})

    async def stuck(self) -> str:
        """What is known of the first workers of runs that have not ended, one a line."""
        over = [RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED]
        shown = (t.runs.c.id, t.runs.c.state, t.workers.c.id, t.workers.c.state)
        more = (t.workers.c.created_at, t.workers.c.identity, t.workers.c.failure)
        query = select(*shown, *more).outerjoin(t.workers, t.workers.c.run_id == t.runs.c.id)
        async with self.database.reading() as connection:
            found = await connection.execute(query.where(t.runs.c.state.not_in(over)).limit(10))
            rows = [" ".join(map(str, row)) for row in found]
        lives = [(each.worker_id, each.epoch, each.work) for each in self.workers.lives.values()]
        return "\n".join([str(await self.runs()), *rows, f"alive: {lives[:10]}"])

    async def ended(self) -> dict[str, str]:
        """The runs that have ended, and how."""
        over = [RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED]
        query = select(t.runs.c.id, t.runs.c.state).where(t.runs.c.state.in_(over))
        async with self.database.reading() as connection:
            return {str(run): str(state) for run, state in await connection.execute(query)}

    async def until_ended(self, runs: int, seconds: float) -> None:
        """Waits until so many runs have ended, however. Raises: SystemExit when they do not."""
        deadline = time.monotonic() + seconds
        while len(await self.ended()) < runs:
            if time.monotonic() > deadline:
                raise SystemExit(f"They do not end: {await self.stuck()}\n{self.last_lines()}")
            await asyncio.sleep(SLOW_LOOK_SECONDS)

    async def until(self, what: str, happened: Callable[[], bool], seconds: float) -> float:
        """Looks until something has happened; how long it took.

        Raises: SystemExit when it does not.
        """
        started = told = time.monotonic()
        while not happened():
            now = time.monotonic()
            if now - started > seconds or not self.workers.alive:
                raise SystemExit(f"Waited in vain until {what}.\n{self.last_lines()}")
            if now - told > TOLD_EVERY_SECONDS:
                told = now
                print(f"  until {what}: {dict(await self.runs())}", file=sys.stderr, flush=True)
            await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - started

    def forget(self) -> Seen:
        """Counts from 0 again."""
        self.proxy.seen = Seen()
        return self.proxy.seen

    def _variables(self) -> dict[str, str]:
        own = self.here.variables(
            SCHEDULER__LAUNCHER="kubernetes",
            SCHEDULER__MAX_WORKERS=str(self.max_workers),
            SCHEDULER__UNPLACED_WINDOW="20",
            KUBERNETES__KUBECONFIG=str(self.plane.places.files / "proxy.kubeconfig"),
            KUBERNETES__SITE_FILE=str(self.plane.places.files / "site.json"),
        )
        return {**own, "PYTHONPATH": f"{Path.cwd()}:{PLUGINS}"}

    def write_files(self) -> None:
        """What the scheduler reads of its site."""
        site = {
            "release": NAMESPACE,
            "namespace": NAMESPACE,
            "volumeClaim": CLAIM,
            "pipelines": {PIPELINE: SMALL},
        }
        files = self.plane.places.files
        (files / "site.json").write_text(json.dumps(site))
        told = self.plane.kubeconfig_of("admin", self.proxy.address)
        (files / "proxy.kubeconfig").write_text(told)


@asynccontextmanager
async def standing(plane: Plane, here: Place, max_workers: int) -> AsyncIterator[Stand]:
    """A site without a scheduler yet."""
    made = Stand(plane, here, max_workers)
    plane.namespace(NAMESPACE, here.root)
    await made.proxy.start()
    await made.workers.start()
    made.write_files()
    try:
        yield made
    finally:
        await made.stop(signal.SIGKILL)
        await made.workers.close()
        await made.proxy.close()
        await made.database.close()
