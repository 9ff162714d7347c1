"""A site whose scheduler works on a fake cluster; its workers are real, and processes here."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.running import Container, LocalProcess, Running
from tests.fakes.site import PLUGINS, Site, quick_settings
from videoannotator.scheduler.composing import cluster_scheduler
from videoannotator.scheduler.places import LocalPlaces
from videoannotator.scheduler.service import Scheduler
from videoannotator.settings import KubernetesSettings, Settings

PIPELINE = {"image": "localhost/journal:1"}
ANY_ADDRESS = "0.0.0.0"


class KubernetesSite:
    """The parts of a site, and the cluster that its workers run in."""

    def __init__(self, folder: Path, site: Site, cluster: FakeCluster) -> None:
        """Pods keep their files below `folder`."""
        self.folder = folder
        self.site = site
        self.cluster = cluster

    @asynccontextmanager
    async def scheduling(self, *, take_workers: bool = True) -> AsyncIterator[Scheduler]:
        """A scheduler that runs inside the block."""
        site = self.site
        places = LocalPlaces(site.settings.storage.root)
        scheduler = await cluster_scheduler(
            site.settings, site.database, site.blobs, site.catalogue, places
        )
        await scheduler.start()
        try:
            yield scheduler
        finally:
            await scheduler.stop(take_workers=take_workers)


@asynccontextmanager
async def kubernetes_site(folder: Path) -> AsyncIterator[KubernetesSite]:
    """A site below `folder`, and a fake cluster with room for all its workers."""

    async def run(container: Container) -> Running:
        pod = folder / "pods" / container.pod
        listen = container.environment["VIDEOANNOTATOR_WORKER_LISTEN"]
        own = {
            "VIDEOANNOTATOR_WORKER_LISTEN": listen.replace(ANY_ADDRESS, container.pod_ip),
            "VIDEOANNOTATOR_WORKER_TERMINATION_FILE": str(pod / "termination"),
            "PYTHONPATH": os.pathsep.join([*sys.path, str(PLUGINS)]),
        }
        command = [sys.executable, *container.command[1:]]
        return await LocalProcess.start(command, {**container.environment, **own}, pod)

    async with FakeCluster(run) as cluster:
        site = await Site.open(_settings(folder, cluster))
        try:
            yield KubernetesSite(folder, site, cluster)
        finally:
            await site.close()


def _settings(folder: Path, cluster: FakeCluster) -> Settings:
    settings = quick_settings(folder, launcher="kubernetes")
    times = settings.scheduler
    described = {
        "release": "va",
        "namespace": "va",
        "volumeClaim": "storage",
        "orphanGraceSeconds": times.orphan_grace_seconds,
        "stopGraceSeconds": times.stop_grace_seconds,
        "pipelines": {"journal": PIPELINE},
    }
    file = folder / "site.json"
    file.write_text(json.dumps(described))
    told = KubernetesSettings(site_file=file, kubeconfig=cluster.kubeconfig(folder))
    return settings.model_copy(update={"kubernetes": told})
