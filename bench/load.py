"""`python -m bench.load`: a load generator, in a process of its own so that it disturbs nobody.

Reads one JSON document from stdin (`Plan`) and writes one to stdout (`Outcome`). It speaks plain
HTTP/1.1 over connections that stay open; each connection sends its next request when it has read
the whole answer to the last one.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import cast
from uuid import uuid4

import uvloop

BOUNDARY = "bench"
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent."""

    port: int
    requests: int
    clients: int
    paths: Sequence[str] = ("/",)  #: taken in turn
    token: str = ""
    upload_bytes: int = 0  #: more than 0: a form with a file of so many bytes, each another one
    pipelines: str = ""  #: of the job that such a form asks for


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    seconds: float
    statuses: dict[str, int]
    latencies: tuple[float, ...]  #: seconds, sorted

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def quantile_milliseconds(self, share: float) -> float:
        """The time within which this share of the answers came."""
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)] * 1e3

    def require(self, status: int) -> "Outcome":
        """Itself, when every answer had this status."""
        if set(self.statuses) != {str(status)}:
            raise SystemExit(f"Answers other than {status}: {self.statuses}")
        return self


def run(plan: Plan) -> Outcome:
    """Carries out `plan` in another process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(plan)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Outcome(**json.loads(done.stdout))


class Requests:
    """The requests of a plan, as bytes, and what came of them."""

    def __init__(self, plan: Plan) -> None:
        """Nothing is sent yet."""
        self._plan = plan
        self._sent = 0
        self._filling = b"\0" * plan.upload_bytes
        self.latencies: list[float] = []
        self.statuses: dict[str, int] = {}

    def next(self) -> bytes | None:
        """The next request; None when all are sent."""
        plan, number = self._plan, self._sent
        if number == plan.requests:
            return None
        self._sent += 1
        key = f"Authorization: Bearer {plan.token}\r\n" if plan.token else ""
        head = f"{plan.paths[number % len(plan.paths)]} HTTP/1.1\r\nHost: bench\r\n{key}"
        if not plan.upload_bytes:
            return f"GET {head}\r\n".encode()
        body = self._form()
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        return f"POST {head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def _form(self) -> bytes:
        part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
        # No two files alike: the same bytes of one owner would be one video.
        unique = uuid4().bytes
        return (
            f'{part}selected_pipelines"\r\n\r\n{self._plan.pipelines}\r\n'
            f'{part}video"; filename="clip.mp4"\r\nContent-Type: video/mp4\r\n\r\n'.encode()
            + unique
            + self._filling[len(unique) :]
            + f"\r\n--{BOUNDARY}--\r\n".encode()
        )

    def answered(self, status: str, seconds: float) -> None:
        """Notes an answer."""
        self.latencies.append(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, requests: Requests, ended: asyncio.Future[None]) -> None:
        """`ended` is set when there is nothing left to send."""
        self._requests = requests
        self._ended = ended
        self._transport: asyncio.Transport
        self._began = 0.0
        self._answer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        request = self._requests.next()
        if request is None:
            self._transport.close()
            self._ended.set_result(None)
            return
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Sends the next request when the answer is whole."""
        self._answer += data
        head, found, rest = bytes(self._answer).partition(HEAD_END)
        if not found or len(rest) < _length(head):
            return
        self._requests.answered(head[9:12].decode(), time.perf_counter() - self._began)
        self._answer.clear()
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        """An answer that will not come any more ends the measurement."""
        if not self._ended.done():
            self._ended.set_exception(error or ConnectionResetError("The server hung up."))


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def carry_out(plan: Plan) -> Outcome:
    """Sends all requests and waits for the answers."""
    loop, requests = asyncio.get_running_loop(), Requests(plan)
    began, ends = time.perf_counter(), []
    for _ in range(plan.clients):
        ended: asyncio.Future[None] = loop.create_future()
        ends.append(ended)
        await loop.create_connection(
            lambda ended=ended: Connection(requests, ended), "127.0.0.1", plan.port
        )
    await asyncio.gather(*ends)
    return Outcome(
        seconds=time.perf_counter() - began,
        statuses=requests.statuses,
        latencies=tuple(round(each, 6) for each in sorted(requests.latencies)),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(carry_out(Plan(**json.load(sys.stdin)))))))
