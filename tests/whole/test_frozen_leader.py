"""A leader that stops between looking at its lease and writing, and wakes up under another one."""

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.fakes.mortal import Life, Mortal, Nursery
from tests.fakes.site import Site, journal, succeeded
from tests.fakes.verdict import faults
from videoannotator.scheduler.composing import socket_folder
from videoannotator.store.leader import Leader

pytestmark = pytest.mark.slow

LEASE = {"lease_seconds": 1.2, "renew_seconds": 0.3, "orphan_grace_seconds": 30.0}


@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_a_leader_that_wakes_up_late_writes_nothing(
    number: int, site: Site, nursery: Nursery, clip: Path, tmp_path: Path
) -> None:
    root, lines = site.settings.storage.root, tmp_path / "journal"
    video = await site.add_video(clip)
    job = await site.submit(video, ("journal", {"journal": str(lines), "seconds": 3}))
    life = Life(root=str(root), scheduler=LEASE, epochs=str(tmp_path / "epochs"), for_ever=True)
    sleeper = await nursery.bear(replace(life, freeze_at=number))
    await until(lambda: frozen(sleeper))
    epoch = (await Leader(site.database).read()).epoch
    successor = await nursery.bear(life)
    await until(lambda: leads_after(site, epoch))
    sleeper.signal(signal.SIGCONT)
    rows = await site.ended(job)
    for child in (sleeper, successor):
        child.signal(signal.SIGKILL)
    statuses = [await child.died(10.0) for child in (sleeper, successor)]
    shutil.rmtree(socket_folder(root), ignore_errors=True)

    epochs = [int(line) for line in (tmp_path / "epochs").read_text().splitlines()]
    assert epochs == sorted(epochs)
    assert epochs.count(epoch) == number - 1
    assert succeeded(rows)
    assert [line["event"] for line in journal(lines)] == ["started", "ended"]
    assert await faults(site, [rows], lines) == []
    assert statuses == [-signal.SIGKILL] * 2


async def frozen(child: Mortal) -> bool:
    return psutil.Process(child.pid).status() == psutil.STATUS_STOPPED


async def leads_after(site: Site, epoch: int) -> bool:
    return (await Leader(site.database).read()).epoch > epoch


async def until(reached: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await reached():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)
