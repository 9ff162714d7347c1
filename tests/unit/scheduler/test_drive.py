"""The calls of a leader to one worker."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from tests.fakes.bench import LEASE_SECONDS, QUICK, Clock, calls_end
from tests.fakes.rows import BROKE
from tests.fakes.worker_client import FakeWorker, FakeWorkerClient
from videoannotator.domain.errors import (
    Conflict,
    InvalidRequest,
    NotLeader,
    Stopped,
    Unauthenticated,
    VideoAnnotatorError,
    WorkerUnreachable,
)
from videoannotator.domain.failures import Code
from videoannotator.domain.jobs import AttemptOutcome, Progress
from videoannotator.domain.videos import Probe
from videoannotator.rpc.work import Accepted, Assignment, Completed, LogLine
from videoannotator.scheduler.drive import Drive
from videoannotator.scheduler.inbox import Answered, Finished, Inbox, Message, Moved, Opened, Said
from videoannotator.scheduler.lease import Lease
from videoannotator.scheduler.observed import Ended

COMPLETED = Completed(manifest_sha256="0")
ASSIGNMENT = Assignment(
    run_id="r",
    attempt=1,
    pipeline="p",
    video_id="v",
    path="/v",
    sha256="0",
    size_bytes=1,
    directory="/d",
)


async def assign() -> Assignment:
    """The same assignment for each call."""
    return ASSIGNMENT


class Line:
    """A drive, its worker, and what was heard."""

    def __init__(self) -> None:
        self.worker = FakeWorker()
        self.client = FakeWorkerClient(self.worker)
        self.clock = Clock()
        self.lease = Lease(2, LEASE_SECONDS, self.clock(), self.clock)
        self.inbox = Inbox()
        self.drive = Drive("w1", self.client, self.lease, self.inbox, QUICK)  # type: ignore[arg-type]
        self.heard: list[Message] = []

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits until it is so; the test fails when that never comes."""
        async with asyncio.timeout(20):
            while not true():
                self.heard += self.inbox.take()
                await asyncio.sleep(0.002)

    async def hears(self, kind: type[Message], count: int = 1) -> Message:
        """The first message of a kind, once there are so many."""

        def enough() -> bool:
            return sum(isinstance(one, kind) for one in self.heard) >= count

        await self.until(enough)
        return next(one for one in self.heard if isinstance(one, kind))

    def count(self, call: str) -> int:
        """How often the worker was called so."""
        return self.worker.calls.count(call)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line()
    yield made
    await made.drive.close()


async def test_describe_is_repeated_until_the_worker_answers(line: Line) -> None:
    line.worker.silent = True
    line.drive.describe("p1")
    await line.until(lambda: line.count("Describe") >= 2)
    assert line.heard == []

    line.worker.silent = False

    assert await line.hears(Answered) == Answered(worker_id="w1", described_by="p1")


async def test_who_answers_under_another_name_is_not_our_worker(line: Line) -> None:
    line.worker.worker_id = "stranger"
    line.drive.describe("p1")

    await line.until(lambda: line.count("Describe") >= 3)

    assert line.heard + line.inbox.take() == []


async def test_what_the_worker_tells_comes_through_up_to_its_last_message(line: Line) -> None:
    probe = Probe(container="mp4", duration_seconds=9)
    line.worker.told = [Accepted(probe=probe)]
    line.drive.attach(assign)
    await line.hears(Opened)
    progress = Progress(stage="work", position_seconds=3)
    for event in (progress, LogLine(level="info", message="hello"), COMPLETED):
        line.worker.tell(event)

    finished = await line.hears(Finished)

    assert finished == Finished(worker_id="w1", ended=Ended(outcome=AttemptOutcome.COMPLETED))
    told = [one for one in line.heard if not isinstance(one, Answered)]
    assert told == [
        Opened(worker_id="w1", probe=probe),
        Moved(worker_id="w1", progress=progress),
        Said(worker_id="w1", level="info", text="hello"),
        finished,
    ]


async def test_addresses_that_end_are_replaced_by_the_same_call_again(line: Line) -> None:
    given = (replace(ASSIGNMENT, url=f"http://s3/{number}") for number in itertools.count(1))
    line.worker.told = [Accepted(probe=Probe(container="mp4", duration_seconds=9))]

    async def assign() -> Assignment:
        return next(given)

    line.drive.attach(assign, renewed_every_seconds=0.01)
    await line.until(lambda: line.count("Annotate") >= 4)
    line.worker.tell(COMPLETED)
    await line.hears(Finished)

    urls = [each.url for each in line.worker.assignments]
    assert urls == [f"http://s3/{number}" for number in range(1, len(urls) + 1)]
    assert len(line.worker.streams) <= 1, "a stream that was replaced is closed"
    # Told once: every attach tells it again, and a worker that hangs would seem to move.
    assert sum(isinstance(one, Opened) for one in line.heard) == 1


async def test_a_video_that_could_not_be_opened_is_no_probe(line: Line) -> None:
    line.worker.told = [Accepted(probe=None), BROKE]
    line.drive.attach(assign)

    finished = await line.hears(Finished)

    ended = Ended(outcome=AttemptOutcome.FAILED, failure=BROKE)
    assert finished == Finished(worker_id="w1", ended=ended)
    assert not any(isinstance(one, Opened) for one in line.heard)


async def test_after_a_lost_stream_it_attaches_again_and_tells_no_line_twice(line: Line) -> None:
    line.drive.attach(assign)
    await line.until(lambda: bool(line.worker.streams))
    line.worker.tell(LogLine(level="info", message="once"))
    await line.hears(Said)

    line.worker.cut()
    await line.until(lambda: line.count("Annotate") == 2 and bool(line.worker.streams))
    line.worker.tell(COMPLETED)

    await line.hears(Finished)
    assert sum(isinstance(one, Said) for one in line.heard) == 1


async def test_what_ended_while_nobody_listened_is_heard_at_the_next_call(line: Line) -> None:
    line.drive.attach(assign)
    await line.until(lambda: bool(line.worker.streams))
    line.worker.silent = True
    line.worker.cut()
    await line.until(lambda: line.count("Annotate") >= 3)
    line.worker.told.append(COMPLETED)

    line.worker.silent = False

    await line.hears(Finished)


@pytest.mark.parametrize(
    "refusal", [InvalidRequest("No such parameter.", hint="Look."), Conflict("Another attempt.")]
)
async def test_a_worker_that_refuses_the_request_has_ended_it(
    line: Line, refusal: VideoAnnotatorError
) -> None:
    line.worker.refusal = refusal
    line.drive.attach(assign)

    finished = await line.hears(Finished)

    assert isinstance(finished, Finished)
    assert finished.ended.outcome is AttemptOutcome.FAILED
    assert finished.ended.failure is not None
    assert finished.ended.failure.code is Code.REQUEST_ERROR
    assert finished.ended.failure.message == refusal.message
    await line.until(lambda: line.count("KeepAlive") >= 4)
    assert line.count("Annotate") == 1


@pytest.mark.parametrize("refusal", [NotLeader(), Stopped()])
async def test_a_worker_that_serves_another_or_stops_is_not_asked_again(
    line: Line, refusal: VideoAnnotatorError
) -> None:
    line.worker.refusal = refusal
    line.drive.attach(assign)

    await line.until(lambda: line.count("KeepAlive") >= 4)

    assert line.count("Annotate") == 1
    assert not any(isinstance(one, Finished) for one in line.heard)


@pytest.mark.parametrize("refusal", [Unauthenticated(), WorkerUnreachable()])
async def test_any_other_answer_is_tried_again(line: Line, refusal: VideoAnnotatorError) -> None:
    line.worker.refusal = refusal
    line.drive.attach(assign)

    await line.until(lambda: line.count("Annotate") >= 3)

    assert not any(isinstance(one, Finished) for one in line.heard)


async def test_keep_alive_is_repeated_from_the_attach_on_also_when_it_was_not_answered(
    line: Line,
) -> None:
    line.drive.attach(assign)
    await line.until(lambda: line.count("KeepAlive") >= 2)
    line.worker.silent = True
    asked = line.count("KeepAlive")

    await line.until(lambda: line.count("KeepAlive") >= asked + 2)

    assert line.worker.epoch == 2


async def test_a_worker_that_has_seen_a_later_leader_is_left_alone(line: Line) -> None:
    line.worker.epoch = 3
    line.drive.describe("p1")
    line.drive.attach(assign)

    await calls_end()

    assert sorted(line.worker.calls) == ["Annotate", "Describe", "KeepAlive"]


async def test_nothing_is_sent_once_the_lease_is_over(line: Line) -> None:
    line.clock.seconds += LEASE_SECONDS
    line.drive.describe("p1")
    line.drive.attach(assign)
    await calls_end()
    await line.drive.stop("the run has ended")

    assert line.worker.calls == []


async def test_calls_under_way_end_with_the_lease(line: Line) -> None:
    line.worker.refusal = WorkerUnreachable()
    line.drive.attach(assign)
    await line.until(lambda: line.count("KeepAlive") >= 1 and line.count("Annotate") >= 1)

    line.clock.seconds += LEASE_SECONDS
    calls = list(line.worker.calls)
    await calls_end()

    assert line.worker.calls == calls


async def test_stop_asks_once_and_calls_no_more(line: Line) -> None:
    line.drive.attach(assign)
    await line.until(lambda: bool(line.worker.streams))

    await line.drive.stop("NO_PROGRESS")
    calls = list(line.worker.calls)
    await calls_end()

    assert line.worker.stopped_for == "NO_PROGRESS"
    assert calls[-1] == "Stop"
    assert line.worker.calls == calls
    assert line.worker.streams == set()


async def test_a_worker_that_does_not_answer_stop_stops_nothing_else(line: Line) -> None:
    line.worker.silent = True

    await line.drive.stop("NO_PROGRESS")

    assert line.worker.calls == ["Stop"]


async def test_close_ends_the_calls_and_leaves_the_worker_at_work(line: Line) -> None:
    line.drive.attach(assign)
    await line.until(lambda: bool(line.worker.streams))

    await line.drive.close()

    assert line.client.closed
    assert line.worker.streams == set()
    assert line.worker.stopped_for is None
