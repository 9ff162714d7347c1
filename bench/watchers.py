"""`python -m bench.watchers`: many watchers of events, in a process of their own.

Reads a `Plan` as JSON from stdin and says "watching" when all watch; when a line comes on stdin it
writes what each of them saw, as JSON. Some hang up in the middle and resume from their last event.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import cast

import uvloop

EVENT = re.compile(rb"\nid: (\d+)\ndata: (\{.*?\})\n\n", re.DOTALL)
TIMESTAMP = re.compile(rb'"timestamp": ?"([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who watches what."""

    port: int
    token: str
    jobs: Sequence[str]  #: watcher n watches job n, and again from the first
    watchers: int
    resume_every: int  #: each so-manieth watcher hangs up after `resume_after` events
    resume_after: int


@dataclass(slots=True, kw_only=True)
class Seen:
    """What one watcher saw."""

    job: str
    start: int | None = None  #: the id that came with the state of the job, which is told first
    ids: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)  #: seconds since the event was written
    resumed: int = 0


class Watcher(asyncio.Protocol):
    """One connection that reads events."""

    def __init__(self, plan: Plan, seen: Seen, hang_up_after: int, watching: asyncio.Event) -> None:
        """`hang_up_after` events it hangs up; 0: never."""
        self._plan = plan
        self._seen = seen
        self._hang_up_after = hang_up_after
        self._watching = watching
        self._rest = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the events after the last one seen."""
        self._transport = cast(asyncio.Transport, transport)
        seen = self._seen
        newest = seen.ids[-1] if seen.ids else seen.start
        last = "" if newest is None else f"Last-Event-ID: {newest}\r\n"
        self._transport.write(
            f"GET /api/v1/jobs/{self._seen.job}/events HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {self._plan.token}\r\n{last}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Notes events."""
        self._watching.set()
        self._rest += data
        end = 0
        for found in EVENT.finditer(self._rest):
            end = found.end()
            self._note(int(found[1]), found[2])
        self._rest = self._rest[end:]
        if self._hang_up_after and len(self._seen.ids) >= self._hang_up_after:
            self._hang_up_after = 0
            self._transport.abort()

    def _note(self, number: int, data: bytes) -> None:
        if self._seen.start is None:
            self._seen.start = number
            return
        self._seen.ids.append(number)
        written = TIMESTAMP.search(data)
        if written:
            at = datetime.fromisoformat(written[1].decode()).timestamp()
            self._seen.delays.append(time.time() - at)

    def connection_lost(self, error: Exception | None) -> None:
        """Comes back, as an EventSource does."""
        self._seen.resumed += 1
        asyncio.get_running_loop().create_task(
            watch(self._plan, self._seen, self._hang_up_after, asyncio.Event())
        )


async def watch(plan: Plan, seen: Seen, hang_up_after: int, watching: asyncio.Event) -> None:
    """Connects."""
    loop = asyncio.get_running_loop()
    await loop.create_connection(
        lambda: Watcher(plan, seen, hang_up_after, watching), "127.0.0.1", plan.port
    )


async def carry_out(plan: Plan) -> list[Seen]:
    """Watches until a line comes on stdin."""
    everything = [Seen(job=plan.jobs[n % len(plan.jobs)]) for n in range(plan.watchers)]
    for number, seen in enumerate(everything):
        watching = asyncio.Event()
        resumes = plan.resume_every and number % plan.resume_every == 0
        await watch(plan, seen, plan.resume_after if resumes else 0, watching)
        await watching.wait()
    print("watching", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    return everything


if __name__ == "__main__":
    given = Plan(**json.loads(sys.stdin.readline()))
    print(json.dumps([asdict(seen) for seen in uvloop.run(carry_out(given))]))
