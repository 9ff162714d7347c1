"""Any interleaving of changes and faults: the copy equals the cluster, and no end is missed."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.kube import faults
from tests.fakes.kube.bodies import pod_body
from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.faults import Close, Drop, ErrorLine, Fault, Pieces
from tests.fakes.kube.pace import eventually
from tests.fakes.kube.reflecting import Copy, put_label, reflecting
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.sightings import State
from videoannotator.scheduler.launchers.kubernetes.views import pod_view

NAMES = st.sampled_from(["a", "b", "c", "d"])
FAULTS: list[Fault] = [faults.GONE, faults.BROKEN, faults.BUSY, ErrorLine(), Close(), Drop()]
STEPS = st.one_of(
    st.tuples(st.sampled_from(["add", "run", "remove", "unlabel"]), NAMES),
    st.tuples(st.sampled_from(["compact", "close", "break", "bookmark", "breathe"]), st.none()),
    st.tuples(st.just("watch-pods"), st.sampled_from([*FAULTS, Pieces()])),
    st.tuples(st.just("list-pods"), st.sampled_from([faults.BROKEN, faults.GONE, Drop()])),
)


class History:
    """Steps against a cluster, and what became of its pods."""

    def __init__(self, fake: FakeCluster) -> None:
        """Nothing happened yet."""
        self.fake = fake
        self.removed: set[str] = set()

    async def take(self, what: str, with_: object) -> None:
        """One step."""
        if isinstance(with_, str):
            self._change(what, with_)
        elif with_ is not None:
            self.fake.faults.add(what, with_)  # type: ignore[arg-type]
        elif what == "compact":
            self.fake.objects.compact()
        elif what == "close":
            self.fake.server.close_watches()
        elif what == "break":
            self.fake.server.break_watches()
        elif what == "bookmark":
            self.fake.server.bookmark()
        else:
            await asyncio.sleep(0.005)

    def _change(self, what: str, name: str) -> None:
        objects = self.fake.objects
        there = objects.get("pods", name)
        if what == "add" and there is None:
            objects.add("pods", pod_body(name, app="va"))
        elif what == "run" and there is not None:
            self.fake.run(name, f"10.0.0.{objects.version % 250}")
        elif what == "remove" and there is not None:
            self.removed.add(there["metadata"]["uid"])
            objects.remove("pods", name)
        elif what == "unlabel" and there is not None:
            was = there["metadata"]["labels"]["app"]
            label = "no" if was == "va" else "va"
            objects.change("pods", name, lambda it: put_label(it, "app", label))

    def truth(self) -> dict[str, object]:
        """What the copy should hold."""
        pods = self.fake.objects.all("pods")
        mine = [each for each in pods if each["metadata"]["labels"]["app"] == "va"]
        return {each["metadata"]["uid"]: pod_view(each) for each in mine}


def check(history: History, copy: Copy, ever: set[str]) -> None:
    """Nothing that was ever there is lost sight of."""
    reflector = copy.reflector
    for uid in ever - set(reflector.objects):
        seen = reflector.last_seen(uid)
        assert seen is not None
        assert seen.state is not State.PRESENT
    if reflector.counts["list"] == 1:  # without a gap, every end was seen itself
        ends = {uid: reflector.last_seen(uid) for uid in history.removed}
        assert all(seen is not None and seen.state is State.DELETED for seen in ends.values())


async def follow(steps: list[tuple[str, object]], folder: Path) -> None:
    """Takes the steps while a copy is kept, then looks whether it is right."""
    async with FakeCluster() as fake:
        cluster = await Cluster.open("va", fake.kubeconfig(folder))
        history, ever = History(fake), set[str]()
        async with reflecting(cluster, page=2) as copy:
            await copy.synced()
            for what, with_ in steps:
                await history.take(what, with_)
                ever |= set(copy.reflector.objects)
            fake.faults.clear()
            fake.server.break_watches()
            fake.objects.add("pods", pod_body("end", app="va"))  # seen: all before it was, too
            await eventually(lambda: dict(copy.reflector.objects) == history.truth())
            check(history, copy, ever)
        await cluster.close()


@settings(max_examples=40)
@given(st.lists(STEPS, max_size=40))
def test_the_copy_equals_the_cluster_in_the_end(steps: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(follow(steps, Path(folder)))
