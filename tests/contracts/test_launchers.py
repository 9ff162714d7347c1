"""What every launcher promises."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.kube.stage import KubernetesStage
from tests.fakes.stages import (
    BROKEN_VIDEO,
    NEVER_SECONDS,
    FakeStage,
    ProcessStage,
    Stage,
    look,
    stopping,
    until,
)
from videoannotator.domain.errors import InvalidRequest
from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers.interface import Launcher, Sight

StageMaker = Callable[[float], Awaitable[Stage]]
LAUNCHERS = ("process", "kubernetes", "fake")
#: Of those, whose creates never land late: a look can prove that nothing will ever start.
WITHOUT_LATE_CREATES = ("process", "fake")


async def make(kind: str, folder: Path, grace: float) -> Stage:
    """A stage whose launcher gives workers this grace."""
    if kind == "kubernetes":
        return await KubernetesStage(folder, grace).open()
    return ProcessStage(folder, grace) if kind == "process" else FakeStage(grace)


@pytest.fixture(params=LAUNCHERS)
async def make_stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StageMaker]:
    """Makes a stage whose launcher has the given grace."""
    made: list[Stage] = []

    async def maker(grace: float) -> Stage:
        made.append(await make(request.param, tmp_path, grace))
        return made[-1]

    yield maker
    for stage in made:
        await stage.close()


@pytest.fixture
async def stage(make_stage: StageMaker) -> Stage:
    """A launcher that kills as soon as it may."""
    return await make_stage(0.0)


async def until_seen(launcher: Launcher, worker: Worker, sight: Sight) -> None:
    """Waits until the worker is seen so."""

    async def seen() -> bool:
        return (await look(launcher, worker)).sight is sight

    await until(seen)


async def end(launcher: Launcher, worker: Worker) -> None:
    """Terminates the worker until it is gone."""

    async def gone() -> bool:
        await launcher.terminate(stopping(worker))
        return (await look(launcher, stopping(worker))).sight is Sight.GONE

    await until(gone)


async def test_what_was_never_created_is_unseen(stage: Stage) -> None:
    worker = stage.worker("obedient")

    seen = await look(stage.launcher, worker)

    assert seen.sight is Sight.UNSEEN


async def test_a_created_worker_is_alive_and_named(stage: Stage) -> None:
    worker = stage.worker("obedient")

    await stage.launcher.create(worker)
    await stage.until_working(worker)

    seen = await look(stage.launcher, worker)
    assert seen.sight is Sight.ALIVE
    assert seen.identity


async def test_a_repeated_create_finds_the_first(stage: Stage) -> None:
    worker = stage.worker("obedient")
    await stage.launcher.create(worker)
    await stage.until_working(worker)
    first = await look(stage.launcher, worker)

    await stage.launcher.create(worker)
    await (await stage.another()).create(worker)

    assert (await look(stage.launcher, worker)).identity == first.identity
    assert stage.starts(worker) == 1


async def test_another_launcher_sees_the_same_process(stage: Stage) -> None:
    worker = stage.worker("obedient")
    await stage.launcher.create(worker)
    await stage.until_working(worker)
    first = await look(stage.launcher, worker)
    await stage.launcher.close()

    seen = await look(await stage.another(), worker)

    assert seen == first


async def test_a_create_after_the_end_starts_nothing(stage: Stage) -> None:
    worker = stage.worker("quick")
    await stage.launcher.create(worker)
    await until_seen(stage.launcher, worker, Sight.GONE)

    await stage.launcher.create(worker)

    assert (await look(stage.launcher, worker)).sight is Sight.GONE
    assert stage.starts(worker) == 1


async def test_a_create_after_forget_starts_nothing(stage: Stage) -> None:
    worker = stage.worker("quick")
    await stage.launcher.create(worker)
    await until_seen(stage.launcher, worker, Sight.GONE)
    await stage.launcher.forget(worker.id)

    await stage.launcher.create(worker)

    assert (await look(stage.launcher, worker)).sight is Sight.GONE
    assert stage.starts(worker) == 1


@pytest.mark.parametrize("make_stage", WITHOUT_LATE_CREATES, indirect=True)
async def test_a_create_that_comes_after_the_proof_starts_nothing(stage: Stage) -> None:
    worker = stage.worker("obedient")

    proof = await look(stage.launcher, stopping(worker))
    await (await stage.another()).create(worker)

    assert proof.sight is Sight.GONE
    assert (await look(stage.launcher, stopping(worker))).sight is Sight.GONE
    assert stage.starts(worker) == 0


async def test_a_worker_that_was_seen_and_left_no_trace_proves_nothing(stage: Stage) -> None:
    worker = replace(stage.worker("obedient"), identity="1234@boot:5678")

    running = await look(stage.launcher, worker)
    ending = await look(stage.launcher, stopping(worker))

    assert (running.sight, ending.sight) == (Sight.UNKNOWN, Sight.UNKNOWN)


async def test_a_worker_ends_when_asked(make_stage: StageMaker) -> None:
    stage = await make_stage(NEVER_SECONDS)
    worker = stage.worker("obedient")
    await stage.launcher.create(worker)
    await stage.until_working(worker)

    await stage.launcher.terminate(stopping(worker))

    await until_seen(stage.launcher, stopping(worker), Sight.GONE)
    assert (await look(stage.launcher, stopping(worker))).failure is None


async def test_a_worker_that_does_not_want_to_end_has_its_grace(make_stage: StageMaker) -> None:
    stage = await make_stage(NEVER_SECONDS)
    worker = stopping(stage.worker("stubborn"))
    await stage.launcher.create(worker)
    await stage.until_working(worker)

    for _ in range(5):
        await stage.launcher.terminate(worker)

    assert (await look(stage.launcher, worker)).sight is Sight.ALIVE


async def test_a_worker_that_does_not_want_to_end_is_killed(make_stage: StageMaker) -> None:
    stage = await make_stage(0.3)
    worker = stopping(stage.worker("stubborn"))
    await stage.launcher.create(worker)
    await stage.until_working(worker)

    await stage.launcher.terminate(worker)
    within_grace = await look(stage.launcher, worker)
    await end(stage.launcher, worker)

    assert within_grace.sight is Sight.ALIVE
    assert stage.starts(worker) == 1


async def test_terminating_what_is_gone_or_never_was_does_nothing(stage: Stage) -> None:
    gone, never = stage.worker("quick"), stage.worker("obedient")
    await stage.launcher.create(gone)
    await until_seen(stage.launcher, gone, Sight.GONE)

    await stage.launcher.terminate(stopping(gone))
    await stage.launcher.terminate(stopping(never))

    assert (await look(stage.launcher, gone)).sight is Sight.GONE
    assert (await look(stage.launcher, never)).sight is Sight.UNSEEN


async def test_a_worker_says_why_it_failed(stage: Stage) -> None:
    worker = stage.worker("failing")

    await stage.launcher.create(worker)

    await until_seen(stage.launcher, worker, Sight.GONE)
    failure = (await look(stage.launcher, worker)).failure
    assert failure is not None
    assert replace(failure, log_tail=()) == BROKEN_VIDEO


async def test_the_last_lines_of_the_log_are_told(stage: Stage) -> None:
    worker = stage.worker("failing")
    await stage.launcher.create(worker)
    await until_seen(stage.launcher, worker, Sight.GONE)

    tails = [await stage.launcher.logs(worker, lines) for lines in (0, 2, 9)]

    assert tails == [[], ["two", "three"], ["one", "two", "three"]]


async def test_a_worker_that_was_never_created_has_no_log(stage: Stage) -> None:
    assert await stage.launcher.logs(stage.worker("obedient"), 5) == []


async def test_there_is_an_answer_for_every_worker(stage: Stage) -> None:
    workers = [stage.worker("quick"), stage.worker("obedient"), stage.worker("obedient")]
    await stage.launcher.create(workers[1])

    seen = await stage.launcher.observe(workers)

    assert seen.keys() == {worker.id for worker in workers}
    assert await stage.launcher.observe([]) == {}


async def test_a_living_worker_is_not_forgotten(stage: Stage) -> None:
    worker = stage.worker("obedient")
    await stage.launcher.create(worker)
    await stage.until_working(worker)
    first = await look(stage.launcher, worker)

    await stage.launcher.forget(worker.id)
    await stage.launcher.create(worker)

    assert (await look(stage.launcher, worker)) == first
    assert stage.starts(worker) == 1


async def test_what_can_never_start_is_refused(stage: Stage) -> None:
    worker = stage.worker("missing")

    with pytest.raises(InvalidRequest, match="not installed"):
        await stage.launcher.create(worker)

    assert (await look(stage.launcher, worker)).sight is Sight.UNSEEN
