"""One interface on both faces of a site: REST and gRPC, in the words of REST.

A refusal is raised as `Refused`, with the code that both faces tell.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import grpc
import httpx

from tests.fakes.api_site import ApiSite, client_of
from tests.fakes.http_server import served
from tests.fakes.plain import plain
from videoannotator.api.grpc_server import PublicServer
from videoannotator.rpc.auth import bearer
from videoannotator.rpc.status import error_of
from videoannotator.rpc.well_known import struct_to
from videoannotator.store.access import Access
from videoannotator.v1 import job_pb2 as j
from videoannotator.v1 import job_pb2_grpc, pipeline_pb2, pipeline_pb2_grpc

KINDS = ("rest", "grpc")
CHUNK_BYTES = 64 * 1024
SCENES = ("scene_detection",)


class Refused(Exception):
    """What a refusal says."""

    def __init__(self, code: str, message: str, hint: str, named: str | None) -> None:
        """`code` as REST tells it; `named` is the field at fault."""
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.hint, self.field = code, message, hint, named


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A submission. `content` None: of the stored video `video_id`, or of none."""

    content: bytes | None = b"video"
    filename: str = "clip.mp4"
    video_id: str | None = None
    pipelines: Sequence[str] = SCENES
    config: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that a watcher is told."""

    kind: str  #: heartbeat, update, log, complete, error, cancelled
    id: int | None
    data: dict[str, Any]


class Face(Protocol):
    """What a program can ask of a site, whichever way it asks."""

    def of(self, secret: str | None) -> "Face":
        """The same face for the holder of another key; None: without one."""

    async def submit(self, asked: Asked) -> dict[str, Any]:
        """A job."""

    async def get(self, job_id: str) -> dict[str, Any]:
        """A job."""

    async def listed(self, **which: Any) -> dict[str, Any]:
        """jobs, total, page, per_page. `which` are the fields of REST's query."""

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """The job."""

    async def delete(self, job_id: str) -> None:
        """Nothing."""

    def watch(self, job_id: str, after: int | None = None) -> AsyncGenerator[Told, None]:
        """What happens to a job until it has ended."""

    async def files(self, job_id: str) -> list[dict[str, Any]]:
        """Its result files."""

    async def read(self, job_id: str, file_id: str, start: int = 0, length: int = 0) -> bytes:
        """The bytes of a file; `length` 0: to its end."""

    async def pipelines(self) -> list[dict[str, Any]]:
        """Every pipeline."""

    async def pipeline(self, name: str) -> dict[str, Any]:
        """One pipeline."""

    async def validate(
        self, config: Mapping[str, Any], *, pipeline: str = "", selected: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What a check found."""


class Rest:
    """Over HTTP: in this process, but for what is streamed."""

    def __init__(self, site: ApiSite, stack: AsyncExitStack, client: httpx.AsyncClient) -> None:
        """`stack` closes what is opened on the way."""
        self._site, self._stack, self._client = site, stack, client

    def of(self, secret: str | None) -> "Rest":
        """With another key."""
        client = client_of(self._site.app, secret)
        self._site.opened.append(client)
        return Rest(self._site, self._stack, client)

    async def _json(self, method: str, path: str, **more: Any) -> Any:
        return _checked(await self._client.request(method, f"/api/v1{path}", **more))

    async def submit(self, asked: Asked) -> dict[str, Any]:
        """POST /jobs."""
        form = {
            "config": json.dumps(asked.config),
            "selected_pipelines": json.dumps(list(asked.pipelines)),
            "priority": str(asked.priority),
        }
        if asked.video_id is not None:
            form["video_id"] = asked.video_id
        files = None if asked.content is None else {"video": (asked.filename, asked.content)}
        headers = {"Idempotency-Key": asked.key} if asked.key else {}
        found: dict[str, Any] = await self._json(
            "POST", "/jobs", data=form, files=files, headers=headers
        )
        return found

    async def get(self, job_id: str) -> dict[str, Any]:
        """GET /jobs/{id}."""
        found: dict[str, Any] = await self._json("GET", f"/jobs/{job_id}")
        return found

    async def listed(self, **which: Any) -> dict[str, Any]:
        """GET /jobs."""
        found: dict[str, Any] = await self._json("GET", "/jobs", params=which)
        return found

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """POST /jobs/{id}/cancel."""
        found: dict[str, Any] = await self._json("POST", f"/jobs/{job_id}/cancel")
        return found

    async def delete(self, job_id: str) -> None:
        """DELETE /jobs/{id}."""
        await self._json("DELETE", f"/jobs/{job_id}")

    async def watch(self, job_id: str, after: int | None = None) -> AsyncGenerator[Told, None]:
        """GET /jobs/{id}/events."""
        port = await self._stack.enter_async_context(served(self._site.app))
        headers = dict(self._client.headers)
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        path = f"http://127.0.0.1:{port}/api/v1/jobs/{job_id}/events"
        async with (
            httpx.AsyncClient(headers=headers, timeout=20) as client,
            client.stream("GET", path) as response,
        ):
            if response.is_error:
                await response.aread()
                _checked(response)
            async for told in _told(response.aiter_lines()):
                yield told

    async def files(self, job_id: str) -> list[dict[str, Any]]:
        """GET /jobs/{id}/files."""
        found: list[dict[str, Any]] = (await self._json("GET", f"/jobs/{job_id}/files"))["files"]
        return found

    async def read(self, job_id: str, file_id: str, start: int = 0, length: int = 0) -> bytes:
        """GET /jobs/{id}/files/{id}."""
        end = str(start + length - 1) if length else ""
        headers = {"Range": f"bytes={start}-{end}"} if start or length else {}
        path = f"/api/v1/jobs/{job_id}/files/{file_id}"
        answer = await self._client.get(path, headers=headers)
        _checked(answer, body=False)
        return answer.content

    async def pipelines(self) -> list[dict[str, Any]]:
        """GET /pipelines."""
        found: list[dict[str, Any]] = (await self._json("GET", "/pipelines"))["pipelines"]
        return found

    async def pipeline(self, name: str) -> dict[str, Any]:
        """GET /pipelines/{name}."""
        found: dict[str, Any] = await self._json("GET", f"/pipelines/{name}")
        return found

    async def validate(
        self, config: Mapping[str, Any], *, pipeline: str = "", selected: Sequence[str] = ()
    ) -> dict[str, Any]:
        """POST /pipelines/{name}/validate, or /config/validate."""
        path = f"/pipelines/{pipeline}/validate" if pipeline else "/config/validate"
        body = {"config": config, "selected_pipelines": [*selected] or None}
        found: dict[str, Any] = await self._json("POST", path, json=body)
        return found


def _checked(answer: httpx.Response, *, body: bool = True) -> Any:
    if answer.is_error:
        error = answer.json()["error"]
        raise Refused(error["code"], error["message"], error["hint"], error.get("field"))
    return answer.json() if body and answer.content else None


async def _told(lines: AsyncIterator[str]) -> AsyncIterator[Told]:
    found: dict[str, str] = {}
    async for line in lines:
        name, _, value = line.partition(": ")
        if line:
            found[name] = value
            continue
        number = int(found["id"]) if "id" in found else None
        kind = found.get("event", "job.heartbeat").removeprefix("job.")
        yield Told(kind=kind, id=number, data=json.loads(found["data"]))
        found = {}


class Rpc:
    """Over gRPC, by a real server on a Unix socket."""

    def __init__(self, channel: grpc.aio.Channel, secret: str | None) -> None:
        """Brings `secret` with every call."""
        self._channel = channel
        self._metadata = bearer(secret) if secret else ()
        jobs: Any = job_pb2_grpc.JobServiceStub  # the generated code has no types
        pipelines: Any = pipeline_pb2_grpc.PipelineServiceStub
        self.jobs, self.catalogue = jobs(channel), pipelines(channel)

    def of(self, secret: str | None) -> "Rpc":
        """With another key."""
        return Rpc(self._channel, secret)

    async def _call(self, rpc: Any, request: Any) -> Any:
        try:
            return await rpc(request, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise refused(error) from error

    async def submit(self, asked: Asked) -> dict[str, Any]:
        """SubmitJob."""
        answer = await self._call(self.jobs.SubmitJob, messages_of(asked))
        return plain(answer.job)

    async def get(self, job_id: str) -> dict[str, Any]:
        """GetJob."""
        answer = await self._call(self.jobs.GetJob, j.GetJobRequest(job_id=job_id))
        return plain(answer.job)

    async def listed(self, **which: Any) -> dict[str, Any]:
        """ListJobs."""
        if "status_filter" in which:
            which["status"] = f"JOB_STATE_{which.pop('status_filter').upper()}"
        if "sort" in which:
            which["sort"] = f"JOB_ORDER_{which['sort'].upper()}"
        for name in {"created_after", "created_before"} & set(which):
            which[name] = datetime.fromisoformat(which[name])
        return plain(await self._call(self.jobs.ListJobs, j.ListJobsRequest(**which)))

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """CancelJob."""
        answer = await self._call(self.jobs.CancelJob, j.CancelJobRequest(job_id=job_id))
        return plain(answer.job)

    async def delete(self, job_id: str) -> None:
        """DeleteJob."""
        await self._call(self.jobs.DeleteJob, j.DeleteJobRequest(job_id=job_id))

    async def watch(self, job_id: str, after: int | None = None) -> AsyncGenerator[Told, None]:
        """WatchJob."""
        request = j.WatchJobRequest(job_id=job_id, after_event_id=after)
        async for told in self._stream(self.jobs.WatchJob, request):
            found = plain(told)
            data = found["job"] or found["log"] or {}
            data["timestamp"] = found["timestamp"]
            yield Told(kind=found["kind"], id=found["event_id"], data=data)

    async def files(self, job_id: str) -> list[dict[str, Any]]:
        """ListArtifacts."""
        request = j.ListArtifactsRequest(job_id=job_id)
        answer = await self._call(self.jobs.ListArtifacts, request)
        return [plain(each) for each in answer.artifacts]

    async def read(self, job_id: str, file_id: str, start: int = 0, length: int = 0) -> bytes:
        """ReadArtifact."""
        request = j.ReadArtifactRequest(
            job_id=job_id, artifact_id=file_id, offset_bytes=start, length_bytes=length
        )
        messages = [each async for each in self._stream(self.jobs.ReadArtifact, request)]
        assert [each.WhichOneof("content") for each in messages][:1] == ["header"]
        return b"".join(each.chunk for each in messages[1:])

    async def _stream(self, rpc: Any, request: Any) -> AsyncIterator[Any]:
        call = rpc(request, metadata=self._metadata, timeout=30)
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise refused(error) from error
        finally:
            call.cancel()

    async def pipelines(self) -> list[dict[str, Any]]:
        """ListPipelines."""
        request = pipeline_pb2.ListPipelinesRequest()
        answer = await self._call(self.catalogue.ListPipelines, request)
        return [plain(each) for each in answer.pipelines]

    async def pipeline(self, name: str) -> dict[str, Any]:
        """GetPipeline."""
        request = pipeline_pb2.GetPipelineRequest(name=name)
        return plain((await self._call(self.catalogue.GetPipeline, request)).pipeline)

    async def validate(
        self, config: Mapping[str, Any], *, pipeline: str = "", selected: Sequence[str] = ()
    ) -> dict[str, Any]:
        """ValidateParameters."""
        request = pipeline_pb2.ValidateParametersRequest(
            config=struct_to(config), pipeline=pipeline, selected_pipelines=selected
        )
        return plain(await self._call(self.catalogue.ValidateParameters, request))


def messages_of(asked: Asked) -> list[j.SubmitJobRequest]:
    """A submission as the messages of SubmitJob."""
    wanted = j.JobSpecification(
        selected_pipelines=asked.pipelines,
        config=struct_to(asked.config),
        priority=asked.priority,
        idempotency_key=asked.key,
        video_id=asked.video_id,
    )
    content = asked.content or b""
    if asked.content is not None:
        upload = j.VideoUpload(filename=asked.filename, size_bytes=len(content))
        wanted.upload.CopyFrom(upload)
    pieces = range(0, len(content), CHUNK_BYTES)
    chunks = [j.SubmitJobRequest(chunk=content[at : at + CHUNK_BYTES]) for at in pieces]
    return [j.SubmitJobRequest(specification=wanted), *chunks]


def refused(error: grpc.aio.AioRpcError) -> Refused:
    """What a failed call says."""
    trailers: Any = error.trailing_metadata() or ()
    code = dict(trailers).get("videoannotator-code", error.code().name)
    meant = error_of(error)
    assert meant.message.startswith(error.details() or "")
    return Refused(code, meant.message, meant.hint, meant.field)


@asynccontextmanager
async def rpc_server(site: ApiSite) -> AsyncIterator[str]:
    """The public gRPC server of a site; its target."""
    server = PublicServer(site.operations, Access(site.database), site.settings, site.blobs)
    # A name of a test is too long for a socket.
    with TemporaryDirectory(prefix="va-") as folder:
        target = f"unix:{Path(folder) / 'grpc'}"
        await server.start(target, None)
        try:
            yield target
        finally:
            await server.stop(0.2)


@asynccontextmanager
async def opened_face(kind: str, site: ApiSite) -> AsyncIterator[Face]:
    """A face of the site, for its administrator. Asking must end before the face is closed."""
    async with AsyncExitStack() as stack:
        if kind == "rest":
            yield Rest(site, stack, site.admin)
        else:
            target = await stack.enter_async_context(rpc_server(site))
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(target))
            yield Rpc(channel, secret_of(site.admin))


def secret_of(client: httpx.AsyncClient) -> str | None:
    """The key of a client."""
    return client.headers.get("authorization", "").removeprefix("Bearer ") or None
