"""SchedulerService: wake the loop, and read queue and capacity from its last look."""

from dataclasses import dataclass, replace
from datetime import datetime

import grpc
import pytest

from tests.fakes.rows import NOW, POLICY, a_job, a_run, abandoned, ago, at, wanting
from videoannotator.domain.jobs import RunState, WorkerState
from videoannotator.rpc.queue import Queue, queue_from
from videoannotator.scheduler.servicer import (
    SchedulerServicer,
    since,
    slots,
    waiting_runs,
)
from videoannotator.store.rows import JobRows
from videoannotator.v1 import scheduler_pb2


@dataclass
class Look:
    """The last look of a loop."""

    rows: tuple[JobRows, ...] = ()
    draining: bool = False
    ticked_at: datetime | None = NOW
    epoch: int = 7
    trouble: str = ""


class Aborted(Exception):
    """The call was ended with a status."""


class Context:
    """One call, as a servicer sees it."""

    code: grpc.StatusCode | None = None

    async def abort(self, code: grpc.StatusCode, *_: object, **__: object) -> None:
        self.code = code
        raise Aborted


def servicer(look: Look | None, woken: list[str] | None = None) -> SchedulerServicer:
    bells = [] if woken is None else woken
    return SchedulerServicer(lambda: bells.append("woken"), lambda: look, POLICY)


async def queue_of(look: Look) -> Queue:
    return queue_from(await servicer(look).GetQueue(scheduler_pb2.GetQueueRequest(), Context()))


async def test_wake_rings_the_bell_also_of_a_standby() -> None:
    woken: list[str] = []

    await servicer(None, woken).Wake(scheduler_pb2.WakeRequest(), Context())

    assert woken == ["woken"]


@pytest.mark.parametrize("look", [None, Look(ticked_at=None)], ids=["standby", "not looked yet"])
async def test_who_has_not_looked_says_that_another_is_to_be_asked(look: Look | None) -> None:
    context = Context()

    with pytest.raises(Aborted):
        await servicer(look).GetQueue(scheduler_pb2.GetQueueRequest(), context)

    assert context.code is grpc.StatusCode.FAILED_PRECONDITION


async def test_the_answer_tells_limits_and_whose_look_it_is() -> None:
    answer = await queue_of(Look(draining=True, trouble="a stale watch"))

    assert (answer.max_workers, answer.max_gpu_workers) == (2, 2)
    assert (answer.epoch, answer.draining) == (7, True)
    assert (answer.ticked_at, answer.trouble) == (NOW, "a stale watch")
    assert (answer.waiting, answer.slots) == ((), ())


def test_waiting_runs_are_told_in_their_order_with_the_reason() -> None:
    second = a_job(a_run("b", queue_position=2, waiting_reason="a slot"), owner_id="bob")
    first = a_job(a_run("a", queue_position=1, waiting_reason="a GPU"))
    new = a_job(a_run("c"))
    stopping = wanting(a_job(a_run("d", queue_position=3)), cancel=True)

    told = waiting_runs((new, second, first, stopping, at("at work", "e")))

    assert [(run.run_id, run.position, run.reason) for run in told] == [
        ("ar0", 1, "a GPU"),
        ("br0", 2, "a slot"),
        ("cr0", 0, ""),
    ]
    assert [(run.job_id, run.owner_id, run.pipeline) for run in told][1] == ("b", "bob", "p")


def test_slots_are_told_from_the_oldest_on_with_what_holds_them() -> None:
    old = at("given up", "a", created_at=ago(500), unproven_since=ago(3))
    new = at("at work", "b")

    told = slots((new, old, abandoned(at("given up", "c")), at("gone", "d"), at("waiting", "e")))

    assert [(slot.worker_id, slot.state, slot.pipeline) for slot in told] == [
        ("ar0w1", "stopping", "p"),
        ("br0w1", "up", "p"),
    ]
    assert told[0].unproven_since == ago(3)
    assert told[1].unproven_since is None
    assert told[0].since == ago(10)


@pytest.mark.parametrize(
    ("state", "moment"),
    [
        (WorkerState.LAUNCHING, ago(90)),
        (WorkerState.UP, ago(80)),
        (WorkerState.STOPPING, ago(10)),
    ],
)
def test_a_worker_is_in_its_state_since_it_came_into_it(
    state: WorkerState, moment: datetime
) -> None:
    (worker,) = at("given up").workers

    assert since(replace(worker, state=state)) == moment


def test_a_run_that_shall_not_wait_is_not_told() -> None:
    states = [state for state in RunState if state is not RunState.PENDING]
    runs = [a_run(position=place, state=state) for place, state in enumerate(states)]

    assert waiting_runs((a_job(*runs),)) == []
