"""A reflector of pods under test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.fakes.kube.objects import Body
from tests.fakes.kube.pace import Pace, eventually
from videoannotator.scheduler.launchers.kubernetes import requests
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.reflector import Reflector, Source
from videoannotator.scheduler.launchers.kubernetes.views import PodView, pod_view
from videoannotator.scheduler.launchers.kubernetes.watching import Timing


class Copy:
    """A reflector of the pods with app=va, its clock, and how often it rang."""

    def __init__(self, cluster: Cluster, page: int, timing: Timing, pace: Pace) -> None:
        """Not started."""
        self.pace = pace
        self.rung = 0
        source = Source(
            collection=requests.pods(cluster.namespace, "app=va"), view=pod_view, page=page
        )
        self.reflector: Reflector[PodView] = Reflector(
            cluster.connection, source, self._ring, timing=timing, instruments=pace.instruments
        )

    async def synced(self) -> None:
        """It has listed, and watches."""
        await eventually(lambda: self.reflector.counts["opened"] > 0)

    def names(self) -> set[str]:
        """The names of what is there."""
        return {each.name for each in self.reflector.objects.values()}

    def pod(self, name: str) -> PodView:
        """The pod of this name."""
        (found,) = [each for each in self.reflector.objects.values() if each.name == name]
        return found

    def _ring(self) -> None:
        self.rung += 1


@asynccontextmanager
async def reflecting(
    cluster: Cluster,
    *,
    page: int = 500,
    timing: Timing | None = None,
    pace: Pace | None = None,
) -> AsyncIterator[Copy]:
    """A reflector that runs."""
    copy = Copy(cluster, page, timing or Timing(), pace or Pace())
    copy.reflector.start()
    try:
        yield copy
    finally:
        await copy.reflector.close()


def put_label(body: Body, key: str, value: str) -> None:
    """Changes one label."""
    body["metadata"]["labels"][key] = value
