"""A whole site on one machine, for tests: real database, storage, scheduler and workers."""

import asyncio
import contextlib
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tests.fakes.databases import url_for
from videoannotator.blobs import keys
from videoannotator.blobs.files import FileBlobs
from videoannotator.blobs.opening import open_blobs
from videoannotator.domain.access import Principal
from videoannotator.domain.jobs import JOB_FINAL, JobState, RunState, WorkerState
from videoannotator.domain.videos import Video
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.scheduler.composing import local_scheduler
from videoannotator.scheduler.service import Scheduler
from videoannotator.settings import Settings
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import JobRows, NewJob, NewRun
from videoannotator.store.schema import upgrade
from videoannotator.store.videos import Videos

PLUGINS = Path(__file__).parent / "plugins"

#: Short times, so that a test of minutes becomes one of seconds; the order between them is kept.
QUICK = {
    "tick_seconds": 0.3,
    "lease_seconds": 3.0,
    "renew_seconds": 0.5,
    "keepalive_seconds": 0.5,
    "orphan_grace_seconds": 6.0,
    "stop_grace_seconds": 1.0,
    "second_look_seconds": 0.5,
}
RETRY = {"base_delay_seconds": 0.1, "max_delay_seconds": 0.5, "infrastructure_failures": 100}


def quick_settings(root: Path, **scheduler: Any) -> Settings:
    """Settings of a site below `root` with short times; arguments replace scheduler settings."""
    return Settings(
        storage={"root": root},  # type: ignore[arg-type]
        database={"url": url_for(root)},  # type: ignore[arg-type]
        scheduler={**QUICK, "max_workers": 4, **scheduler},  # type: ignore[arg-type]
        retry=RETRY,  # type: ignore[arg-type]
    )


def plugins_on_path() -> dict[str, str]:
    """Lets a child process find the test pipelines, as it finds a third party's."""
    known = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(PLUGINS), known]))}


@dataclass
class Site:
    """The parts of one site, without its scheduler."""

    settings: Settings
    database: Database
    blobs: FileBlobs  #: or those of another storage, where the settings name one
    catalogue: Catalogue
    user: Principal

    @classmethod
    async def open(cls, settings: Settings) -> "Site":
        """Opens a site, and makes it when it is not there yet."""
        await asyncio.to_thread(upgrade, settings.database_url)
        database = Database.open(settings.database_url)
        user = await Access(database).open_principal()
        blobs: Any = open_blobs(settings.storage)
        return cls(settings, database, blobs, Catalogue.load(), user)

    def adjusted(self, **scheduler: Any) -> "Site":
        """The same site with other scheduler settings."""
        chosen = self.settings.scheduler.model_copy(update=scheduler)
        return replace(self, settings=self.settings.model_copy(update={"scheduler": chosen}))

    def scheduler(self) -> Scheduler:
        """A scheduler of this site, not started."""
        return local_scheduler(self.settings, self.database, self.blobs, self.catalogue)

    @contextlib.asynccontextmanager
    async def scheduling(self, *, take_workers: bool = True) -> AsyncIterator[Scheduler]:
        """A scheduler that runs inside the block."""
        scheduler = self.scheduler()
        await scheduler.start()
        try:
            yield scheduler
        finally:
            await scheduler.stop(take_workers=take_workers)

    async def add_video(self, path: Path) -> Video:
        """Stores a file as an uploaded video."""
        video_id = str(uuid.uuid4())
        key = keys.video_source(self.user.user_id, video_id)

        content = await asyncio.to_thread(path.read_bytes)

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        stored = await self.blobs.put(key, chunks())
        return await Videos(self.database).add(
            Video(
                id=video_id,
                owner_id=self.user.user_id,
                display_name=path.name,
                key=key,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                created_at=datetime.now(UTC),
            )
        )

    async def submit(self, video: Video, *runs: tuple[str, dict[str, Any]]) -> str:
        """Submits a job of these pipelines with these parameters; returns its id."""
        new = NewJob(
            owner_id=self.user.user_id,
            video_id=video.id,
            runs=tuple(self._run(name, values) for name, values in runs),
        )
        rows, _ = await Jobs(self.database).submit(new)
        return rows.job.id

    def _run(self, name: str, values: dict[str, Any]) -> NewRun:
        checked = self.catalogue.validate(name, values, strict=True)
        assert not checked.problems, checked.problems
        spec = self.catalogue.get(name)
        return NewRun(pipeline=name, parameters=dict(checked.parameters), resources=spec.resources)

    async def job(self, job_id: str) -> JobRows:
        """The job as it is now."""
        return await Jobs(self.database).get(self.user, job_id)

    async def cancel(self, job_id: str) -> JobRows:
        """Asks for the end of a job; the job as the wish left it."""
        return await Jobs(self.database).cancel(self.user, job_id)

    async def until(
        self, job_id: str, reached: Callable[[JobRows], bool], seconds: float = 60.0
    ) -> JobRows:
        """Polls until `reached`; fails with the job's last rows when that takes too long."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            rows = await self.job(job_id)
            if reached(rows):
                return rows
            assert asyncio.get_running_loop().time() < deadline, f"not reached: {rows}"
            await asyncio.sleep(0.05)

    async def ended(self, job_id: str, seconds: float = 60.0) -> JobRows:
        """Polls until the job has ended and its workers are gone."""
        return await self.until(job_id, has_ended, seconds)

    async def running(self, job_id: str, seconds: float = 60.0) -> JobRows:
        """Polls until every run of the job runs."""
        return await self.until(
            job_id, lambda rows: all(r.state is RunState.RUNNING for r in rows.runs), seconds
        )

    async def close(self) -> None:
        """Closes the database."""
        await self.database.close()


def has_ended(rows: JobRows) -> bool:
    """The job has ended and every worker of it is gone."""
    return rows.job.state in JOB_FINAL and all(
        worker.state is WorkerState.GONE for worker in rows.workers
    )


def succeeded(rows: JobRows) -> bool:
    """Every pipeline of the job succeeded."""
    return rows.job.state is JobState.COMPLETED and rows.job.error_message is None


def journal(path: Path) -> list[dict[str, Any]]:
    """The lines that the journal pipeline wrote."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def workers_of(root: Path) -> list[psutil.Process]:
    """Living worker processes and their children that belong to the site below `root`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if str(root) in process.environ().get("VIDEOANNOTATOR_WORKER_TERMINATION_FILE", ""):
                found.append(process)
    return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]


def overlaps(lines: Iterable[dict[str, Any]]) -> list[str]:
    """Runs that two processes worked on at the same time, judged by the journal in its order."""
    open_by: dict[str, int] = {}
    bad = []
    for line in lines:
        run, pid = line["run"], line["pid"]
        if line["event"] == "started":
            if run in open_by and psutil.pid_exists(open_by[run]) and open_by[run] != pid:
                bad.append(run)
            open_by[run] = pid
        elif open_by.get(run) == pid:
            del open_by[run]
    return bad


if __name__ == "__main__":
    sys.exit("This module is for tests.")
