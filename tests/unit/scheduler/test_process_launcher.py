"""Local workers as real processes: what the contract suite cannot ask of every launcher."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.fakes.processes import (
    SERVES,
    end,
    number_in,
    pid_of,
    python,
    runs,
    started,
    until_seen,
)
from tests.fakes.stages import NEVER_SECONDS, ProcessStage, look, stopping, until
from videoannotator.domain.failures import Code
from videoannotator.domain.jobs import Worker
from videoannotator.scheduler.launchers.interface import Launcher, Sight
from videoannotator.scheduler.launchers.process import ProcessLauncher

#: A child through `subprocess`, as a pipeline starts ffmpeg; its pid goes to $1.
HAS_CHILD = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
child = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; sleep 120"])
print(child.pid, file=open(sys.argv[1] + ".part", "w"), flush=True)
import os; os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(120)
"""
#: A forked child keeps the lock; the worker itself ends at once.
LEAVES_LOCK = """
import os, sys, time
if os.fork() == 0:
    print(os.getpid(), file=open(sys.argv[1] + ".part", "w"), flush=True)
    os.rename(sys.argv[1] + ".part", sys.argv[1])
    time.sleep(120)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[ProcessStage]:
    stage = ProcessStage(tmp_path)
    yield stage
    await stage.close()


async def test_a_worker_can_be_called_once_its_socket_is_there(stage: ProcessStage) -> None:
    worker = stage.running(python(SERVES))

    await stage.launcher.create(worker)

    async def callable_() -> bool:
        return (await look(stage.launcher, worker)).address is not None

    await until(callable_)
    seen = await look(stage.launcher, worker)
    assert seen.address == f"unix:{stage.sockets / worker.id}.sock"
    assert seen.identity is not None
    assert f":{pid_of(stage, worker)}:" in seen.identity


async def test_a_worker_without_a_socket_cannot_be_called(stage: ProcessStage) -> None:
    worker, _ = await started(stage)

    assert (await look(stage.launcher, worker)).address is None


async def test_a_worker_is_alone_in_its_session_and_its_files_are_ours_alone(
    stage: ProcessStage,
) -> None:
    worker, pid = await started(stage)

    modes = {path.stat().st_mode & 0o077 for path in (stage.files(worker), stage.sockets)}

    assert os.getsid(pid) == pid
    assert modes == {0}


async def test_a_worker_has_only_harmless_names_of_our_environment(tmp_path: Path) -> None:
    stage = ProcessStage(tmp_path)
    secret = {"VIDEOANNOTATOR_DATABASE__URL": "x", "VIDEOANNOTATOR_TOKEN": "x", "AWS_KEY": "x"}
    inherited = {"PATH": os.environ["PATH"], "LC_ALL": "C", **secret}
    launcher = ProcessLauncher(tmp_path / "workers", stage.sockets, 0.0, inherited)
    worker = stage.running(["/usr/bin/env"])

    await launcher.create(worker)
    await until_seen(launcher, worker, Sight.GONE)

    names = {line.partition("=")[0] for line in await launcher.logs(worker, 50)}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {
        "PATH",
        "LC_ALL",
        "CUDA_VISIBLE_DEVICES",
        "VIDEOANNOTATOR_WORKER_ID",
        "VIDEOANNOTATOR_WORKER_LISTEN",
        "VIDEOANNOTATOR_WORKER_SCRATCH",
        "VIDEOANNOTATOR_WORKER_TERMINATION_FILE",
    }
    await launcher.close()
    await stage.close()


async def test_children_started_through_subprocess_end_with_their_worker(
    stage: ProcessStage,
) -> None:
    worker = stage.running(python(HAS_CHILD, stage.folder / "child"))
    await stage.launcher.create(worker)
    child = await number_in(stage.folder / "child")

    await end(stage.launcher, worker)

    assert not runs(child)


async def test_what_a_crashed_worker_left_behind_is_killed_before_it_counts_as_gone(
    stage: ProcessStage,
) -> None:
    worker = stage.running(python(HAS_CHILD, stage.folder / "child"))
    await stage.launcher.create(worker)
    child = await number_in(stage.folder / "child")

    os.kill(pid_of(stage, worker), signal.SIGKILL)
    seen = await until_seen(stage.launcher, worker, Sight.GONE)

    assert not runs(child)
    assert seen.failure is not None
    assert seen.failure.code is Code.KILLED_UNKNOWN


async def test_a_child_that_keeps_the_lock_is_killed_too(stage: ProcessStage) -> None:
    worker = stage.running(python(LEAVES_LOCK, stage.folder / "child"))
    await stage.launcher.create(worker)
    child = await number_in(stage.folder / "child")

    await until_seen(stage.launcher, worker, Sight.GONE)

    assert not runs(child)


async def test_terminate_alone_kills_a_child_that_keeps_the_lock(stage: ProcessStage) -> None:
    worker = stage.running(python(LEAVES_LOCK, stage.folder / "child"))
    await stage.launcher.create(worker)
    child = await number_in(stage.folder / "child")

    async def dead() -> bool:
        await stage.launcher.terminate(stopping(worker))
        return not runs(child)

    await until(dead)


async def test_a_worker_that_let_go_of_its_lock_is_ended(stage: ProcessStage) -> None:
    program = "import os, sys, time; time.sleep(0.2); os.closerange(3, 64); time.sleep(120)"
    worker = stage.running(python(program))
    await stage.launcher.create(worker)
    assert (await look(stage.launcher, worker)).sight is Sight.ALIVE
    pid = pid_of(stage, worker) if (stage.files(worker) / "pid").exists() else None

    await until_seen(stage.launcher, worker, Sight.GONE)

    assert not runs(pid or pid_of(stage, worker))


async def test_the_grace_goes_on_when_the_scheduler_is_started_again(stage: ProcessStage) -> None:
    worker, pid = await started(stage, "stubborn")
    patient, hasty = stage.anew(NEVER_SECONDS), stage.anew(0.0)

    await patient.terminate(stopping(worker))
    asked = (stage.files(worker) / "terminating").read_text()
    await stage.anew(NEVER_SECONDS).terminate(stopping(worker))
    still = runs(pid)
    await hasty.terminate(stopping(worker))

    assert still
    assert (stage.files(worker) / "terminating").read_text() == asked
    await until_seen(hasty, stopping(worker), Sight.GONE)


async def test_no_zombie_is_left(stage: ProcessStage) -> None:
    worker, pid = await started(stage, "quick")

    await until_seen(stage.launcher, worker, Sight.GONE)

    assert not psutil.pid_exists(pid)


async def test_many_creates_at_once_start_one_process(stage: ProcessStage) -> None:
    other = stage.anew()
    workers = [stage.worker("quick") for _ in range(50)]
    for worker in workers:
        create_at_once(worker, stage.launcher, other)
        await until_seen(stage.launcher, worker, Sight.GONE)

    assert [stage.starts(worker) for worker in workers] == [1] * 50
    await other.close()


def create_at_once(worker: Worker, *launchers: Launcher) -> None:
    """Each launcher creates the worker in a thread of its own, all at the same moment."""
    barrier = threading.Barrier(len(launchers))

    def create(launcher: Launcher) -> None:
        barrier.wait()
        asyncio.run(launcher.create(worker))

    threads = [threading.Thread(target=create, args=(one,)) for one in launchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
