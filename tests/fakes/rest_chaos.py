"""The same with apis among the victims: everything that users do goes through whichever lives."""

import asyncio
import json
import signal
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
from sqlalchemy import select

from tests.fakes.chaos import SETTINGS, Chaos
from tests.fakes.mortal import Life, Mortal
from tests.fakes.postgres import free_port
from videoannotator.store import tables

APIS = 2
ANSWER_SECONDS = 30.0
WHOLE_SECONDS = 90.0  #: until one of the apis has answered
PAUSE_SECONDS = 0.05
LOST = (httpx.TransportError,)
JOBS_PATH = "/api/v1/jobs"


@dataclass
class RestChaos(Chaos):
    """Jobs come by upload with a key each; answers get lost with the api that would give them."""

    content: bytes = b""
    ports: list[int] = field(default_factory=list)
    apis: list[Mortal | None] = field(default_factory=list)
    keys: dict[str, set[str]] = field(default_factory=dict)  #: key -> ids that were answered
    abandoned: list[str] = field(default_factory=list)  #: keys sent once, whatever came of it
    lost: int = 0  #: answers
    statuses: Counter[int] = field(default_factory=Counter)
    found: set[tuple[str, str]] = field(default_factory=set)  #: (key, id) of every job that is left

    # --- jobs

    async def submit(self) -> None:
        """One more job: sent until it is answered, sometimes once more, sometimes only once."""
        key, content = uuid.uuid4().hex, self._content()
        form = {"selected_pipelines": "journal", "config": self._config()}
        self.keys[key] = set()

        async def post(client: httpx.AsyncClient) -> httpx.Response:
            files = {"video": ("clip.mp4", content)}
            return await client.post(
                JOBS_PATH, data=form, files=files, headers={"Idempotency-Key": key}
            )

        if self.dice.random() < 0.1:
            self.abandoned.append(key)
            self.tasks.append(asyncio.create_task(self._once(post)))
            return
        unwanted, delay = self.dice.random() < 0.3, self.dice.uniform(0.0, 6.0)
        how, twice = self.dice.choice(["cancel", "cancel", "delete"]), self.dice.random() < 0.3
        self.jobs.append(key)  # counted now; the ids come with the answers

        async def whole() -> None:
            job = (await self.ask(post, {201})).json()["id"]
            self.keys[key].add(job)
            if twice:
                self.keys[key].add((await self.ask(post, {201})).json()["id"])
            if unwanted:
                self.unwanted[job] = how
                await self._unwant(job, delay)

        self.tasks.append(asyncio.create_task(whole()))

    def _content(self) -> bytes:
        """Half of the users send the same video; a few bytes behind it change nothing of it."""
        return self.content + self.dice.choice([b"", b"", self.dice.randbytes(8)])

    def _config(self) -> str:
        told = {"journal": str(self.folder / "journal"), **self._parameters()}
        return json.dumps({"journal": told})

    async def _unwant(self, job: str, delay: float) -> None:
        await asyncio.sleep(delay)
        if self.unwanted[job] == "delete":
            await self.ask(lambda client: client.delete(f"{JOBS_PATH}/{job}"), {204, 404})
        else:
            await self.ask(lambda client: client.post(f"{JOBS_PATH}/{job}/cancel"), {200, 409})

    async def ask(
        self,
        call: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]],
        expected: set[int],
    ) -> httpx.Response:
        """Asks one api after the other until there is an answer; 503 is none."""
        async with asyncio.timeout(WHOLE_SECONDS):
            while True:
                answer = await self._once(call)
                if answer is not None and answer.status_code != 503:
                    assert answer.status_code in expected, answer.text
                    return answer
                await asyncio.sleep(PAUSE_SECONDS)

    async def _once(
        self, call: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
    ) -> httpx.Response | None:
        address = f"http://127.0.0.1:{self.dice.choice(self.ports)}"
        async with httpx.AsyncClient(base_url=address, timeout=ANSWER_SECONDS) as client:
            try:
                answer = await call(client)
            except LOST as error:
                self.lost += not isinstance(error, httpx.ConnectError)
                return None
        self.statuses[answer.status_code] += 1
        return answer

    # --- processes

    async def staff(self) -> None:
        """Replaces what died."""
        await super().staff()
        self.ports = self.ports or [free_port() for _ in range(APIS)]
        self.apis = self.apis or [None] * APIS
        for number, port in enumerate(self.ports):
            one = self.apis[number]
            if one is None or one.status is not None:
                self.former += [] if one is None else [one]
                life = Life(
                    root=str(self.site.settings.storage.root), scheduler=SETTINGS, api_port=port
                )
                self.apis[number] = await self.nursery.bear(life)

    async def kill(self) -> None:
        """Kills at a moment and a place of chance, sometimes two at once."""
        await asyncio.sleep(self.dice.uniform(0.1, 1.2))
        kinds = ["scheduler", "worker", "api"]
        for whom in self.dice.sample(kinds, self.dice.choice([1, 1, 2])):
            if whom == "scheduler":
                await self._kill_leader()
            elif whom == "worker":
                self._kill_worker()
            else:
                await self._kill(self.dice.choice([one for one in self.apis if one]), "api")

    async def _kill(self, one: Mortal, kind: str) -> None:
        one.signal(signal.SIGKILL)
        await one.died(10.0)
        self.kills.append(kind)

    async def freeze_api(self) -> None:
        """An api stands still for a while, with requests in hand."""
        one = self.dice.choice([one for one in self.apis if one])
        one.signal(signal.SIGSTOP)
        await asyncio.sleep(self.dice.uniform(0.5, 2.0))
        one.signal(signal.SIGCONT)

    # --- the end

    async def end(self) -> None:
        """Waits until all is answered and all work has ended, then ends everything."""
        pending = set(self.tasks)
        while pending:
            await self.staff()
            _, pending = await asyncio.wait(pending, timeout=0.2)
        await asyncio.gather(*self.tasks)
        await self._learn_jobs()
        await super().end()
        for one in self.apis:
            if one is not None:
                await self._kill(one, "api")

    async def _learn_jobs(self) -> None:
        """The jobs by their ids; those of lost answers, too."""
        columns = tables.jobs.c
        async with self.site.database.reading() as connection:
            rows = list(await connection.execute(select(columns.idempotency_key, columns.id)))
        self.found = {(key, job) for key, job in rows}
        self.jobs = [job for ids in self.keys.values() for job in ids]
        self.jobs += [job for key, job in rows if key in self.abandoned]

    async def wrong(self) -> list[str]:
        """What is not as it must be."""
        found = await super().wrong()
        for key, ids in self.keys.items():
            if len(ids) != (key not in self.abandoned):
                found.append(f"key {key} was answered with {sorted(ids)}")
        counts = Counter(key for key, _ in self.found)
        found += [f"key {key} made {count} jobs" for key, count in counts.items() if count > 1]
        known = {job for ids in self.keys.values() for job in ids}
        strangers = {job for key, job in self.found if key not in self.abandoned} - known
        if strangers:
            found.append(f"jobs that nobody was told of: {strangers}")
        if any(status >= 500 and status != 503 for status in self.statuses):
            found.append(f"answers: {self.statuses}")
        return found
