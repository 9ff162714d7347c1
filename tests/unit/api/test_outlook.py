"""What health says of a scheduler that does not see its workers."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from tests.fakes.api_site import ApiSite, ListeningScheduler, client_of
from videoannotator.api import outlook
from videoannotator.api.operations.system import UNSEEN
from videoannotator.api.outlook import Lookout, Outlook
from videoannotator.rpc.queue import Queue

WORDS = "The API server of Kubernetes cannot be reached."
SEES = Queue(
    waiting=(), slots=(), max_workers=1, max_gpu_workers=0, epoch=1, draining=False, ticked_at=None
)
BLIND = replace(SEES, trouble=WORDS)


@dataclass
class Counting(ListeningScheduler):
    """Counts questions; hangs when it shall."""

    asked: int = 0
    hangs: bool = False

    async def queue(self) -> Queue:
        self.asked += 1
        await asyncio.sleep(0)  # others ask meanwhile
        if self.hangs:
            await asyncio.Event().wait()
        return await super().queue()


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (SEES, "ok", "The scheduler sees its workers."),
        (BLIND, "warning", WORDS),
        (None, "warning", "No scheduler leads at the moment."),
    ],
    ids=["sees", "stale watch", "nobody leads"],
)
async def test_health_tells_whether_the_scheduler_sees_and_stays_healthy(
    site: ApiSite, answer: Queue | None, status: str, message: str
) -> None:
    site.scheduler.answer = answer

    short = await site.admin.get("/health")
    long = await site.admin.get("/api/v1/health", params={"detailed": True})

    expected = {"status": status, "message": message}
    assert (short.status_code, short.json()["status"]) == (200, "healthy")
    assert short.json()["scheduler"] == long.json()["details"]["scheduler"] == expected


async def test_a_stranger_is_not_told_the_words_of_the_cluster(site: ApiSite) -> None:
    site.scheduler.answer = BLIND

    async with client_of(site.app, None) as stranger:
        told = (await stranger.get("/health")).json()["scheduler"]

    assert told == {"status": "warning", "message": UNSEEN}


async def test_queue_and_capacity_tell_why_workers_are_not_seen(site: ApiSite) -> None:
    site.scheduler.answer = BLIND
    ada = await site.client("ada")

    told = [(await ada.get(f"/api/v1/{what}")).json()["trouble"] for what in ("queue", "capacity")]

    assert told == [WORDS, WORDS]


async def test_many_who_ask_within_a_second_are_one_question() -> None:
    now = [10.0]
    scheduler = Counting(answer=SEES)
    lookout = Lookout(scheduler, lambda: now[0])

    await asyncio.gather(*[lookout.outlook() for _ in range(5)])
    at_once = scheduler.asked
    scheduler.answer = BLIND
    kept = await lookout.outlook()
    now[0] += outlook.KEPT_SECONDS
    later = await lookout.outlook()

    assert (at_once, scheduler.asked) == (1, 2)
    assert (kept.trouble, later) == ("", Outlook(leads=True, trouble=WORDS))


async def test_a_scheduler_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlook, "ANSWER_SECONDS", 0.01)

    found = await Lookout(Counting(hangs=True)).outlook()

    assert found == Outlook(leads=False, trouble="The scheduler does not answer.")
