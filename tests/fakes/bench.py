"""The scheduler's shell on a real database and storage, with a launcher and workers of ours."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.fakes.launcher import FakeLauncher
from tests.fakes.rows import POLICY
from tests.fakes.stored import Stored
from tests.fakes.worker_client import FakeWorker, FakeWorkerClient
from videoannotator.blobs.files import FileBlobs
from videoannotator.domain.jobs import Worker
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.pipelines.interface import Parameters, PipelineSpec
from videoannotator.scheduler.actions import Create, Launch
from videoannotator.scheduler.drive import Timing
from videoannotator.scheduler.inbox import CreateEnded, Inbox, Message
from videoannotator.scheduler.lease import Lease
from videoannotator.scheduler.places import LocalPlaces
from videoannotator.scheduler.shell import Parts, Shell
from videoannotator.scheduler.view import View
from videoannotator.scheduler.worker_body import LocalProcess, WorkerTemplate
from videoannotator.store.rows import JobRows
from videoannotator.store.videos import Videos

LEASE_SECONDS = 15.0
QUICK = Timing(describe_seconds=1.0, keepalive_seconds=0.01, stop_seconds=1.0, again_seconds=0.01)
SPEC = PipelineSpec(
    name="p",
    display_name="P",
    description="Does nothing.",
    version="1",
    parameters=Parameters,
    outputs=(),
    implementation="none:None",
    requires=(),
    extra="p",
)


class Clock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def calls_end() -> None:
    """Waits until no drive has a call or a repetition left."""
    async with asyncio.timeout(20):
        while any(task.get_name().startswith("drive ") for task in asyncio.all_tasks()):  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@dataclass
class Bench:
    """One leadership, its parts at hand."""

    stored: Stored
    parts: Parts
    launcher: FakeLauncher
    workers: dict[str, FakeWorker]
    clock: Clock = field(default_factory=Clock)
    inbox: Inbox = field(default_factory=Inbox)

    def __post_init__(self) -> None:
        self.lease = Lease(self.stored.epoch, LEASE_SECONDS, self.clock(), self.clock)

    async def begin(self) -> None:
        """Begins to lead now."""
        self.view = View((await self.parts.schedule.snapshot()).now)
        self.shell = Shell(self.parts, self.lease, self.inbox, self.view)

    async def rows(self, job_id: str) -> JobRows:
        """A job as it is."""
        snapshot = await self.parts.schedule.snapshot()
        return next(rows for rows in snapshot.jobs if rows.job.id == job_id)

    async def launched(self) -> tuple[JobRows, Worker]:
        """A job whose run has just been given a worker."""
        rows = await self.stored.submit("p")
        now = (await self.parts.schedule.snapshot()).now
        await self.shell.carry_out(Launch(job_id=rows.job.id, run_id=rows.runs[0].id), rows, now)
        rows = await self.rows(rows.job.id)
        return rows, rows.workers[0]

    async def create(self, rows: JobRows, worker: Worker) -> bool:
        """Carries a create out, on rows that may be old by now; True when it was begun."""
        now = (await self.parts.schedule.snapshot()).now
        await self.shell.carry_out(Create(job_id=rows.job.id, worker_id=worker.id), rows, now)
        return worker.id in self.view.busy

    async def heard(self, kind: type[Message] = CreateEnded) -> Message:
        """The next message of that kind; those before it are dropped."""
        while True:
            await self.inbox.wait(0.02)
            for message in self.inbox.take():
                if isinstance(message, kind):
                    return message

    async def close(self) -> None:
        """Ends what is under way."""
        await self.shell.close()


def parts_of(
    stored: Stored, folder: Path, launcher: FakeLauncher, workers: dict[str, FakeWorker]
) -> Parts:
    """The parts of a scheduler; the worker at an address is that of its last part."""

    def dial(address: str, _token: str) -> FakeWorkerClient:
        worker_id = address.rpartition("/")[2]
        return FakeWorkerClient(workers.setdefault(worker_id, FakeWorker(worker_id)))

    return Parts(
        schedule=stored.schedule,
        videos=Videos(stored.database),
        blobs=FileBlobs(folder),
        places=LocalPlaces(folder),
        launcher=launcher,
        catalogue=Catalogue({"p": SPEC}),
        template=WorkerTemplate(
            launcher="process",
            key=b"k" * 32,
            body=LocalProcess(orphan_grace_seconds=600, stop_grace_seconds=1),
        ),
        policy=replace(POLICY, late_create_seconds=launcher.late_create_seconds),
        timing=QUICK,
        dial=dial,  # type: ignore[arg-type]
    )


def a_bench(stored: Stored, folder: Path, launcher: FakeLauncher | None = None) -> Bench:
    """A bench of the leadership of `stored`; its bytes are below `folder`."""
    launcher, workers = launcher or FakeLauncher(), {}
    parts = parts_of(stored, folder, launcher, workers)
    return Bench(stored=stored, parts=parts, launcher=launcher, workers=workers)
