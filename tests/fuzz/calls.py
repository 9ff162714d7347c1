"""Mutated calls to every gRPC service of ours: see supervising.py for the arguments."""

import asyncio
import json
import logging
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import grpc

from tests.fakes.site import Site, quick_settings
from tests.fuzz.forms import BOUNDARY, Form, Part
from tests.fuzz.messages import Hints, Metadata, Method, damaged, frames, made, metadata, methods_of
from tests.fuzz.serving import LEAKED, Service, api
from tests.fuzz.sources import read_sources
from tests.fuzz.telling import Teller, dice_for
from videoannotator.domain.failures import Code
from videoannotator.inference.contact import Contact
from videoannotator.inference.server import WorkerServer
from videoannotator.inference.service import Service as Work
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.rpc.auth import bearer
from videoannotator.rpc.keyfiles import internal_token
from videoannotator.rpc.tokens import sha256_hex
from videoannotator.telemetry import is_ours
from videoannotator.v1 import inference_pb2, job_pb2, pipeline_pb2, scheduler_pb2

PART = "calls"
TOKEN = "a token for tests"
ANSWER_SECONDS = 60.0  #: of a call that ends by itself
WATCH_SECONDS = 2.0  #: of a call that may go on for ever
#: What the library says when a server has answered before it took the whole stream: the status is
#: lost then.
CLIENTS_OWN = "Internal error from Core"
MOST_MESSAGES = 4  #: of a stream that would go on
QUIET_SECONDS = 0.1  #: before a client goes away that sent no proper frames
#: Never ours, whatever was sent.
FORBIDDEN = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS}
LATEST_EPOCH = 2**63 - 1


@dataclass(slots=True, kw_only=True)
class Target:
    """A service that can be called."""

    name: str
    address: str
    methods: list[Method]
    right: Metadata
    hints: Hints
    good: tuple[str, bytes]  #: a call that is answered with OK: method and message
    wrong: Callable[[], Iterator[str]] = field(default=lambda: iter(()))
    recorded: bytes = b""  #: what a client sends for the good call


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A call as it is made; `raw` bytes are sent as they are."""

    kind: str
    method: Method
    messages: tuple[bytes, ...] = ()
    beside: Metadata = ()
    raw: bytes = b""
    leaves_after: int | None = None  #: so many messages the client goes away

    def kept(self) -> str:
        """To be read by somebody who wants to know."""
        return json.dumps(
            {
                "kind": self.kind,
                "method": self.method.path,
                "messages": [each.hex() for each in self.messages],
                "metadata": [[key, str(value)] for key, value in self.beside],
                "raw": self.raw.hex(),
            }
        )


def chosen(target: Target, dice: Random) -> Sent:
    """One call with something wrong about it, or with a message that says anything."""
    method, right = dice.choice(target.methods), target.right
    count = dice.choice((0, 1, 2, 3, 30)) if method.streams_in else 1
    messages = tuple(
        made(method.request, dice, target.hints).SerializeToString() for _ in range(count)
    )
    leaves = dice.randrange(count + 1) if method.streams_in and dice.random() < 0.2 else None
    kind = dice.choices(("anything", "damaged", "metadata", "frames", "method"), (9, 5, 3, 3, 1))[0]
    if kind == "frames":
        return Sent(kind=kind, method=method, raw=frames(target.recorded, dice))
    if kind == "damaged":
        messages = tuple(damaged(each, dice) for each in messages)
        if dice.random() < 0.05:
            messages = (bytes(dice.choice((4 * 1024**2 - 100, 5 * 1024**2))),)
    if kind == "method":
        path = dice.choice((method.path + "x", "/a/b", "/", "nothing", "//", method.path.lower()))
        method = Method(path=path, request=method.request, streams_in=True, streams_out=True)
    beside = metadata(right, dice) if kind == "metadata" else right
    return Sent(kind=kind, method=method, messages=messages, beside=beside, leaves_after=leaves)


#: The library repeats numbers of ours, in its words for frames that it could not read.
UNREADABLE = re.compile(rb"Failed parsing HTTP/2 \([^)]*\)")


async def judge(target: Target, sent: Sent) -> tuple[str, list[str]]:
    """How a call ended, and what was wrong with that."""
    if sent.kind == "frames":
        answer = await asyncio.to_thread(exchange, target.address, sent.raw)
        leaked = LEAKED.search(UNREADABLE.sub(b"", answer))
        return ("answered" if answer else "left"), [f"tells too much: {answer!r}"] if leaked else []
    async with grpc.aio.insecure_channel(target.address) as channel:
        return await called(channel, sent)


def exchange(address: str, raw: bytes) -> bytes:
    """Sends bytes, and goes away when nothing more comes."""
    with connected(address) as connection, suppress(OSError):
        connection.sendall(raw)
        connection.settimeout(QUIET_SECONDS)
        answer = b""
        with suppress(OSError):
            while piece := connection.recv(65536):
                answer += piece
        return answer
    return b""


def connected(address: str) -> socket.socket:
    """A plain connection to where a server listens."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


async def called(channel: grpc.aio.Channel, sent: Sent) -> tuple[str, list[str]]:
    """Makes the call; its status."""
    call = _begun(channel, sent)
    try:
        async for number in _counted(call):
            if number == MOST_MESSAGES or sent.leaves_after is not None:
                call.cancel()
                break
        status, details = await call.code(), await call.details()
        trailers = list(await call.trailing_metadata() or ())
    except asyncio.CancelledError:
        return "LEFT", []
    except grpc.aio.AioRpcError as error:
        status, details = error.code(), error.details()
        trailers = list(error.trailing_metadata() or ())
    if details == CLIENTS_OWN:
        return "refused while it was sent", []
    told = f"{details} {trailers}"
    wrong = [f"answered {status}: {told[:600]}"] if status in FORBIDDEN else []
    if status is grpc.StatusCode.DEADLINE_EXCEEDED and not sent.method.streams_out:
        wrong.append("no answer in time")
    if LEAKED.search(told.encode()):
        wrong.append(f"tells too much: {told[:600]}")
    return status.name, [f"{sent.method.path}: {each}" for each in wrong]


def _begun(channel: grpc.aio.Channel, sent: Sent) -> Any:
    """One that takes a stream of answers fits every kind of rpc."""
    if sent.method.streams_in:
        many: Any = channel.stream_stream(sent.method.path)
        return many(_each(sent), metadata=sent.beside, timeout=ANSWER_SECONDS)
    one: Any = channel.unary_stream(sent.method.path)
    seconds = WATCH_SECONDS if sent.method.streams_out else ANSWER_SECONDS
    return one(sent.messages[0], metadata=sent.beside, timeout=seconds)


async def _counted(call: Any) -> AsyncIterator[int]:
    count = 0
    async for _ in call:
        count += 1
        yield count


async def _each(sent: Sent) -> AsyncIterator[bytes]:
    for number, message in enumerate(sent.messages):
        if number == sent.leaves_after:
            raise asyncio.CancelledError
        yield message


async def serves(target: Target) -> list[str]:
    """Whether the good call is answered well."""
    path, message = target.good
    async with grpc.aio.insecure_channel(target.address) as channel:
        try:
            call: Any = channel.unary_unary(path)
            await call(message, metadata=target.right, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            return [f"a good call got {error.code()}: {error.details()}"]
    return []


async def record(target: Target) -> bytes:
    """What a client sends for the good call: listens between the two."""
    heard = bytearray()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with connected(target.address) as plain:
            plain.setblocking(False)
            far, near = await asyncio.open_connection(sock=plain)
            await asyncio.gather(_pass_on(reader, near, heard), _pass_on(far, writer, bytearray()))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    near = Target(**{**_fields(target), "address": f"127.0.0.1:{port}"})
    assert await serves(near) == []
    server.close()
    return bytes(heard)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray
) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            heard += piece
            writer.write(piece)
            await writer.drain()
    writer.close()


def _fields(target: Target) -> dict[str, Any]:
    return {name: getattr(target, name) for name in Target.__slots__}


# --- the services


class Complaints(logging.Handler):
    """What servers of this process log as an error."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps it, unless it says that work was refused for a reason that its owner is told."""
        line = self.format(record)
        refused = "'event': 'work failed'" in line and Code.PIPELINE_ERROR not in line
        if is_ours(record) and not refused:
            self.lines.append(line)

    def taken(self) -> Iterator[str]:
        """What came since it was asked last."""
        lines, self.lines = self.lines, []
        yield from (f"logged: {line[-2000:]}" for line in lines)


@asynccontextmanager
async def worker(folder: Path, pipeline: str, video: Path) -> AsyncIterator[Target]:
    """A worker that has no work yet, in this process."""
    spec = Catalogue.load().get(pipeline)
    service = Work(
        spec, Contact(600.0), worker_id="w", identity="i", on_failure=lambda failure: None
    )
    server = WorkerServer(service, sha256_hex(TOKEN))
    address = f"unix:{folder / 'w.sock'}"
    await server.start(address)
    results = folder / "results"
    results.mkdir(exist_ok=True)
    size_bytes = video.stat().st_size  # noqa: ASYNC240 - of a small local file
    described = inference_pb2.DescribeRequest(epoch=LATEST_EPOCH).SerializeToString()
    try:
        yield Target(
            name="worker",
            address=address,
            methods=methods_of(
                inference_pb2.DESCRIPTOR.services_by_name["InferenceService"], vars(inference_pb2)
            ),
            right=bearer(TOKEN),
            hints={
                "epoch": (1, 2, 0, -1),
                "pipeline": (pipeline,),
                "path": (str(video), str(folder), "/dev/null"),
                "directory": (str(results), str(folder / "missing"), str(video)),
                "size_bytes": (size_bytes,),
                "run_id": ("run",),
                "key": tuple(spec.parameters.model_fields),
            },
            good=("/videoannotator.v1.InferenceService/Describe", described),
        )
    finally:
        await service.wind_up(10.0)
        await server.stop(0.0)


@asynccontextmanager
async def scheduler(folder: Path) -> AsyncIterator[Target]:
    """A scheduler that leads a site in which nothing happens, in this process."""
    site = await Site.open(quick_settings(folder / "site"))
    async with site.scheduling() as scheduling:
        while not scheduling.leading:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
        service = scheduler_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
        yield Target(
            name="scheduler",
            address=scheduling.address,
            methods=methods_of(service, vars(scheduler_pb2)),
            right=bearer(internal_token(site.settings)),
            hints={},
            good=(f"/{service.full_name}/Wake", b""),
        )
    await site.close()


def public(service: Service, video: bytes) -> Target:
    """JobService and PipelineService of an api."""
    job, video_id = submitted(service, video)
    jobs = job_pb2.DESCRIPTOR.services_by_name["JobService"]
    pipelines = pipeline_pb2.DESCRIPTOR.services_by_name["PipelineService"]
    return Target(
        name="public",
        address=service.grpc,
        methods=[
            *methods_of(jobs, vars(job_pb2)),
            *methods_of(pipelines, vars(pipeline_pb2)),
        ],
        right=bearer(service.key),
        hints={
            "job_id": (job, job, "0" * 32),
            "video_id": (video_id,),
            "pipeline": ("scene_detection",),
            "name": ("scene_detection", "voice_activity"),
            "selected_pipelines": ("scene_detection", "voice_activity"),
            "key": ("scene_detection", "voice_activity", "threshold", "detector"),
            "page": (1,),
            "per_page": (1, 20),
            "size_bytes": (len(video), 0),
            "chunk": (video[:1000], b""),
            "filename": ("clip.mp4",),
            "priority": (0,),
        },
        good=(
            f"/{jobs.full_name}/ListJobs",
            job_pb2.ListJobsRequest(per_page=1).SerializeToString(),
        ),
        wrong=service.wrong,
    )


def submitted(service: Service, video: bytes) -> tuple[str, str]:
    """A job that waits, and its video."""
    part = Part(name="video", content=video, filename="clip.mp4")
    form = Form(parts=(part,), boundary=BOUNDARY.encode())
    answer = service.exchange(form.request(service.key), 30.0)
    told = json.loads(re.search(rb"\{.*\}", answer, re.DOTALL)[0])  # type: ignore[index]
    return told["id"], told.get("video_id", "")


async def play(folder: Path, seed: int, numbers: range) -> None:
    """Makes the calls of these numbers."""
    sources = folder / "sources"
    video = sources / "speech.wav"
    teller, complaints = Teller(), Complaints()
    logging.getLogger().addHandler(complaints)
    async with AsyncExitStack() as stack:
        service = stack.enter_context(api(folder))
        both = [
            public(service, read_sources(sources)["h264.mp4"]),
            await stack.enter_async_context(scheduler(folder)),
        ]
        for target in both:
            target.recorded = await record(target)
        # A worker of its own: the good call shows it the latest epoch, and no other counts then.
        async with worker(folder, "voice_activity", video) as first:
            recorded = await record(first)
        for number in numbers:
            dice = dice_for(seed, PART, number)
            teller.begin(number)
            if dice.random() < 0.3:
                work = worker(folder, dice.choice(("voice_activity", "scene_detection")), video)
                async with work as target:
                    target.recorded = recorded
                    told = await one(folder, target, number, dice)
            else:
                target = dice.choices(both, (5, 1))[0]
                told = await one(folder, target, number, dice)
            kind, outcome, wrong = told
            wrong += complaints.taken()
            if not wrong:
                (folder / "inputs" / f"{number}.json").unlink()
            teller.end(f"{target.name} {kind}", outcome, wrong)


async def one(
    folder: Path, target: Target, number: int, dice: Random
) -> tuple[str, str, list[str]]:
    """Makes one call; its kind, how it ended and what was wrong."""
    sent = chosen(target, dice)
    (folder / "inputs" / f"{number}.json").write_text(sent.kept(), encoding="utf-8")
    outcome, wrong = await judge(target, sent)
    wrong += target.wrong()
    wrong += await serves(target)
    return sent.kind, outcome, wrong


def main(folder: Path, seed: int, first: int, last: int) -> None:
    """Makes the calls of these numbers, in a folder of its own: a message may name any file."""
    (folder / "inputs").mkdir(exist_ok=True)
    (folder / "empty").mkdir(exist_ok=True)
    os.chdir(folder / "empty")
    asyncio.run(play(folder, seed, range(first, last)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
