"""A launcher that does not see: what the scheduler tells the api of it."""

from dataclasses import replace
from pathlib import Path

from tests.fakes.bench import Bench
from tests.fakes.rows import POLICY
from videoannotator.scheduler.launchers.interface import Watch
from videoannotator.scheduler.launchers.process import ProcessLauncher
from videoannotator.scheduler.loop import Loop, Pace
from videoannotator.scheduler.servicer import queue

WORDS = "the cluster does not answer"


async def test_the_queue_tells_of_a_watch_that_is_stale_until_it_heals(bench: Bench) -> None:
    since = (await bench.parts.schedule.snapshot()).now
    loop = Loop(bench.parts, bench.lease, bench.inbox, since, Pace())
    told = []

    for watch in (Watch(), replace(Watch(), trouble=WORDS), Watch()):
        bench.launcher.seeing = watch
        await loop.tick()
        told.append(queue(loop, POLICY).trouble)
    await loop.close()

    assert told == ["", WORDS, ""]


def test_processes_of_this_machine_are_always_seen(tmp_path: Path) -> None:
    launcher = ProcessLauncher(tmp_path / "workers", tmp_path, 0.0, {})

    assert launcher.watch() == Watch()
