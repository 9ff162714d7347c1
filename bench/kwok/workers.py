"""Says over gRPC what the workers in fake pods would say, and does their work.

One server stands for all of them: the token of a call tells which worker it is for. A worker lives
as long as its pod runs. The journal says what was done, whatever the scheduler believes.
"""

import asyncio
import json
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import grpc

from bench.kwok.stages import ENDED
from videoannotator.domain.errors import NotLeader, WorkerUnreachable
from videoannotator.domain.jobs import Progress
from videoannotator.formats.manifest import Manifest, write_manifest
from videoannotator.rpc import convert
from videoannotator.rpc.auth import METADATA_KEY, SCHEME
from videoannotator.rpc.channel import server_options
from videoannotator.rpc.status import abort, answering
from videoannotator.rpc.tokens import sha256_hex
from videoannotator.rpc.work import Accepted, Assignment, Completed, Description
from videoannotator.scheduler.launchers.kubernetes import names
from videoannotator.v1 import inference_pb2, inference_pb2_grpc

TOKEN = "VIDEOANNOTATOR_WORKER_TOKEN_SHA256"  # noqa: S105 - the name of a variable
PROGRESS_SECONDS = 60.0
AGAIN_SECONDS = 0.2
LINE_BYTES = 16 << 20
MERGE = "application/merge-patch+json"


@dataclass
class Life:
    """One worker, while its pod runs."""

    worker_id: str
    pod: str  #: its path at the API server
    run_id: str
    epoch: int = 0  #: the highest that called
    annotated_by: int = 0  #: the highest that attached
    end: asyncio.Future[Completed] = field(default_factory=asyncio.Future)
    work: asyncio.Task[None] | None = None

    def admit(self, epoch: int) -> None:
        """Raises: NotLeader for a call of an old leader."""
        if epoch < self.epoch:
            raise NotLeader
        self.epoch = epoch


@dataclass
class Journal:
    """What the workers did."""

    running_at: defaultdict[str, dict[str, float]] = field(
        default_factory=lambda: defaultdict(dict)
    )  #: namespace -> pod -> when it was first seen to run
    written: Counter[str] = field(default_factory=Counter)  #: manifests of each run
    started: Counter[str] = field(default_factory=Counter)  #: attempts of each run that worked
    overlaps: Counter[str] = field(default_factory=Counter)  #: of a run with another of its own


class FakeWorkers(inference_pb2_grpc.InferenceServiceServicer):
    """Watches the pods and answers for them."""

    def __init__(self, api: str, pki: Path) -> None:
        """`api` is the API server, `pki` holds the administrator's certificate."""
        self.journal = Journal()
        self.lives: dict[str, Life] = {}  #: by the SHA-256 of the token
        self.release = asyncio.Event()  #: set: who works for ever ends now
        self.address = ""
        self._ended: set[str] = set()
        self._api = api
        self._context = ssl.create_default_context(cafile=pki / "ca.crt")
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._server = grpc.aio.server(options=server_options())
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession

    async def start(self) -> None:
        """Serves, and watches every pod from now on."""
        register: Any = inference_pb2_grpc.add_InferenceServiceServicer_to_server
        register(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        await self._server.start()
        connector = aiohttp.TCPConnector(ssl=self._context)
        self._session = aiohttp.ClientSession(
            self._api, connector=connector, read_bufsize=LINE_BYTES
        )
        self._begin(self._watch())

    async def close(self) -> None:
        """Ends all lives."""
        await self._server.stop(0)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def attached(self, epoch: int) -> int:
        """How many living workers have been attached to by this leadership or a later one."""
        return sum(life.annotated_by >= epoch for life in self.lives.values())

    @property
    def alive(self) -> bool:
        """It still watches: all tasks go well."""
        return not any(task.done() and task.exception() for task in self._tasks)

    # --- pods

    async def _watch(self) -> None:
        """Follows the pods of all namespaces; a kubelet would do so for its own."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                await self._follow(await self._list())
            await asyncio.sleep(AGAIN_SECONDS)

    async def _list(self) -> str:
        """Takes over what is there; from where to watch on."""
        async with self._session.get("/api/v1/pods") as answer:
            found = await answer.json()
        for pod in found["items"]:
            await self._note(pod, deleted=False)
        there = {_token(pod) for pod in found["items"]}
        for token in self.lives.keys() - there:
            self._end(token)
        return str(found["metadata"]["resourceVersion"])

    async def _follow(self, version: str) -> None:
        query = {"watch": "1", "resourceVersion": version}
        limit = aiohttp.ClientTimeout(total=None)
        async with self._session.get("/api/v1/pods", params=query, timeout=limit) as answer:
            async for line in answer.content:
                told = json.loads(line)
                if told["type"] == "ERROR":
                    return
                await self._note(told["object"], deleted=told["type"] == "DELETED")

    async def _note(self, pod: dict[str, Any], *, deleted: bool) -> None:
        metadata, phase = pod["metadata"], pod["status"].get("phase")
        running = phase == "Running" and not deleted
        if running:
            seen = self.journal.running_at[metadata["namespace"]]
            seen.setdefault(metadata["name"], time.monotonic())
        token = _token(pod)
        if token is None:
            return
        if running and token not in self.lives and token not in self._ended:
            self.lives[token] = Life(
                worker_id=metadata["annotations"][names.WORKER],
                pod=f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}",
                run_id=metadata["labels"][names.RUN],
            )
        elif not running and phase != "Pending" and token in self.lives:
            self._end(token)

    def _end(self, token: str) -> None:
        self._ended.add(token)
        life = self.lives.pop(token)
        life.end.cancel()
        if life.work is not None:
            life.work.cancel()

    async def _exit(self, life: Life) -> None:
        """The process ends by itself; kwok then says so of the pod."""
        patch = {"metadata": {"annotations": {ENDED: "yes"}}}
        headers = {"Content-Type": MERGE}
        async with self._session.patch(life.pod, data=json.dumps(patch), headers=headers):
            pass

    # --- work

    def _begin(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._tasks.discard(task)

    async def _work(self, life: Life, assignment: Assignment) -> None:
        self._journal_start(life)
        seconds = float(assignment.parameters.get("seconds", 0.0))
        with suppress(TimeoutError):
            await asyncio.wait_for(self.release.wait(), seconds)
        digest = await asyncio.to_thread(_write, assignment, self.journal)
        life.end.set_result(Completed(manifest_sha256=digest))

    def _journal_start(self, life: Life) -> None:
        self.journal.started[life.run_id] += 1
        others = [
            each
            for each in self.lives.values()
            if each.run_id == life.run_id and each is not life and each.work is not None
        ]
        self.journal.overlaps[life.run_id] += len(others)

    # --- calls

    def _life(self, context: Any) -> Life:
        """Raises: WorkerUnreachable when no pod of this worker runs."""
        told = dict(context.invocation_metadata())[METADATA_KEY].removeprefix(SCHEME)
        life = self.lives.get(sha256_hex(told))
        if life is None:
            raise WorkerUnreachable
        return life

    async def Describe(self, request: Any, context: Any) -> Any:  # noqa: N802
        """What the worker is."""
        async with answering(context):
            life = self._life(context)
            life.admit(request.epoch)
        return convert.description_to(
            Description(
                worker_id=life.worker_id,
                pipeline="journal",
                pipeline_version="1.0",
                product_version="1",
                identity=life.pod,
            )
        )

    async def Annotate(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Starts the work or finds it."""
        async with answering(context):
            life = self._life(context)
            life.admit(request.epoch)
        life.annotated_by = max(life.annotated_by, request.epoch)
        if life.work is None:
            life.work = self._begin(self._work(life, convert.assignment_from(request)))
        yield convert.event_to(Accepted(device="cpu"))
        position = 0.0
        while not life.end.done():
            position += 1.0
            yield convert.event_to(Progress(stage="work", position_seconds=position))
            await asyncio.wait([life.end], timeout=PROGRESS_SECONDS)
        if life.end.cancelled():
            await abort(context, WorkerUnreachable())
        yield convert.event_to(life.end.result())
        await self._exit(life)

    async def KeepAlive(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The worker is still wanted."""
        async with answering(context):
            life = self._life(context)
            life.admit(request.epoch)
        return inference_pb2.KeepAliveResponse(identity=life.pod)

    async def Stop(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The work shall stop and the process end."""
        async with answering(context):
            life = self._life(context)
            life.admit(request.epoch)
        if life.work is not None:
            life.work.cancel()
        self._begin(self._exit(life))
        return inference_pb2.StopResponse()


def _token(pod: dict[str, Any]) -> str | None:
    """The SHA-256 of the worker's token; None for a pod that is no worker."""
    env = pod["spec"]["containers"][0].get("env", [])
    return next((each["value"] for each in env if each["name"] == TOKEN), None)


def _write(assignment: Assignment, journal: Journal) -> str:
    folder = Path(str(assignment.directory))
    manifest = Manifest(
        product_version="1",
        pipeline=assignment.pipeline,
        pipeline_version="1.0",
        run_id=assignment.run_id,
        attempt=assignment.attempt,
        video_id=assignment.video_id,
        video_sha256=assignment.sha256,
        created_at=datetime.now(UTC),
    )
    digest = write_manifest(folder, manifest)
    journal.written[assignment.run_id] += 1  # here: nobody takes back what is written
    return digest
