"""What plain files must do beyond the contract: full disks, denied folders, links."""

import asyncio
import hashlib
import os
import resource
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from videoannotator.blobs.files import PARTIAL, FileBlobs
from videoannotator.blobs.interface import CHUNK_BYTES
from videoannotator.domain.errors import StorageDenied, StorageError, StorageFull

TMPFS_BYTES = 4 * 1024 * 1024


async def chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * CHUNK_BYTES


def left_in(folder: Path) -> list[str]:
    return [name for _, _, names in os.walk(folder) for name in names]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 4 MiB: a tmpfs where we may mount one, else a limit of file sizes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(["mount", *options], check=False).returncode == 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.getsignal(signal.SIGXFSZ)
    if not mounted:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (TMPFS_BYTES, before[1]))
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_full_disk_is_told_and_nothing_half_stays(tiny_disk: Path) -> None:
    blobs = FileBlobs(tiny_disk)

    with pytest.raises(StorageFull):
        await blobs.put("incoming/a", chunks(8))

    assert left_in(tiny_disk) == []
    assert (await blobs.put("incoming/b", chunks(2))).size_bytes == 2 * CHUNK_BYTES


async def test_a_file_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "incoming").write_bytes(b"")

    with pytest.raises(StorageError):
        await FileBlobs(tmp_path).put("incoming/a", chunks(1))


@pytest.mark.parametrize("target", ["/", ".."])
async def test_a_link_does_not_lead_out(tmp_path: Path, target: str) -> None:
    root = tmp_path / "storage"
    root.mkdir()
    (root / "incoming").symlink_to(target)

    with pytest.raises(StorageDenied):
        FileBlobs(root).path("incoming/a")
    with pytest.raises(StorageDenied):
        await FileBlobs(root).put("incoming/a", chunks(1))


async def test_a_storage_folder_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    await FileBlobs(tmp_path / "link").put("a/b", chunks(1))

    assert (tmp_path / "real" / "a" / "b").stat().st_size == CHUNK_BYTES


async def test_a_folder_that_may_not_be_written_is_denied(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        folder = Path("/proc/1")  # not even root may make files here
    else:
        folder = tmp_path
        folder.chmod(0o500)

    with pytest.raises((StorageDenied, StorageError)):
        await FileBlobs(folder).put("a/b", chunks(1))


async def test_partial_files_are_no_blobs_and_are_swept(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / f"{PARTIAL}1").write_bytes(b"x")

    assert await blobs.list("") == []
    assert await blobs.sweep("incoming", older_than_seconds=-1, limit=10) == 1
    assert left_in(tmp_path) == []


class HeldHash:
    """A SHA-256 that keeps its thread until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def update(self, _: bytes) -> None:
        self.entered.set()
        self.let_go.wait(10)


async def test_a_put_outlasts_its_thread_however_often_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldHash()
    monkeypatch.setattr(hashlib, "sha256", lambda: held)
    task = asyncio.create_task(FileBlobs(tmp_path).put("incoming/a", chunks(100)))
    await asyncio.to_thread(held.entered.wait, 10)

    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    early = task.done()
    held.let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not early
    assert left_in(tmp_path) == []
