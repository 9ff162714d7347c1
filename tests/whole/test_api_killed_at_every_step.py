"""An api that kills itself at a step of an upload, for every step, and what is left then.

A first life without a death names the steps. Then each is where an api dies; its client repeats the
request with the same key at another api.
"""

import asyncio
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from tests.fakes import databases
from tests.fakes.leftovers import half_videos, swept_later
from tests.fakes.mortal import Life, Mortal, Nursery
from tests.fakes.postgres import free_port
from tests.fakes.site import Site, quick_settings
from videoannotator.blobs.files import FileBlobs
from videoannotator.store import tables
from videoannotator.store.engine import Database

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]

KILLED = -9
KEY = "the same key"
SECONDS = 60.0
AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Stage:
    """Where lives of one scenario take place: copies of one site."""

    nursery: Nursery
    template: Site
    content: bytes
    folder: Path
    repeated: bool  #: the client sends the upload again

    async def play(self, number: int, death: str) -> tuple[list[str], list[str]]:
        """One upload, begun at an api that dies; the steps that it passed, and what is wrong."""
        folder = self.folder / str(number)
        site = await asyncio.to_thread(self._copy, folder)
        life = Life(root=str(site.settings.storage.root), reached=str(folder / "steps"))
        try:
            wrong = await self._lives(site, replace(life, die_at=death))
            wrong += await half_videos(site)
            if self.repeated:
                wrong += await self._lives(site, replace(life, reached="", die_at=""))
                wrong += [*await jobs_of_the_key(site), *await half_videos(site)]
            wrong += await swept_later(site)
        finally:
            await site.close()
        return (folder / "steps").read_text().splitlines(), wrong

    def _copy(self, folder: Path) -> Site:
        root = folder / "storage"
        shutil.copytree(self.template.settings.storage.root, root)
        databases.copy(self.template.settings.storage.root, root)
        settings = quick_settings(root)
        database = Database.open(settings.database_url)
        return replace(self.template, settings=settings, database=database, blobs=FileBlobs(root))

    async def _lives(self, site: Site, life: Life) -> list[str]:
        """An api takes the upload, or dies of it."""
        port = free_port()
        api = await self.nursery.bear(replace(life, api_port=port))
        answer = await uploaded(port, api, self.content)
        if life.die_at:
            status = await api.died(SECONDS)
            return [] if status == KILLED else [f"it ended with {status}: {api.log.read_text()}"]
        api.signal(9)
        await api.died(SECONDS)
        right = answer is not None and answer.status_code == 201
        return [] if right else [f"the upload was answered with {answer and answer.text}"]


async def uploaded(port: int, api: Mortal, content: bytes) -> httpx.Response | None:
    """Sends the upload as soon as somebody listens; None when the api died over it."""
    address = f"http://127.0.0.1:{port}"
    async with asyncio.timeout(SECONDS), httpx.AsyncClient(base_url=address, timeout=30) as client:
        while True:
            try:
                return await client.post(
                    "/api/v1/jobs",
                    data={"selected_pipelines": "journal"},
                    files={"video": ("clip.mp4", content)},
                    headers={"Idempotency-Key": KEY},
                )
            except httpx.ConnectError:
                assert api.status in (None, KILLED), api.log.read_text()
                if api.status is not None:
                    return None
            except httpx.TransportError:
                return None
            await asyncio.sleep(0.02)


async def jobs_of_the_key(site: Site) -> list[str]:
    """There is one job of the key, and its video is there."""
    c = tables.jobs.c
    query = select(func.count()).select_from(tables.jobs.join(tables.videos))
    whole = query.where(c.idempotency_key == KEY, tables.videos.c.delete_requested_at.is_(None))
    async with site.database.reading() as connection:
        count = await connection.scalar(whole)
    return [] if count == 1 else [f"the key made {count} jobs"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("known", "repeated"),
    [
        pytest.param(False, True, id="new bytes"),
        pytest.param(True, True, id="bytes that are there"),
        pytest.param(False, False, id="never sent again"),
    ],
)
async def test_an_api_that_dies_at_any_step_of_an_upload_leaves_nothing_wrong(
    known: bool, repeated: bool, nursery: Nursery, clip: Path, tmp_path: Path
) -> None:
    template = await Site.open(quick_settings(tmp_path / "template"))
    if known:
        await template.submit(await template.add_video(clip), ("journal", {}))
    await template.close()
    (tmp_path / "template").mkdir(exist_ok=True)
    content = clip.read_bytes()  # noqa: ASYNC240 - it is small
    stage = Stage(nursery, template, content, tmp_path, repeated)

    steps, wrong = await stage.play(0, "")
    assert wrong == []
    assert {"after put", "after move", "about to commit submit", "before the answer"} <= set(steps)

    played = await side_by_side(stage, steps)

    assert [(step, wrong) for step, wrong in zip(steps, played, strict=True) if wrong] == []


async def side_by_side(stage: Stage, steps: Iterable[str]) -> list[list[str]]:
    """Plays a life for each step, a few at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def play(number: int, step: str) -> list[str]:
        async with room:
            _, wrong = await stage.play(number, step)
            return wrong

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(play(number, step)) for number, step in enumerate(steps, 1)]
    return [task.result() for task in tasks]
