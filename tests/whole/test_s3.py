"""A site whose bytes are on a real S3 server: its workers hold no key of it."""

import asyncio
import json
import logging
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest

import videoannotator
from tests.fakes import s3
from tests.fakes.api_site import client_of
from tests.fakes.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.fakes.site import Site, quick_settings, succeeded, workers_of
from videoannotator.api.app import create_app
from videoannotator.api.operations.assembly import assemble
from videoannotator.api.wake import LeaderClient
from videoannotator.blobs import keys
from videoannotator.domain.jobs import RunState
from videoannotator.settings import TelemetrySettings
from videoannotator.store.access import Access
from videoannotator.store.jobs import Jobs
from videoannotator.store.leader import Leader
from videoannotator.telemetry import configure

pytestmark = pytest.mark.slow

SPEECH = Path(videoannotator.__file__).parent / "media" / "data" / "speech.flac"
SIGNED_SECONDS, RESIGN_SECONDS = 4.0, 0.5


@pytest.fixture
async def site(tmp_path: Path, s3_server: S3Server) -> AsyncIterator[Site]:
    """A site on S3 that leaves no process behind. What is signed ends soon."""
    root = tmp_path / "storage"
    storage = s3_server.storage(root, signed_seconds=SIGNED_SECONDS, resign_seconds=RESIGN_SECONDS)
    opened = await Site.open(s3.settings_on(storage, quick_settings(root)))
    yield opened
    await opened.close()
    left = workers_of(tmp_path)
    for process in left:
        process.kill()
    assert not left, f"processes were left behind: {left}"


@pytest.fixture
def keys_around(site: Site, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler's own environment holds what no worker may get."""
    for name, value in s3_server.environ(site.settings.storage).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """All that this process logs, as its log would have it."""
    stream = StringIO()
    root = logging.getLogger()
    before = root.handlers, root.level
    configure("test", TelemetrySettings(log_level="info", log_format="json"), stream)
    yield stream
    root.handlers, root.level = before


def holds_secret(text: str) -> bool:
    """Whether a text has a key of the storage, or the name of a variable for one."""
    words = (SECRET_KEY, ACCESS_KEY, "ACCESS_KEY", "STORAGE__")
    return any(word in text for word in words)


async def test_a_row_becomes_files_in_the_bucket_and_its_worker_holds_no_key(
    site: Site, keys_around: None, tmp_path: Path, lines: StringIO
) -> None:
    go_on = tmp_path / "go on"
    video = await site.add_video(SPEECH)
    async with site.scheduling():
        asked = {"until": str(go_on), "files": 2, "file_bytes": 3_000_000}
        job = await site.submit(video, ("journal", asked), ("voice_activity", {}))
        rows = await site.until(job, lambda rows: rows.runs[0].state is RunState.RUNNING)
        workers = workers_of(tmp_path)
        told = [[one.environ(), one.cmdline()] for one in workers]
        bodies = [worker.body for worker in rows.workers]
        go_on.touch()
        rows = await site.ended(job)

    assert succeeded(rows), rows
    assert rows.video.probe is not None
    await check_results(site, job)
    assert workers
    assert not holds_secret(json.dumps([told, bodies]))
    root = site.settings.storage.root
    assert not [name for name in ("videos", "jobs", "incoming") if (root / name).exists()]
    logs = [path.read_text() for path in root.glob("workers/*/log")]
    assert len(logs) == 2
    assert not any("X-Amz" in text or holds_secret(text) for text in [*logs, lines.getvalue()])


async def check_results(site: Site, job: str) -> None:
    """Every file of a job is in the storage as its row says."""
    artifacts = await Jobs(site.database).artifacts(site.user, job)
    assert {one.pipeline for one in artifacts} == {"voice_activity", "journal"}
    for one in artifacts:
        folder = keys.attempt_folder(site.user.user_id, job, one.pipeline, one.attempt)
        assert await site.blobs.sha256(f"{folder}/{one.name}") == one.sha256


async def test_work_that_takes_longer_than_its_addresses_hold_gets_new_ones(
    site: Site, clip: Path, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"
    video = await site.add_video(clip)
    async with site.scheduling():
        job = await site.submit(video, ("journal", {"until": str(go_on), "files": 1}))
        await site.running(job)
        await expired(site, await site.blobs.sign_get(video.key, SIGNED_SECONDS))  # type: ignore[attr-defined]
        go_on.touch()
        rows = await site.ended(job)

    assert succeeded(rows), rows
    assert len(rows.attempts) == 1


async def expired(site: Site, address: str) -> None:
    """Returns when an address, and every older one, is refused."""
    deadline = time.monotonic() + 60
    async with httpx.AsyncClient() as http:
        while (await http.get(address)).status_code != 403:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


async def test_videos_go_in_and_files_come_out_over_rest(
    site: Site, s3_server: S3Server, clip: Path, lines: StringIO
) -> None:
    content = await asyncio.to_thread(clip.read_bytes)
    content += bytes(20_000_000)  # uploaded in parts; what follows the last box is not looked at
    async with site.scheduling(), rest(site) as client:
        job = await annotated(client, content)
        listed = (await client.get(f"/api/v1/jobs/{job}/files")).json()["files"]
        whole = await client.get(listed[0]["download_url"])
        part = await client.get(listed[0]["download_url"], headers={"Range": "bytes=2-7"})
        archive = await client.get(f"/api/v1/jobs/{job}/artifacts")
        ready = await client.get("/readyz")
        deleted = await client.delete(f"/api/v1/jobs/{job}")
        await gone(s3_server, site)

    assert part.status_code == 206
    assert part.content == whole.content[2:8]
    with zipfile.ZipFile(BytesIO(archive.content)) as packed:
        assert packed.testzip() is None
        assert len(packed.namelist()) == len(listed) + 1, "the files and the manifest"
    assert ready.json()["parts"]["storage"] == "ok"
    assert deleted.status_code == 204
    assert "X-Amz" not in lines.getvalue()
    assert not holds_secret(lines.getvalue())


@asynccontextmanager
async def rest(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """The REST interface of a site, for its administrator."""
    secret = await Access(site.database).bootstrap_admin()
    assert secret is not None
    leader = LeaderClient(Leader(site.database), s3.INTERNAL_TOKEN)
    operations = assemble(site.settings, site.database, site.blobs, site.catalogue, leader)
    app = create_app(site.settings, operations, Access(site.database), site.blobs)
    async with client_of(app, secret) as client:
        yield client
    await operations.close()
    await leader.close()


async def annotated(client: httpx.AsyncClient, content: bytes) -> str:
    """Submits a video and waits for its annotation; the job's id."""
    answer = await client.post(
        "/api/v1/jobs",
        files={"video": ("clip.mp4", content)},
        data={"selected_pipelines": "journal"},
    )
    assert answer.status_code == 201, answer.text
    job_id = str(answer.json()["id"])
    async with asyncio.timeout(60):
        while True:
            job: dict[str, Any] = (await client.get(f"/api/v1/jobs/{job_id}")).json()
            if job["status"] not in ("pending", "running"):
                assert job["status"] == "completed", job
                return job_id
            await asyncio.sleep(0.1)


async def gone(server: S3Server, site: Site) -> None:
    """Returns when nothing is stored but the note that it is to be deleted once more."""
    folder = server.buckets / s3.BUCKET / site.settings.storage.prefix
    async with asyncio.timeout(60):
        while True:
            files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
            if [path.parts[0] for path in files] == [keys.DOOMED]:
                return
            await asyncio.sleep(0.1)
