"""How the service is: what it needs, what it does, what it holds."""

import asyncio
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from videoannotator.api.operations.auditing import Hook, use_case
from videoannotator.api.outlook import Lookout, Outlook
from videoannotator.blobs import keys
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.access import Principal
from videoannotator.domain.errors import StorageError, VideoAnnotatorError
from videoannotator.domain.jobs import JobState
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.settings import Settings
from videoannotator.store.engine import parse_url, sqlite_file
from videoannotator.store.jobs import Jobs
from videoannotator.store.leader import Leader
from videoannotator.store.schema import head
from videoannotator.store.workers import Workers

ANSWER_SECONDS = 5.0  # for a storage server, whom readiness waits for
LOW_PERCENT = 10.0  # of the storage free: a warning
UNSEEN = "Workers can be neither seen nor started at the moment."


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something the service needs."""

    status: str  #: ok | warning | error
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage(Part):
    """Room for bytes."""

    total_bytes: int = 0
    used_bytes: int = 0
    free_bytes: int = 0
    percent_used: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this process runs on."""

    platform: str
    python_version: str
    cpu_count: int
    cpu_percent: float
    memory_total_bytes: int
    memory_available_bytes: int
    memory_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """This process; for administrators."""

    pid: int
    memory_bytes: int
    cpu_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Everything about how the service is."""

    database: Part
    storage: Storage
    pipelines: tuple[str, ...]
    machine: Machine
    jobs: Mapping[JobState, int]  #: empty when the database does not answer
    uptime_seconds: float

    @property
    def healthy(self) -> bool:
        """Every part that is needed works."""
        return "error" not in (self.database.status, self.storage.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """What is at work."""

    leads: bool  #: some scheduler leads
    workers: int  #: that are not gone
    job_ids: tuple[str, ...]  #: of the jobs that have one, oldest worker first


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What the database is."""

    backend: str
    path: str | None
    url: str | None  #: without its password
    size_bytes: int | None
    counts: Mapping[JobState, int]
    schema_version: int  #: the number of the revision, as 1 for 0001


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemOperations:
    """What anybody may ask about the service."""

    jobs: Jobs
    workers: Workers
    leader: Leader
    catalogue: Catalogue
    settings: Settings
    blobs: BlobStore
    lookout: Lookout
    started: float  #: of the monotonic clock
    hook: Hook

    @use_case("system.health")
    async def health(self, principal: Principal | None) -> Health:
        """How the service is. Never raises for a part that does not work."""
        database, counts = await self._database()
        return Health(
            database=database,
            storage=await self._storage(),
            pipelines=tuple(spec.name for spec in self.catalogue.listed()),
            machine=machine(),
            jobs=counts,
            uptime_seconds=time.monotonic() - self.started,
        )

    async def _database(self) -> tuple[Part, Mapping[JobState, int]]:
        try:
            counts = await self.jobs.counts()
        except VideoAnnotatorError as error:
            return Part(status="error", message=error.message), {}
        return Part(status="ok", message="The database answers."), counts

    async def _storage(self) -> Storage:
        if self.settings.storage.url:
            return await remote_storage(self.blobs)
        return await asyncio.to_thread(storage, self.settings.storage.root)

    @use_case("system.working")
    async def working(self, principal: Principal | None) -> Working:
        """What is at work now. Never raises: nothing is, when the database does not answer."""
        try:
            living = await self.workers.living()
            leads = (await self.leader.read()).holder is not None
        except VideoAnnotatorError:
            return Working(leads=False, workers=0, job_ids=())
        job_ids = tuple(dict.fromkeys(worker.job_id for worker in living))
        return Working(leads=leads, workers=len(living), job_ids=job_ids)

    @use_case("system.outlook")
    async def outlook(self, principal: Principal | None) -> Outlook:
        """Whether the scheduler sees its workers. Never raises; a stranger is told no reason."""
        found = await self.lookout.outlook()
        if principal is None and found.leads and found.trouble:
            return Outlook(leads=True, trouble=UNSEEN)
        return found

    @use_case("system.database")
    async def database(self, principal: Principal | None) -> DatabaseFacts:
        """What and where the database is; where only for administrators. Raises: Unavailable."""
        url = parse_url(self.settings.database_url)
        file = sqlite_file(url)
        may = principal is not None and principal.sees_all
        return DatabaseFacts(
            backend=url.get_backend_name(),
            path=str(file) if file and may else None,
            url=url.render_as_string(hide_password=True) if may else None,
            size_bytes=await asyncio.to_thread(_size, file) if file else None,
            counts=await self.jobs.counts(),
            schema_version=int(await asyncio.to_thread(head)),
        )

    @use_case("system.process")
    async def process(self, principal: Principal) -> Process:
        """This process."""
        import psutil  # asked for by administrators alone, and megabytes large

        own = psutil.Process()
        return Process(
            pid=own.pid,
            memory_bytes=own.memory_info().rss,
            cpu_percent=own.cpu_percent(),
        )


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def storage(root: Path) -> Storage:
    """Room below the storage folder, and whether it can be written. Blocks for a moment."""
    import psutil

    try:
        usage = psutil.disk_usage(str(root))
    except OSError:
        return Storage(status="error", message="The storage folder cannot be read.")
    free_percent = 100.0 - usage.percent
    status, message = "ok", "There is room."
    if free_percent < LOW_PERCENT:
        status, message = "warning", f"Only {free_percent:.1f} % of the storage is free."
    if not os.access(root, os.W_OK | os.X_OK):
        status, message = "error", "The storage folder cannot be written."
    return Storage(
        status=status,
        message=message,
        total_bytes=usage.total,
        used_bytes=usage.used,
        free_bytes=usage.free,
        percent_used=usage.percent,
    )


async def remote_storage(blobs: BlobStore) -> Storage:
    """Whether a storage server answers; nobody knows how much room it has."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await blobs.list(keys.incoming("health"))  # nothing is there: a short question
    except StorageError as error:
        return Storage(status="error", message=error.message)
    except TimeoutError:
        return Storage(status="error", message="The storage server does not answer.")
    return Storage(status="ok", message="The storage server answers.")


def machine() -> Machine:
    """The machine that this process runs on."""
    import psutil

    memory = psutil.virtual_memory()
    return Machine(
        platform=platform.platform(),
        python_version=platform.python_version(),
        cpu_count=psutil.cpu_count() or 1,
        cpu_percent=psutil.cpu_percent(),
        memory_total_bytes=memory.total,
        memory_available_bytes=memory.available,
        memory_percent=memory.percent,
    )
