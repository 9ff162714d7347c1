"""The queue, an operator's wants, the call to the scheduler, names, limits, logs."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from tests.fakes.api_site import ApiSite, open_site
from videoannotator.api.limits import PerMinute
from videoannotator.api.names import display_name, video_name
from videoannotator.api.wake import LeaderClient
from videoannotator.domain.errors import LimitReached, Unavailable
from videoannotator.rpc.queue import Queue, Slot, Waiting
from videoannotator.store.leader import Leader
from videoannotator.v1 import scheduler_pb2
from videoannotator.v1.scheduler_pb2_grpc import (
    SchedulerServiceServicer,
    add_SchedulerServiceServicer_to_server,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def a_queue(owner_id: str) -> Queue:
    waiting = [
        Waiting(
            run_id=f"r{who}", job_id=f"j{who}", owner_id=who, pipeline="p", position=1, reason="x"
        )
        for who in (owner_id, "other")
    ]
    slots = [
        Slot(worker_id=f"w{who}", run_id=f"r{who}", job_id=f"j{who}", owner_id=who, pipeline="p",
             state="up", since=NOON, gpus=1)
        for who in (owner_id, "other")
    ]  # fmt: skip
    return Queue(
        waiting=tuple(waiting), slots=tuple(slots), max_workers=4, max_gpu_workers=2, epoch=1,
        draining=False, ticked_at=NOON,
    )  # fmt: skip


async def test_the_queue_hides_who_the_others_are(site: ApiSite) -> None:
    ada = await site.client("ada")
    me = (await ada.get("/api/v1/me")).json()["user_id"]
    site.scheduler.answer = a_queue(me)

    seen = (await ada.get("/api/v1/queue")).json()
    capacity = (await ada.get("/api/v1/capacity")).json()

    assert [each["job_id"] for each in seen["waiting"]] == [f"j{me}", ""]
    assert [each["reason"] for each in seen["waiting"]] == ["x", "x"]
    assert [each["worker_id"] for each in capacity["slots"]] == [f"w{me}", ""]
    assert (capacity["gpus"], capacity["max_gpu_workers"]) == (2, 2)
    assert capacity["ticked_at"] == "2026-01-02T12:00:00Z"
    assert "other" not in str(seen) + str(capacity)
    assert "jother" in (await site.admin.get("/api/v1/queue")).text


async def test_a_drain_is_a_want_that_can_be_taken_back(site: ApiSite) -> None:
    on = (await site.admin.post("/api/v1/scheduler/drain")).json()
    wanted = await Leader(site.database).read()
    off = (await site.admin.post("/api/v1/scheduler/drain", json={"on": False})).json()

    assert (on["draining"], off["draining"]) == (True, False)
    assert wanted.drain_requested_at is not None
    assert site.scheduler.wakes == 2


async def test_a_worker_is_abandoned_by_a_want(site: ApiSite) -> None:
    answer = await site.admin.post(
        "/api/v1/jobs",
        files={"video": ("a.mp4", b"x")},
        data={"selected_pipelines": "scene_detection"},
    )
    job_id = answer.json()["id"]
    await site.start(job_id)
    worker = (await site.rows(job_id)).workers[0]

    answer = await site.admin.post(f"/api/v1/workers/{worker.id}/abandon")

    assert answer.status_code == 202
    assert (await site.rows(job_id)).workers[0].abandon_requested_at is not None


class Scheduler(SchedulerServiceServicer):
    """Notes who called."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.tokens: set[str] = set()

    async def Wake(self, request, context):  # type: ignore[no-untyped-def] # noqa: N802
        self.tokens.add(dict(context.invocation_metadata())["authorization"])
        self.woken.set()
        return scheduler_pb2.WakeResponse()

    async def GetQueue(self, request, context):  # type: ignore[no-untyped-def] # noqa: N802
        waiting = scheduler_pb2.WaitingRun(run_id="r", position=1, reason="a GPU")
        return scheduler_pb2.GetQueueResponse(waiting=[waiting], max_workers=3, epoch=7)


async def test_the_scheduler_that_leads_is_woken_and_asked(site: ApiSite, tmp_path: Path) -> None:
    served, server = Scheduler(), grpc.aio.server()
    add_SchedulerServiceServicer_to_server(served, server)  # type: ignore[no-untyped-call]
    address = f"unix:{tmp_path}/s"
    server.add_insecure_port(address)
    await server.start()
    await Leader(site.database).acquire("a", address, 60)
    client = LeaderClient(Leader(site.database), "internal")

    for _ in range(5):
        client.wake()
    async with asyncio.timeout(10):
        await served.woken.wait()
    queue = await client.queue()
    await client.close()
    await server.stop(None)

    assert served.tokens == {"Bearer internal"}
    assert (queue.max_workers, queue.epoch, queue.ticked_at) == (3, 7, None)
    assert queue.waiting[0].reason == "a GPU"


async def test_a_site_that_is_ending_is_ready_no_more(site: ApiSite) -> None:
    before = await site.admin.get("/readyz")
    await site.operations.close()

    after = await site.admin.get("/readyz")

    assert (before.status_code, after.status_code) == (200, 503)
    assert after.json()["status"] == "unhealthy"
    assert (await site.admin.get("/livez")).status_code == 200


@pytest.mark.parametrize("leads", [True, False])
async def test_without_a_scheduler_a_wake_is_lost_quietly(
    site: ApiSite, tmp_path: Path, leads: bool
) -> None:
    if leads:
        await Leader(site.database).acquire("a", f"unix:{tmp_path}/nobody", 60)
    client = LeaderClient(Leader(site.database), "internal")

    client.wake()
    with pytest.raises(Unavailable):
        await client.queue()
    await client.close()


def test_a_limit_slides_and_is_everybodys_own() -> None:
    now = 0.0
    limit = PerMinute(2, lambda: now)
    limit.count("a")
    now = 30
    limit.count("a")
    limit.count("b")

    with pytest.raises(LimitReached) as refused:
        limit.count("a")
    now = 60.1
    limit.count("a")

    assert refused.value.retry_after_seconds == 30


@pytest.mark.parametrize(
    ("given", "shown", "leaves"),
    [
        ("clip.mp4", "clip.mp4", "clip.mp4"),
        ("clip", "clip", "clip.mp4"),
        ("../../etc/passwd", "../../etc/passwd", "passwd.mp4"),
        ("\x00\x1b[31m", "[31m", "[31m.mp4"),
        (" ", "video", "video.mp4"),
        ("a.webm", "a.webm", "a.webm"),
    ],
)
def test_a_name_is_shown_and_leaves(given: str, shown: str, leaves: str) -> None:
    assert display_name(given) == shown
    assert video_name(display_name(given)) == leaves


async def test_behind_a_proxy_addresses_have_its_path(tmp_path: Path, empty_database: Path) -> None:
    settings = {"root_path": "/annotator", "trusted_proxies": ["127.0.0.1"]}
    async with open_site(tmp_path / "site", empty_database, **settings) as site:
        answer = await site.admin.post(
            "/annotator/api/v1/jobs/",
            files={"video": ("a.mp4", b"x")},
            data={"selected_pipelines": "scene_detection"},
        )
        job_id = answer.json()["id"]
        await site.finish(job_id)
        found = (await site.admin.get(f"/api/v1/jobs/{job_id}/results")).json()
        url = found["pipeline_results"]["scene_detection"]["download_url"]
        stranger = await site.admin.get("/annotator/api/v1/jobs", headers={"Authorization": ""})

        assert answer.headers["location"] == f"/annotator/api/v1/jobs/{job_id}"
        assert url.startswith("/annotator/api/v1/jobs/")
        assert (await site.admin.get(url)).status_code == 200
        assert stranger.status_code == 401


async def test_the_access_log_names_the_route_and_never_the_query(
    site: ApiSite, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await site.admin.get("/api/v1/jobs?search=private&token=va_private")

    ours = [record for record in caplog.records if record.name not in ("httpx", "aiosqlite")]
    lines = "\n".join(record.getMessage() for record in ours)
    assert "/api/v1/jobs" in lines
    assert "private" not in lines
