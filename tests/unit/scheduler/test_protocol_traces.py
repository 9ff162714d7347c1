"""Traces through the simulated world that chance alone would hardly find."""

import pytest

from tests.fakes.world import BACKSTOP, GRACE, LATE, MARGIN, Leader, Pod, World
from videoannotator.domain.jobs import RunState, Worker, WorkerState


@pytest.fixture
def world() -> World:
    """A world with one leader and one job whose create is recorded and not sent yet."""
    made = World()
    made.take_over()
    made.pass_time(60)
    made.submit(1)
    for _ in range(2):
        made.tick(leader(made))
        made.pass_time(1)
    return made


def leader(world: World) -> Leader:
    """The one that leads."""
    return world.leaders[-1]


def the_pod(world: World) -> Pod:
    """The only pod that was ever made."""
    (pod,) = world.pods.values()
    return pod


def the_worker(world: World) -> Worker:
    """The only worker."""
    (worker,) = world.jobs["j1"].workers
    return worker


def vanish(world: World) -> None:
    """Somebody deletes everything by force, and nobody reaches the node: the process runs on."""
    world.kubelet()
    pod = the_pod(world)
    pod.cut, pod.object, pod.parent = True, False, False


def cancelled_after(world: World, seconds: float, step: float = 5.0) -> None:
    """The job is cancelled, and time passes; no promise is broken meanwhile."""
    world.want("j1", cancel_requested_at=world.now)
    for _ in range(int(seconds / step)):
        world.tick(leader(world))
        world.check()
        world.pass_time(step)
    world.tick(leader(world))
    world.check()


def test_a_pod_that_came_and_vanished_while_nobody_saw_keeps_its_slot(world: World) -> None:
    world.blinded(leader(world), True)
    world.send_creates(leader(world))
    vanish(world)
    world.blinded(leader(world), False)

    cancelled_after(world, LATE + 20)
    held = the_worker(world).state
    cancelled_after(world, BACKSTOP + MARGIN, 50)
    cancelled_after(world, 10)  # the manifest is looked for

    assert held is WorkerState.STOPPING
    assert the_worker(world).state is WorkerState.GONE
    assert world.jobs["j1"].runs[0].state is RunState.CANCELLED


def test_a_pod_that_vanished_while_nobody_saw_is_in_doubt_until_its_own_rule_has_ended_it(
    world: World,
) -> None:
    world.send_creates(leader(world))
    world.kubelet()
    for _ in range(3):
        world.tick(leader(world))
        world.keep_alive(leader(world))
    world.blinded(leader(world), True)
    vanish(world)
    world.blinded(leader(world), False)

    cancelled_after(world, GRACE)
    held = the_worker(world)
    cancelled_after(world, MARGIN + 10)

    assert held.state is WorkerState.STOPPING
    assert held.unproven_since is not None
    assert the_worker(world).state is WorkerState.GONE


def test_while_nobody_sees_no_slot_becomes_free(world: World) -> None:
    world.send_creates(leader(world))
    world.kubelet()
    world.tick(leader(world))
    world.blinded(leader(world), True)
    vanish(world)

    cancelled_after(world, BACKSTOP + 2 * MARGIN, 50)
    blind = the_worker(world).state
    world.blinded(leader(world), False)
    cancelled_after(world, BACKSTOP + 2 * MARGIN, 50)

    assert blind is WorkerState.STOPPING
    assert the_worker(world).state is WorkerState.GONE
