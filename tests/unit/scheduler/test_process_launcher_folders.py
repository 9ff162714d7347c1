"""The folders of local workers: logs, sockets, tombstones, and storage that fails."""

import errno
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.processes import (
    SERVES,
    end,
    python,
    runs,
    started,
    until_seen,
)
from tests.fakes.stages import ProcessStage, look, stopping, until
from videoannotator.domain.errors import (
    InvalidRequest,
    InvalidSetting,
    StorageDenied,
    StorageError,
    StorageFull,
    Unavailable,
)
from videoannotator.scheduler.launchers import process
from videoannotator.scheduler.launchers.commands import SCRATCH
from videoannotator.scheduler.launchers.folders import WorkerFolder
from videoannotator.scheduler.launchers.interface import Sight
from videoannotator.scheduler.launchers.process import ProcessLauncher


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[ProcessStage]:
    stage = ProcessStage(tmp_path)
    yield stage
    await stage.close()


async def test_the_log_tail_stands_binary_junk(stage: ProcessStage) -> None:
    junk = stage.folder / "junk"
    junk.write_bytes(b"\0\xff\x1b[31m" * 50_000 + b"\nlast \0 line\n")
    worker = stage.running(["/bin/cat", str(junk)])
    await stage.launcher.create(worker)
    await until_seen(stage.launcher, worker, Sight.GONE)

    tail = await stage.launcher.logs(worker, 5)

    assert tail == ["last \ufffd line"]


async def test_the_folder_may_have_a_long_path(stage: ProcessStage) -> None:
    deep = stage.folder / ("d" * 120)
    launcher = ProcessLauncher(deep / "workers", stage.sockets, 0.0, dict(os.environ))
    worker = stage.running(python(SERVES))

    await launcher.create(worker)

    async def callable_() -> bool:
        return (await look(launcher, worker)).address is not None

    await until(callable_)
    await end(launcher, worker)
    await launcher.forget(worker.id)
    assert list(stage.sockets.iterdir()) == []
    await launcher.close()


def test_a_long_path_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="bytes"):
        ProcessLauncher(tmp_path, tmp_path / ("d" * 100), 0.0, {})


def test_a_folder_for_sockets_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "ours").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "ours")

    for name in ("open", "link"):
        with pytest.raises(InvalidSetting, match="not ours alone"):
            ProcessLauncher(tmp_path / "w", tmp_path / name, 0.0, {})


async def test_an_id_that_is_a_path_is_refused(stage: ProcessStage) -> None:
    worker = replace(stage.worker("quick"), id="../elsewhere")

    with pytest.raises(InvalidRequest, match="letters and digits"):
        await stage.launcher.create(worker)


async def test_forgetting_keeps_nothing_but_what_refuses_a_late_create(
    stage: ProcessStage,
) -> None:
    worker, _ = await started(stage, "failing")
    await until_seen(stage.launcher, worker, Sight.GONE)

    await stage.launcher.forget(worker.id)

    assert {path.name for path in stage.files(worker).iterdir()} == {"lock", "gone"}


async def test_old_tombstones_are_removed(stage: ProcessStage) -> None:
    old, new = (await started(stage, "quick"))[0], (await started(stage, "quick"))[0]
    for worker in (old, new):
        await until_seen(stage.launcher, worker, Sight.GONE)
    await stage.launcher.forget(old.id)
    os.utime(stage.files(old) / "gone", (0, 0))

    await stage.launcher.forget(new.id)

    assert not stage.files(old).exists()
    assert stage.files(new).exists()


async def test_a_file_in_the_way_is_our_error(stage: ProcessStage) -> None:
    worker = stage.worker("quick")
    stage.files(worker).write_text("")

    with pytest.raises(StorageError):
        await stage.launcher.create(worker)

    assert (await look(stage.launcher, stopping(worker))).sight is Sight.UNKNOWN


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_may_not_be_written_is_our_error(stage: ProcessStage) -> None:
    stage.files(stage.worker("quick")).parent.chmod(0o500)

    with pytest.raises(StorageDenied):
        await stage.launcher.create(stage.worker("quick"))


async def test_a_start_that_the_system_refuses_may_be_repeated(stage: ProcessStage) -> None:
    too_long = stage.running(["/bin/echo", "x" * 4_000_000])
    mended = stage.running(["/bin/echo", "x"], worker_id=too_long.id)

    with pytest.raises(InvalidRequest, match="too long"):
        await stage.launcher.create(too_long)

    assert (await look(stage.launcher, too_long)).sight is Sight.UNSEEN
    await stage.launcher.create(mended)
    await until_seen(stage.launcher, mended, Sight.GONE)


async def test_a_create_waits_for_who_only_looks(
    stage: ProcessStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOCK_PATIENCE_SECONDS", 0.05)
    worker = stage.worker("quick")
    folder = WorkerFolder(stage.files(worker))
    folder.make()

    with folder.lock(), pytest.raises(Unavailable):
        await stage.launcher.create(worker)
    await stage.launcher.create(worker)

    await until_seen(stage.launcher, worker, Sight.GONE)
    assert stage.starts(worker) == 1


async def test_a_full_disk_keeps_no_worker_alive(
    stage: ProcessStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, pid = await started(stage, "stubborn")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(WorkerFolder, "_replace", full)
    seen = await end(stage.launcher, worker)

    assert seen.sight is Sight.GONE
    assert not runs(pid)


async def test_a_full_disk_is_told_and_starts_nothing(
    stage: ProcessStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = stage.worker("quick")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(WorkerFolder, "_replace", full)
        with pytest.raises(StorageFull):
            await stage.launcher.create(worker)

    assert (await look(stage.launcher, worker)).sight is Sight.UNSEEN
    assert stage.starts(worker) == 0


async def test_what_a_killed_worker_fetched_goes_when_it_is_proved_gone(
    stage: ProcessStage,
) -> None:
    fetch = 'import os; os.makedirs(os.environ["VIDEOANNOTATOR_WORKER_SCRATCH"]); os.kill(0, 9)'
    worker = stage.running(python(fetch))
    await stage.launcher.create(worker)

    await until_seen(stage.launcher, worker, Sight.GONE)

    assert (stage.files(worker) / "started").exists()
    assert not (stage.files(worker) / SCRATCH).exists()
