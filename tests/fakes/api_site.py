"""The REST interface on a real database and real storage, with a scheduler that only listens."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from pydantic import Field

from tests.fakes.databases import url_for
from tests.fakes.documented import DocumentedTransport
from videoannotator.api.app import create_app
from videoannotator.api.operations.assembly import Operations, assemble
from videoannotator.blobs import keys
from videoannotator.blobs.files import FileBlobs
from videoannotator.domain.access import Principal, Role
from videoannotator.domain.errors import Unavailable
from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import (
    Artifact,
    Attempt,
    AttemptOutcome,
    Progress,
    Resources,
    Run,
    RunState,
    Worker,
    WorkerState,
)
from videoannotator.domain.pipelines import Output
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.pipelines.interface import Parameters, PipelineSpec
from videoannotator.rpc.queue import Queue
from videoannotator.settings import Settings
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.jobs import Jobs
from videoannotator.store.leader import Leader
from videoannotator.store.rows import Changes, JobRows
from videoannotator.store.schedule import Schedule, SchedulerTransaction
from videoannotator.store.schema import upgrade


class SceneParameters(Parameters):
    """A few parameters."""

    threshold: float = Field(3.5, ge=0, le=100, description="Strength of a cut.")
    detector: str = Field("adaptive", description="Name.")


def a_spec(name: str, **fields: Any) -> PipelineSpec:
    """A pipeline that needs nothing."""
    values: dict[str, Any] = {
        "name": name,
        "display_name": name.replace("_", " ").title(),
        "description": "For tests.",
        "version": "1.0",
        "parameters": SceneParameters,
        "outputs": (
            Output(
                name="result.json",
                public_name=f"{{stem}}_{name}.json",
                media_type="application/json",
                format="JSON",
                types=("scenes",),
            ),
        ),
        "implementation": "nowhere:Nothing",
        "requires": (),
        "extra": "scene",
    }
    return PipelineSpec(**{**values, **fields})


CATALOGUE = Catalogue(
    {
        spec.name: spec
        for spec in (
            a_spec("face_analysis", family="face", requires=("no_such_library",)),
            a_spec("scene_detection", family="scene"),
            a_spec("voice_activity", family="audio"),
        )
    }
)


@dataclass
class ListeningScheduler:
    """Counts wakes and answers with the queue it was given."""

    wakes: int = 0
    answer: Queue | None = None
    closed: bool = False

    def wake(self) -> None:
        """Counts."""
        self.wakes += 1

    async def queue(self) -> Queue:
        """What the test put here."""
        if self.answer is None:
            raise Unavailable("No scheduler leads at the moment.")
        return self.answer

    async def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True


@dataclass
class ApiSite:
    """One site."""

    settings: Settings
    database: Database
    blobs: FileBlobs
    scheduler: ListeningScheduler
    app: FastAPI
    admin: httpx.AsyncClient
    root: Path
    operations: Operations
    opened: list[httpx.AsyncClient] = field(default_factory=list)

    async def user(self, name: str, role: Role = Role.RESEARCHER, group: str = "") -> str:
        """Adds a user; returns the secret of a key."""
        access = Access(self.database)
        user = await access.create_user(name, role)
        if group:
            await access.add_to_group(user.id, group)
        _, secret = await access.create_key(user.id, "test")
        return secret

    async def client(self, name: str, role: Role = Role.RESEARCHER) -> httpx.AsyncClient:
        """A client with the key of a new user."""
        client = client_of(self.app, await self.user(name, role))
        self.opened.append(client)
        return client

    def files(self, below: str = "") -> list[str]:
        """Every stored file below a folder, also unfinished ones; not the database."""
        folder = self.root / below if below else self.root
        return sorted(
            path.relative_to(self.root).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith("videoannotator.db")
        )

    async def rows(self, job_id: str) -> JobRows:
        """The rows of a job."""
        everybody = Principal(user_id="", name="", role=Role.ADMIN)
        return await Jobs(self.database).get(everybody, job_id)

    @asynccontextmanager
    async def scheduling(self) -> AsyncIterator[SchedulerTransaction]:
        """A transaction of a leader."""
        leader = Leader(self.database)
        leadership = await leader.read()
        if leadership.holder is None:
            taken = await leader.acquire("test", "unix:/none", 600)
            assert taken is not None
            leadership = taken
        async with Schedule(self.database).transaction(leadership.epoch) as transaction:
            yield transaction

    async def change(self, job_id: str, changes: Callable[[JobRows, datetime], Changes]) -> None:
        """Writes what `changes` makes of a job."""
        async with self.scheduling() as transaction:
            rows = await transaction.job(job_id)
            assert rows is not None
            await transaction.write(rows, changes(rows, transaction.now))

    async def start(self, job_id: str, *, gpus: int = 0) -> None:
        """Every run of a job runs."""
        await self.change(job_id, lambda rows, now: _started(rows, now, gpus))
        await self.change(job_id, lambda rows, now: _in_state(rows, RunState.RUNNING, now))

    async def progress(self, job_id: str, position_seconds: float) -> None:
        """Every run of a job has come so far, of ten seconds."""
        rows = await self.rows(job_id)
        async with self.scheduling() as transaction:
            for run in rows.runs:
                done = Progress(
                    stage="scenes", position_seconds=position_seconds, duration_seconds=10, rate=2
                )
                await transaction.progress(run.id, done)

    async def finish(self, job_id: str, content: bytes = b'{"scenes": []}') -> None:
        """Every run of a job has succeeded, with one file."""
        await self.start(job_id)
        rows = await self.rows(job_id)
        for run in rows.runs:
            folder = keys.attempt_folder(rows.job.owner_id, job_id, run.pipeline, 1)
            await self.blobs.put(f"{folder}/result.json", _once(content))
        await self.change(job_id, lambda rows, now: _succeeded(rows, now, content))

    async def fail(self, job_id: str, failure: Failure) -> None:
        """Every run of a job has failed."""
        await self.start(job_id)
        await self.change(job_id, lambda rows, now: _failed(rows, now, failure))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _started(rows: JobRows, now: datetime, gpus: int) -> Changes:
    workers = {run.id: uuid4().hex[:12] for run in rows.runs}
    runs = [replace(run, state=RunState.STARTING, started_at=now) for run in rows.runs]
    return Changes(
        runs=tuple(runs),
        attempts=tuple(
            Attempt(run_id=run.id, number=1, worker_id=workers[run.id], opened_at=now)
            for run in rows.runs
        ),
        workers=tuple(
            Worker(
                id=workers[run.id],
                run_id=run.id,
                job_id=rows.job.id,
                attempt=1,
                launcher="process",
                token_sha256="0" * 64,
                resources=Resources(gpus=gpus),
                created_at=now,
            )
            for run in rows.runs
        ),
    )


def _in_state(rows: JobRows, state: RunState, now: datetime) -> Changes:
    return Changes(runs=tuple(replace(run, state=state) for run in rows.runs))


def _succeeded(rows: JobRows, now: datetime, content: bytes) -> Changes:
    return Changes(
        runs=tuple(_ended(run, now) for run in rows.runs),
        attempts=tuple(
            replace(each, over_at=now, outcome=AttemptOutcome.COMPLETED) for each in rows.attempts
        ),
        workers=tuple(replace(each, state=WorkerState.GONE, gone_at=now) for each in rows.workers),
        artifacts=tuple(_artifact(run, content) for run in rows.runs),
        logs=tuple((run.id, "info", f"{run.pipeline} is done") for run in rows.runs),
    )


def _failed(rows: JobRows, now: datetime, failure: Failure) -> Changes:
    ended = {"state": RunState.FAILED, "finished_at": now, "failure": failure}
    return Changes(
        runs=tuple(replace(run, **ended) for run in rows.runs),
        attempts=tuple(
            replace(each, over_at=now, outcome=AttemptOutcome.FAILED, failure=failure)
            for each in rows.attempts
        ),
        workers=tuple(replace(each, state=WorkerState.GONE, gone_at=now) for each in rows.workers),
    )


def _ended(run: Run, now: datetime) -> Run:
    return replace(run, state=RunState.SUCCEEDED, finished_at=now, summary={"scenes": 12})


def _artifact(run: Run, content: bytes) -> Artifact:
    return Artifact(
        id=uuid4().hex,
        job_id=run.job_id,
        run_id=run.id,
        pipeline=run.pipeline,
        attempt=1,
        name="result.json",
        public_name=f"{{stem}}_{run.pipeline}.json",
        media_type="application/json",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def client_of(app: FastAPI, secret: str | None) -> httpx.AsyncClient:
    """A client in the same process; its errors are answers, as over a network, and documented."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    transport = DocumentedTransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://site", headers=headers)


def migrated(folder: Path) -> Path:
    """An empty database with its tables, to be copied: migrating takes longer than a test."""
    path = folder / "videoannotator.db"
    upgrade(f"sqlite:///{path}")
    return path


def _prepare(root: Path, empty: Path) -> None:
    root.mkdir(exist_ok=True)
    shutil.copy(empty, root / "videoannotator.db")


@asynccontextmanager
async def open_site(
    root: Path, empty: Path, *, required: bool = True, **api: Any
) -> AsyncIterator[ApiSite]:
    """A site below `root`; further arguments are settings of the api."""
    await asyncio.to_thread(_prepare, root, empty)
    limits = {"uploads_per_minute": 0, **api}
    url = await asyncio.to_thread(url_for, root)
    settings = Settings(
        storage={"root": root},  # type: ignore[arg-type]
        database={"url": url},  # type: ignore[arg-type]
        api=limits,  # type: ignore[arg-type]
        auth={"required": required},  # type: ignore[arg-type]
    )
    database = Database.open(settings.database_url)
    secret = await Access(database).bootstrap_admin()
    blobs, scheduler = FileBlobs(root), ListeningScheduler()
    operations = assemble(settings, database, blobs, CATALOGUE, scheduler)
    app = create_app(settings, operations, Access(database), blobs)
    site = ApiSite(
        settings, database, blobs, scheduler, app, client_of(app, secret), root, operations
    )
    site.opened.append(site.admin)
    try:
        async with app.router.lifespan_context(app):
            yield site
    finally:
        await operations.close()
        await asyncio.gather(*(client.aclose() for client in site.opened))
        await database.close()
