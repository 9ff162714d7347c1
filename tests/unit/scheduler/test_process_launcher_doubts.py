"""Process ids that mean nothing any more: no innocent is killed, nothing is proved too early."""

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from tests.fakes.processes import rewrite_place, runs, session_of, started, until_seen
from tests.fakes.stages import ProcessStage, look, stopping
from videoannotator.scheduler.launchers import sessions
from videoannotator.scheduler.launchers.interface import Sight


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[ProcessStage]:
    stage = ProcessStage(tmp_path)
    yield stage
    await stage.close()


@pytest.fixture
def innocent() -> Iterator[int]:
    """The leader of a session that is none of ours."""
    child = subprocess.Popen(["sleep", "120"], start_new_session=True)
    yield child.pid
    child.kill()
    child.wait()


@pytest.fixture
def leaderless() -> Iterator[int]:
    """A session whose leader has ended; one process is left in it."""
    leader = subprocess.Popen(["/bin/sh", "-c", "sleep 120 & exit 0"], start_new_session=True)
    leader.wait()
    yield leader.pid
    for pid in left_in(leader.pid):
        os.kill(pid, signal.SIGKILL)


def left_in(session: int) -> list[int]:
    return [pid for pid in psutil.pids() if session_of(pid) == session and runs(pid)]


async def test_a_number_that_another_process_uses_now_is_left_alone(
    stage: ProcessStage, innocent: int
) -> None:
    worker, _ = await started(stage, "quick")
    (stage.files(worker) / "pid").write_text(f"{innocent}\n")

    await until_seen(stage.anew(), worker, Sight.GONE)
    await stage.anew().terminate(stopping(worker))

    assert runs(innocent)


async def test_a_number_used_again_while_a_child_holds_the_lock_is_left_alone(
    stage: ProcessStage, innocent: int
) -> None:
    worker, pid = await started(stage)
    assert (await look(stage.launcher, worker)).identity
    (stage.files(worker) / "pid").write_text(f"{innocent}\n")
    later = stage.anew(0.0)

    await later.terminate(stopping(worker))
    await later.terminate(stopping(worker))
    seen = await look(later, worker)

    assert (seen.sight, seen.address, seen.identity) == (Sight.ENDED, None, None)
    assert runs(innocent)
    (stage.files(worker) / "pid").write_text(f"{pid}\n")


async def test_what_is_left_of_a_session_is_killed(stage: ProcessStage, leaderless: int) -> None:
    worker, _ = await started(stage, "quick")
    (stage.files(worker) / "pid").write_text(f"{leaderless}\n")

    await until_seen(stage.anew(), worker, Sight.GONE)

    assert left_in(leaderless) == []


async def test_a_worker_of_before_the_reboot_is_gone_and_nobody_is_killed(
    stage: ProcessStage, leaderless: int
) -> None:
    worker, _ = await started(stage, "quick")
    (stage.files(worker) / "pid").write_text(f"{leaderless}\n")
    rewrite_place(stage, worker, boot="an earlier one")

    seen = await until_seen(stage.anew(), worker, Sight.GONE)

    assert seen.sight is Sight.GONE
    assert len(left_in(leaderless)) == 1


@pytest.mark.parametrize(
    "changes",
    [{"host": "elsewhere", "boot": "another"}, {"table": "of another container"}],
    ids=["other host", "other container"],
)
async def test_a_worker_of_another_machine_proves_nothing(
    stage: ProcessStage, leaderless: int, changes: dict[str, str]
) -> None:
    worker, _ = await started(stage, "quick")
    (stage.files(worker) / "pid").write_text(f"{leaderless}\n")
    rewrite_place(stage, worker, **changes)

    seen = await until_seen(stage.anew(), stopping(worker), Sight.UNKNOWN, Sight.GONE)

    assert seen.sight is Sight.UNKNOWN
    assert len(left_in(leaderless)) == 1


async def test_a_living_worker_of_another_machine_is_not_killed_by_its_number(
    stage: ProcessStage,
) -> None:
    worker, pid = await started(stage)
    place = stage.files(worker) / "started"
    before = place.read_text()
    rewrite_place(stage, worker, host="elsewhere", boot="another")
    later = stage.anew(0.0)

    await later.terminate(stopping(worker))
    await later.terminate(stopping(worker))
    seen = await look(later, worker)

    assert (seen.sight, seen.address) == (Sight.ALIVE, None)
    assert runs(pid)
    place.write_text(before)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"place": {"host": "x"}}', '{"place": 1}'])
async def test_a_start_that_cannot_be_read_proves_nothing(
    stage: ProcessStage, content: str
) -> None:
    worker, _ = await started(stage, "quick")
    (stage.files(worker) / "started").write_text(content)

    seen = await until_seen(stage.anew(), stopping(worker), Sight.UNKNOWN, Sight.GONE)

    assert seen.sight is Sight.UNKNOWN


@pytest.mark.parametrize("content", ["", "12", "0\n", "1\n", "-1\n", "12a\n", "9" * 30 + "\n"])
async def test_what_is_no_process_id_kills_nothing(stage: ProcessStage, content: str) -> None:
    worker, _ = await started(stage, "quick")
    (stage.files(worker) / "pid").write_text(content)

    seen = await until_seen(stage.anew(), worker, Sight.GONE)

    assert seen.sight is Sight.GONE


def test_our_own_session_is_never_ended() -> None:
    assert sessions.end_session(os.getsid(0), 0.0)


@pytest.mark.parametrize("find", [sessions.process, sessions._from_psutil])
def test_a_process_is_named_by_its_start(find: object, innocent: int) -> None:
    assert callable(find)

    first, second = find(innocent), find(innocent)

    assert first == second
    assert (first.pid, first.session) == (innocent, innocent)
    assert first.started


@pytest.mark.parametrize("find", [sessions.process, sessions._from_psutil])
def test_a_zombie_is_no_process(find: object) -> None:
    assert callable(find)
    child = subprocess.Popen(["true"])
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass

    seen = find(child.pid)
    child.wait()

    assert seen is None
    assert find(child.pid) is None
