"""A whole site on one PostgreSQL address: a real HTTP server, a scheduler and its workers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.fakes.http_server import served
from tests.fakes.site import Site, quick_settings
from videoannotator.api.app import create_app
from videoannotator.api.operations.assembly import assemble
from videoannotator.api.wake import LeaderClient
from videoannotator.rpc.keyfiles import INTERNAL_TOKEN, read_or_make
from videoannotator.scheduler.service import Scheduler
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader

REQUEST_SECONDS = 40.0  # longer than any request may take, however long the database is away
AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSite:
    """Api and scheduler have connections of their own, as separate processes have."""

    site: Site
    scheduler: Scheduler
    client: httpx.AsyncClient


@asynccontextmanager
async def served_site(root: Path, url: str, **scheduler: Any) -> AsyncIterator[ServedSite]:
    """A site below `root` on the database `url`, which is migrated."""
    settings = quick_settings(root, **scheduler)
    chosen = settings.database.model_copy(update={"url": url})
    unlimited = settings.api.model_copy(update={"uploads_per_minute": 0})
    settings = settings.model_copy(update={"database": chosen, "api": unlimited})
    site = await Site.open(settings)
    database = Database.open(url)
    secret = await Access(database).bootstrap_admin()
    client = LeaderClient(Leader(database), read_or_make(root / "secrets", INTERNAL_TOKEN))
    operations = assemble(settings, database, site.blobs, site.catalogue, client)
    app = create_app(settings, operations, Access(database), site.blobs)
    async with site.scheduling() as running, served(app) as port:
        headers = {"Authorization": f"Bearer {secret}"}
        address = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(
            base_url=address, headers=headers, timeout=REQUEST_SECONDS
        ) as caller:
            yield ServedSite(site=site, scheduler=running, client=caller)
        await operations.close()
    await client.close()
    await database.close()
    await site.close()


@dataclass
class Customer:
    """Somebody who asks again while the server says that it is unavailable, and only then."""

    client: httpx.AsyncClient
    refusals: list[str] = field(default_factory=list)  #: codes of the answers 503
    accepted: dict[str, str] = field(default_factory=dict)  #: idempotency key -> id of the job

    async def submit(self, clip: bytes, journal: Path, seconds: float) -> str:
        """Submits a video for the journal pipeline, once; the job's id."""
        key = str(uuid4())
        parameters = {"journal": {"journal": str(journal), "seconds": seconds}}

        def send() -> Any:
            return self.client.post(
                "/api/v1/jobs",
                files={"video": ("clip.mp4", clip)},
                data={"config": json.dumps(parameters), "selected_pipelines": "journal"},
                headers={"Idempotency-Key": key},
            )

        job_id: str = (await self._until_served(send))["id"]
        self.accepted[key] = job_id
        return job_id

    async def until_ended(self, job_id: str) -> str:
        """Asks for a job until it has ended; how."""
        while True:
            job = await self._until_served(lambda: self.client.get(f"/api/v1/jobs/{job_id}"))
            if job["status"] in ("completed", "failed", "cancelled"):
                return str(job["status"])
            await asyncio.sleep(AGAIN_SECONDS)

    async def _until_served(self, send: Any) -> dict[str, Any]:
        while (response := await send()).status_code == 503:
            self.refusals.append(refused(response))
            await asyncio.sleep(AGAIN_SECONDS)
        assert response.status_code in (200, 201), response.text
        answer: dict[str, Any] = response.json()
        return answer


def refused(response: httpx.Response) -> str:
    """The code of a refusal that says when to come again."""
    assert int(response.headers["Retry-After"]) > 0
    error = response.json()["error"]
    assert error["request_id"] == response.headers["X-Request-ID"]
    return str(error["code"])


@dataclass
class Listener:
    """Watches all events, and goes on after the last one when its stream ends."""

    client: httpx.AsyncClient
    ids: list[int] = field(default_factory=list)
    streams: int = 0

    async def heard(self, event_id: int) -> None:
        """Returns when the event has been told."""
        while not self.ids or self.ids[-1] < event_id:  # noqa: ASYNC110 - nobody rings
            await asyncio.sleep(AGAIN_SECONDS)

    async def listen(self, last_id: int) -> None:
        """Listens until it is cancelled, to what comes after `last_id`."""
        while True:
            last = str(self.ids[-1] if self.ids else last_id)
            headers = {"Last-Event-ID": last}
            async with self.client.stream(
                "GET", "/api/v1/events/stream", headers=headers, timeout=None
            ) as stream:
                if stream.status_code == 200:
                    self.streams += 1
                    await self._read(stream)
                else:
                    await stream.aread()
                    assert stream.status_code == 503, stream.text
                    refused(stream)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _read(self, stream: httpx.Response) -> None:
        """To a clean end; one that is cut off raises."""
        async for line in stream.aiter_lines():
            if line.startswith("id: "):
                self.ids.append(int(line.removeprefix("id: ")))
