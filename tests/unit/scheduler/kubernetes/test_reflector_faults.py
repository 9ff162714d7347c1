"""A copy of a cluster's objects, whatever goes wrong."""

from pathlib import Path

import pytest

from tests.fakes.kube import faults
from tests.fakes.kube.bodies import pod_body
from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.kube.faults import (
    FOREVER,
    Close,
    Drop,
    ErrorLine,
    Fault,
    Garbage,
    Hold,
    Padded,
    Pieces,
    Refuse,
    Silence,
)
from tests.fakes.kube.objects import Body
from tests.fakes.kube.pace import Pace, eventually
from tests.fakes.kube.reflecting import Copy, reflecting
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.sightings import State
from videoannotator.scheduler.launchers.kubernetes.watching import Timing

MEBIBYTE = 1 << 20
ERROR_LINE = ErrorLine(code=500, reason="InternalError")


def pod(fake: FakeCluster, name: str) -> Body:
    """A pod that the selector of these tests takes."""
    return fake.objects.add("pods", pod_body(name, app="va"))


def asked(fake: FakeCluster) -> tuple[int, int]:
    """Lists and watches so far."""
    return fake.count("list-pods"), fake.count("watch-pods")


async def sees(copy: Copy, *names: str) -> None:
    """Waits until exactly these pods are there."""
    await eventually(lambda: copy.names() == set(names))


@pytest.mark.parametrize("fault", [faults.GONE, ErrorLine()], ids=["status", "event"])
async def test_a_lost_place_leads_to_one_new_list(
    fake: FakeCluster, cluster: Cluster, fault: Fault
) -> None:
    uid = pod(fake, "a")["metadata"]["uid"]
    async with reflecting(cluster) as copy:
        await copy.synced()
        fake.faults.add("watch-pods", fault)
        fake.server.break_watches()
        fake.objects.remove("pods", "a")
        pod(fake, "b")
        await sees(copy, "b")
        await eventually(lambda: asked(fake) == (2, 3))

        seen = copy.reflector.last_seen(uid)
        since = copy.reflector.gapless_since

    assert seen is not None
    assert seen.state is State.VANISHED
    assert copy.reflector.counts["expired"] == 1
    assert since is not None
    assert since > 1000.0  # what came and went before the new list may have been missed


async def test_while_the_place_is_lost_there_is_a_gap(fake: FakeCluster, cluster: Cluster) -> None:
    async with reflecting(cluster) as copy:
        await copy.synced()
        hold = Hold()
        fake.faults.add("watch-pods", faults.GONE)
        fake.faults.add("list-pods", hold)
        fake.server.break_watches()
        await eventually(lambda: fake.count("list-pods") == 2)

        assert copy.reflector.gapless_since is None
        assert not copy.reflector.saw_all(copy.pace.now, 0.0)
        hold.release()
        await eventually(lambda: copy.reflector.gapless_since is not None)


async def test_a_history_that_was_really_dropped(fake: FakeCluster, cluster: Cluster) -> None:
    async with reflecting(cluster) as copy:
        await copy.synced()
        await fake.server.stop()
        pod(fake, "a")
        fake.objects.compact()
        await fake.server.start()
        await sees(copy, "a")

    assert copy.reflector.counts["list"] == 2


async def test_a_list_whose_later_pages_are_lost_starts_again(
    fake: FakeCluster, cluster: Cluster
) -> None:
    hold = Hold()
    for number in range(5):
        pod(fake, f"p{number}")
    fake.faults.add("list-pods", Pieces())  # means nothing for a list: the first page passes
    fake.faults.add("list-pods", hold)
    async with reflecting(cluster, page=2) as copy:
        await eventually(lambda: fake.count("list-pods") == 2)
        fake.objects.remove("pods", "p0")
        fake.objects.compact()
        hold.release()

        await sees(copy, "p1", "p2", "p3", "p4")
        assert fake.count("list-pods") == 4


@pytest.mark.parametrize(
    "fault",
    [faults.BROKEN, Refuse(status=503), Drop(), Close(), Garbage(), ERROR_LINE],
    ids=["500", "503", "dropped", "closed", "garbage", "error event"],
)
async def test_a_watch_that_fails_goes_on_where_it_was_and_misses_nothing(
    fake: FakeCluster, cluster: Cluster, fault: Fault
) -> None:
    uid = pod(fake, "a")["metadata"]["uid"]
    async with reflecting(cluster) as copy:
        await copy.synced()
        fake.faults.add("watch-pods", fault)
        fake.server.break_watches()
        fake.objects.remove("pods", "a")
        pod(fake, "b")
        await sees(copy, "b")

        seen = copy.reflector.last_seen(uid)

    assert seen is not None
    assert seen.state is State.DELETED
    assert fake.count("list-pods") == 1
    assert copy.reflector.gapless_since == 1000.0
    assert len(copy.pace.pauses) == 2


async def test_a_place_that_only_errors_is_given_up_for_a_list(
    fake: FakeCluster, cluster: Cluster
) -> None:
    async with reflecting(cluster) as copy:
        await copy.synced()
        fake.faults.add("watch-pods", faults.BROKEN, times=6)
        fake.server.break_watches()
        await eventually(lambda: asked(fake) == (2, 8))
        pod(fake, "a")
        await sees(copy, "a")


@pytest.mark.parametrize(
    "fault",
    [faults.BROKEN, faults.BUSY, Drop(), faults.NO_RIGHT],
    ids=["500", "429", "drop", "403"],
)
async def test_a_list_that_fails_is_repeated(
    fake: FakeCluster, cluster: Cluster, fault: Fault
) -> None:
    pod(fake, "a")
    fake.faults.add("list-pods", fault, times=2)

    async with reflecting(cluster) as copy:
        await sees(copy, "a")

    assert fake.count("list-pods") == 3
    assert len(copy.pace.pauses) >= 1


@pytest.mark.parametrize("kind", ["list-pods", "watch-pods"])
async def test_the_server_is_obeyed_when_it_asks_for_a_pause(
    fake: FakeCluster, cluster: Cluster, kind: str
) -> None:
    fake.faults.add(kind, Refuse(status=429, retry_after_seconds=77))

    async with reflecting(cluster) as copy:
        await copy.synced()
        pod(fake, "a")
        await sees(copy, "a")

    assert copy.pace.pauses == [77.0]


async def test_a_watch_that_ends_after_its_time_costs_no_pause_and_no_list(
    fake: FakeCluster, cluster: Cluster
) -> None:
    async with reflecting(cluster) as copy:
        await copy.synced()
        for turn in range(2, 6):
            copy.pace.now += 270.0
            fake.server.close_watches()
            await eventually(lambda turn=turn: copy.reflector.counts["opened"] == turn)
        pod(fake, "a")
        await sees(copy, "a")

    assert copy.pace.pauses == []
    assert asked(fake) == (1, 5)
    assert copy.reflector.gapless_since == 1000.0


async def test_a_silent_path_is_left_and_nothing_is_missed(
    fake: FakeCluster, cluster: Cluster
) -> None:
    uid = pod(fake, "a")["metadata"]["uid"]
    fake.faults.add("watch-pods", Silence())

    async with reflecting(cluster, timing=Timing(idle_seconds=1.0)) as copy:
        await copy.synced()
        fake.objects.remove("pods", "a")
        pod(fake, "b")
        await sees(copy, "b")

        seen = copy.reflector.last_seen(uid)
        assert copy.reflector.counts["silent"] == 1

    assert seen is not None
    assert seen.state is State.DELETED
    assert copy.reflector.gapless_since == 1000.0


async def test_a_cluster_that_was_set_back_is_listed_when_its_watches_say_nothing(
    fake: FakeCluster, cluster: Cluster
) -> None:
    for number in range(20):
        pod(fake, f"old{number}")
    async with reflecting(cluster, timing=Timing(idle_seconds=0.2)) as copy:
        await copy.synced()
        fake.server.break_watches()
        fake.objects.set_back()  # as from a backup: nothing but a lower place to count from
        pod(fake, "new")
        await sees(copy, "new")

    assert copy.reflector.counts["silent"] >= 2
    assert {seen.state for seen in copy.reflector.departed.values()} == {State.VANISHED}


async def test_a_bookmark_moves_our_place_in_the_history(
    fake: FakeCluster, cluster: Cluster
) -> None:
    async with reflecting(cluster) as copy:
        await copy.synced()
        first = fake.objects.version
        fake.objects.add("pods", pod_body("stranger"))  # moves the history of others
        copy.pace.now += 100.0
        fake.server.bookmark()
        await eventually(lambda: copy.reflector.synced_at == copy.pace.now)
        fake.server.break_watches()
        await eventually(lambda: fake.count("watch-pods") == 2)

        places = [e.query["resourceVersion"] for e in fake.requests if e.kind == "watch-pods"]
        assert places == [str(first), str(first + 1)]


async def test_until_a_slow_list_is_whole_nothing_is_fresh(
    fake: FakeCluster, cluster: Cluster
) -> None:
    hold = Hold()
    pod(fake, "a")
    fake.faults.add("list-pods", hold)

    async with reflecting(cluster) as copy:
        await eventually(lambda: fake.count("list-pods") == 1)
        assert copy.reflector.synced_at is None
        assert not copy.reflector.fresh(copy.pace.now)
        hold.release()
        await sees(copy, "a")


async def test_lines_may_come_in_pieces(fake: FakeCluster, cluster: Cluster) -> None:
    fake.faults.add("watch-pods", Pieces(size_bytes=7))

    async with reflecting(cluster) as copy:
        await copy.synced()
        pod(fake, "a")
        pod(fake, "ü-ö-ä")
        await sees(copy, "a", "ü-ö-ä")

    assert copy.pace.pauses == []


async def test_lines_of_several_mebibytes_are_read(fake: FakeCluster, cluster: Cluster) -> None:
    fake.faults.add("watch-pods", Padded(size_bytes=7 * MEBIBYTE))

    async with reflecting(cluster) as copy:
        await copy.synced()
        pod(fake, "a")
        await sees(copy, "a")

    assert copy.pace.pauses == []


async def test_a_line_without_end_is_left(fake: FakeCluster, cluster: Cluster) -> None:
    fake.faults.add("watch-pods", Padded(size_bytes=9 * MEBIBYTE))

    async with reflecting(cluster) as copy:
        await copy.synced()
        pod(fake, "a")
        await sees(copy, "a")

    assert copy.reflector.counts["refused"] == 1


async def test_a_new_token_is_used_when_the_old_one_is_refused(
    fake: FakeCluster, cluster: Cluster, tmp_path: Path
) -> None:
    async with reflecting(cluster) as copy:
        await copy.synced()
        fake.server.tokens = {"new"}
        fake.kubeconfig(tmp_path, token="new")
        fake.server.break_watches()
        pod(fake, "a")
        await sees(copy, "a")

    assert [e.token for e in fake.requests if e.kind == "watch-pods"] == ["secret", "secret", "new"]
    assert fake.count("list-pods") == 1


async def test_a_server_that_is_restarted_is_found_again(
    fake: FakeCluster, cluster: Cluster
) -> None:
    async with reflecting(cluster) as copy:
        await copy.synced()
        await fake.server.stop()
        pod(fake, "a")
        await eventually(lambda: copy.reflector.counts["broken"] > 3)
        assert "operator" in copy.reflector.trouble
        await fake.server.start()
        await sees(copy, "a")

    assert fake.count("list-pods") == 1
    assert copy.reflector.trouble == ""


async def test_a_missing_right_is_told_with_what_to_do(fake: FakeCluster, cluster: Cluster) -> None:
    fake.faults.add("list-pods", faults.NO_RIGHT, times=3)
    pace = Pace()
    pace.most = 2

    async with reflecting(cluster, pace=pace) as copy:
        await eventually(lambda: fake.count("list-pods") == 3)
        await eventually(lambda: "Role of the chart" in copy.reflector.trouble)

        assert 'cannot create resource "jobs"' in copy.reflector.trouble
        assert not copy.reflector.fresh(copy.pace.now)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("list-pods", faults.BROKEN),
        ("list-pods", Drop()),
        ("watch-pods", faults.BROKEN),
        ("watch-pods", faults.GONE),
        ("watch-pods", ErrorLine()),
        ("watch-pods", Close()),
        ("watch-pods", Drop()),
        ("watch-pods", Garbage()),
    ],
    ids=[
        "list 500",
        "list dropped",
        "watch 500",
        "watch 410",
        "watch 410 event",
        "watch closed",
        "watch dropped",
        "watch garbage",
    ],
)
async def test_a_fault_that_stays_costs_few_requests(
    fake: FakeCluster, cluster: Cluster, kind: str, fault: Fault
) -> None:
    fake.faults.add(kind, fault, times=FOREVER)
    pace = Pace(fraction=0.0)  # the shortest pauses that chance can draw
    pace.most = 20

    async with reflecting(cluster, pace=pace):
        await eventually(lambda: len(pace.pauses) > pace.most)

    assert pace.pauses[:7] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert pace.now - 1000.0 == sum(pace.pauses[:20]) == 240.5  # in four minutes:
    assert max(asked(fake)) <= 22
