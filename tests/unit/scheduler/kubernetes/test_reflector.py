"""A copy of a cluster's objects, while all goes well."""

from tests.fakes.kube.bodies import job_body, pod_body
from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.objects import Body
from tests.fakes.kube.pace import eventually
from tests.fakes.kube.reflecting import put_label, reflecting
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.reflector import job_reflector
from videoannotator.scheduler.launchers.kubernetes.sightings import State


def pod(fake: FakeCluster, name: str) -> Body:
    """A pod that the selector of these tests takes."""
    return fake.objects.add("pods", pod_body(name, app="va"))


async def test_what_is_there_is_copied_page_by_page(fake: FakeCluster, cluster: Cluster) -> None:
    for number in range(7):
        pod(fake, f"p{number}")
    fake.objects.add("pods", {"metadata": {"name": "stranger"}})

    async with reflecting(cluster, page=3) as copy:
        await copy.synced()

        assert copy.names() == {f"p{number}" for number in range(7)}
        assert fake.count("list-pods") == 3


async def test_every_change_is_followed_by_one_list_and_one_watch(
    fake: FakeCluster, cluster: Cluster
) -> None:
    async with reflecting(cluster) as copy:
        await copy.synced()
        pod(fake, "a")
        pod(fake, "b")
        fake.place("a")
        fake.run("a", "10.0.0.7")
        fake.objects.remove("pods", "b")
        await eventually(lambda: copy.names() == {"a"} and copy.pod("a").phase == "Running")

        assert copy.pod("a").pod_ip == "10.0.0.7"
        assert (fake.count("list-pods"), fake.count("watch-pods")) == (1, 1)


async def test_the_copy_says_what_a_deleted_pod_was_at_last_until_it_is_forgotten(
    fake: FakeCluster, cluster: Cluster
) -> None:
    uid = pod(fake, "a")["metadata"]["uid"]
    async with reflecting(cluster) as copy:
        await copy.synced()
        fake.place("a")
        fake.finish("a", 143)
        fake.objects.remove("pods", "a")
        await eventually(lambda: copy.names() == set())

        seen = copy.reflector.last_seen(uid)
        copy.reflector.forget(uid)

    assert seen is not None
    assert seen.state is State.DELETED
    assert seen.view.ended
    assert copy.reflector.last_seen(uid) is None


async def test_a_graceful_deletion_is_seen_in_all_its_steps(
    fake: FakeCluster, cluster: Cluster
) -> None:
    made = await cluster.create_job(job_body("j", app="va"))
    fake.place(fake.pod_of("j"))
    fake.kubelet_obeys = False
    async with reflecting(cluster) as copy:
        await copy.synced()
        (uid,) = copy.reflector.objects
        await cluster.delete_job("j", made.uid)
        await eventually(lambda: copy.reflector.objects[uid].deletion_timestamp)
        assert not copy.reflector.objects[uid].ended
        fake.find_node()
        await eventually(lambda: copy.names() == set())

        seen = copy.reflector.last_seen(uid)

    assert seen is not None
    assert (seen.state, seen.view.phase) == (State.DELETED, "Failed")


async def test_a_pod_whose_label_was_taken_off_is_gone_but_never_ended(
    fake: FakeCluster, cluster: Cluster
) -> None:
    uid = pod(fake, "a")["metadata"]["uid"]
    async with reflecting(cluster) as copy:
        await copy.synced()
        fake.run("a")
        fake.objects.change("pods", "a", lambda it: put_label(it, "app", "no"))
        await eventually(lambda: copy.names() == set())

        seen = copy.reflector.last_seen(uid)
        assert seen is not None
        assert (seen.state, seen.view.ended) == (State.DELETED, False)

        fake.objects.change("pods", "a", lambda it: put_label(it, "app", "va"))
        await eventually(lambda: copy.names() == {"a"})
        assert dict(copy.reflector.departed) == {}


async def test_two_objects_of_one_name_are_two(fake: FakeCluster, cluster: Cluster) -> None:
    first = pod(fake, "a")["metadata"]["uid"]
    async with reflecting(cluster) as copy:
        await copy.synced()
        fake.objects.remove("pods", "a")
        second = pod(fake, "a")["metadata"]["uid"]
        await eventually(lambda: second in copy.reflector.objects)

        assert set(copy.reflector.objects) == {second}
        assert set(copy.reflector.departed) == {first}


async def test_the_bell_rings_for_what_is_kept_and_for_nothing_else(
    fake: FakeCluster, cluster: Cluster
) -> None:
    pod(fake, "a")
    async with reflecting(cluster) as copy:
        await copy.synced()
        rung = copy.rung
        fake.objects.change("pods", "a", lambda it: it["metadata"].update(managedFields=[{}]))
        fake.server.bookmark()
        await eventually(lambda: copy.reflector.counts["event"] == 1)
        assert copy.rung == rung

        fake.run("a")
        await eventually(lambda: copy.rung == rung + 1)


async def test_kubernetes_jobs_are_copied_too(fake: FakeCluster, cluster: Cluster) -> None:
    reflector = job_reflector(cluster, "app=va", lambda: None)
    reflector.start()
    await reflector.until_synced()
    made = await cluster.create_job(job_body("j", app="va"))
    fake.finish(fake.pod_of("j"), 0)
    await eventually(lambda: any(each.finished for each in reflector.objects.values()))

    assert reflector.objects[made.uid].succeeded == 1
    await reflector.close()


async def test_two_hundred_quiet_objects_cost_no_request(
    fake: FakeCluster, cluster: Cluster
) -> None:
    for number in range(200):
        pod(fake, f"p{number}")
    async with reflecting(cluster) as copy:
        await copy.synced()
        for minute in range(60):
            copy.pace.now += 60.0
            fake.server.bookmark()
            await eventually(lambda now=copy.pace.now: copy.reflector.synced_at == now)
            assert copy.reflector.fresh(copy.pace.now), minute

        assert (fake.count("list-pods"), fake.count("watch-pods")) == (1, 1)
        assert copy.pace.pauses == []
        assert copy.reflector.gapless_since == 1000.0


async def test_a_copy_that_hears_nothing_is_stale_after_two_minutes(
    fake: FakeCluster, cluster: Cluster
) -> None:
    async with reflecting(cluster) as copy:
        assert not copy.reflector.fresh(copy.pace.now)
        await copy.synced()

        assert copy.reflector.fresh(copy.pace.now + 120.0)
        assert not copy.reflector.fresh(copy.pace.now + 120.1)


async def test_it_has_seen_all_only_up_to_what_it_has_heard(
    fake: FakeCluster, cluster: Cluster
) -> None:
    async with reflecting(cluster) as copy:
        reflector, pace = copy.reflector, copy.pace
        assert not reflector.saw_all(1000.0, 1000.0)
        await copy.synced()
        pace.now = 1080.0

        assert reflector.saw_all(1000.0, 1000.0)
        assert not reflector.saw_all(999.0, 1000.0)
        assert not reflector.saw_all(1000.0, 1080.0)

        fake.server.bookmark()
        await eventually(lambda: reflector.saw_all(1000.0, 1080.0))


async def test_nobody_can_write_to_the_copy(cluster: Cluster) -> None:
    async with reflecting(cluster) as copy:
        assert not hasattr(copy.reflector.objects, "__setitem__")
        assert not hasattr(copy.reflector.departed, "__setitem__")


async def test_closing_ends_its_task_and_keeps_the_copy(
    fake: FakeCluster, cluster: Cluster
) -> None:
    pod(fake, "a")
    async with reflecting(cluster) as copy:
        await copy.synced()
        assert copy.reflector.alive

        await copy.reflector.close()
        await copy.reflector.close()

        assert not copy.reflector.alive
        assert copy.names() == {"a"}
