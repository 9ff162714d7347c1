"""The Kubernetes launcher over a fake cluster whose containers are processes of this machine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.fakes.kube.bodies import job_body
from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.faults import Refuse
from tests.fakes.kube.objects import Body
from tests.fakes.kube.running import Container, LocalProcess, Running
from tests.fakes.stages import PROGRAMS, look, until
from tests.fakes.workers import a_worker
from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers.interface import Sight
from videoannotator.scheduler.launchers.kubernetes import names
from videoannotator.scheduler.launchers.kubernetes.bodies import spec_sha
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.launcher import (
    BODY,
    KubernetesLauncher,
    Terms,
    name_in,
)

RELEASE = "va"
NAMESPACE = "va"
LEAST_GRACE_SECONDS = 1.0  # a shorter one is never sent
NOT_INSTALLED = Refuse(
    status=422, reason="Invalid", message="The worker's program is not installed here."
)


def cluster_worker(worker: Worker, command: list[str], grace_seconds: float = 1.0) -> Worker:
    """The same worker, whose container executes `command`."""
    return replace(
        worker, launcher="kubernetes", body={BODY: _body(worker, command, grace_seconds)}
    )


def _body(worker: Worker, command: list[str], grace_seconds: float) -> Body:
    labels = {**names.workers_labels(RELEASE), names.PIPELINE: "p"}
    body = job_body(names.worker_name(RELEASE, "p", worker.id), **labels)
    annotations = {names.WORKER: worker.id}
    body["metadata"]["annotations"] = dict(annotations)
    template = body["spec"]["template"]
    template["metadata"]["annotations"] = annotations
    template["spec"]["terminationGracePeriodSeconds"] = max(grace_seconds, LEAST_GRACE_SECONDS)
    container = template["spec"]["containers"][0]
    container["command"] = command
    container["env"] = [{"name": "VIDEOANNOTATOR_WORKER_ID", "value": worker.id}]
    body["metadata"]["annotations"][names.SPEC_SHA] = spec_sha(body)
    return body


class KubernetesStage:
    """Workers as containers of a fake cluster that really run."""

    def __init__(self, folder: Path, stop_grace_seconds: float = 0.0) -> None:
        """Workers write into `folder`."""
        self.folder = folder
        self.journal = folder / "journal"
        self.cluster = FakeCluster(self._run)
        self.launcher: KubernetesLauncher
        self._grace_seconds = stop_grace_seconds
        self._launchers: list[KubernetesLauncher] = []
        self._workers: dict[str, Worker] = {}

    async def open(self) -> "KubernetesStage":
        """The API server listens and the launcher has seen what there is."""
        await self.cluster.__aenter__()
        self.launcher = await self.another()
        return self

    async def another(self) -> KubernetesLauncher:
        """A launcher like the one of a scheduler that was started again."""
        client = await Cluster.open(NAMESPACE, self.cluster.kubeconfig(self.folder))
        launcher = KubernetesLauncher(client, Terms(release=RELEASE, second_look_seconds=0.2))
        self._launchers.append(launcher)
        await launcher.start(lambda: None)

        async def sees() -> bool:
            return not launcher.watch().trouble

        await until(sees)
        return launcher

    def worker(self, behaviour: str) -> Worker:
        """A worker that is not created yet."""
        if behaviour == "missing":
            self.cluster.faults.add("create-jobs", NOT_INSTALLED)
            return self.running(["no-such-program-anywhere"])
        return self.running(["/bin/sh", "-c", PROGRAMS[behaviour], "sh", str(self.journal)])

    def running(self, command: list[str]) -> Worker:
        """A worker whose container executes `command`."""
        worker = cluster_worker(a_worker(), command, self._grace_seconds)
        self._workers[worker.id] = worker
        return worker

    def starts(self, worker: Worker) -> int:
        """How many processes of it began to work, ever."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return lines.count(worker.id)

    async def until_working(self, worker: Worker) -> None:
        """Its program has begun, and the launcher has heard of it."""

        async def began() -> bool:
            heard = (await look(self.launcher, worker)).address is not None
            return heard and self.starts(worker) > 0

        await until(began)

    async def close(self) -> None:
        """Ends every worker."""
        for launcher in self._launchers:
            await launcher.close()
        await self.cluster.__aexit__(None, None, None)

    async def _run(self, container: Container) -> Running:
        folder = self.folder / "pods" / container.pod
        words = {"VIDEOANNOTATOR_WORKER_TERMINATION_FILE": str(folder / "termination")}
        return await LocalProcess.start(
            container.command, {**container.environment, **words}, folder
        )


async def so(condition: Callable[[], object]) -> None:
    """Waits until it is so."""

    async def true() -> bool:
        return bool(condition())

    await until(true)


async def until_seen(launcher: KubernetesLauncher, worker: Worker, **fields: object) -> None:
    """Waits until the worker is seen with these fields."""

    async def seen() -> bool:
        found = await look(launcher, worker)
        return all(getattr(found, name) == value for name, value in fields.items())

    await until(seen)


async def at_work(fake: FakeCluster, launcher: KubernetesLauncher, worker: Worker) -> str:
    """Creates the worker and lets its pod run until it is seen alive; the pod's name."""
    await launcher.create(worker)
    pod = fake.pod_of(name_in(worker))
    fake.place(pod)
    fake.run(pod)
    await until_seen(launcher, worker, sight=Sight.ALIVE)
    return pod


def worker_of_cluster() -> Worker:
    """A worker that is not created yet, and that no test lets really run."""
    return cluster_worker(a_worker(), ["sleep", "60"])
