"""The fake's HTTP side: the paths, verbs and answers of an API server that we use."""

import base64
import json
import ssl
from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from tests.fakes.kube.faults import Drop, ErrorLine, Fault, Faults, Hold, Refuse
from tests.fakes.kube.objects import Body, Objects
from tests.fakes.kube.selecting import selects
from tests.fakes.kube.streaming import Watch

PREFIX = "/apis/batch/v1|/api/v1"
LONGEST_NAME = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request, as it came."""

    kind: str  # such as create-jobs
    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str


class Behaviour(Protocol):
    """What the cluster behind the server does."""

    def create(self, kind: str, body: Body) -> Body:
        """Takes a new object."""
        ...

    def delete(self, kind: str, name: str, options: Body) -> Body:
        """Begins to delete an object that is there."""
        ...

    def log_of(self, pod: Body) -> str | None:
        """What a pod wrote; None when its container has not started."""
        ...


def status(code: int, reason: str, message: str, **details: object) -> Body:
    """A Status, as the API server explains itself."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure" if code >= 400 else "Success",
        "reason": reason,
        "message": message,
        "code": code,
        "details": details,
    }


def _answer(code: int, body: Body, retry_after: int | None = None) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return web.json_response(body, status=code, headers=headers)


def _failure(code: int, reason: str, message: str) -> web.Response:
    return _answer(code, status(code, reason, message))


class Server:
    """Answers on a loopback port; counts what it is asked."""

    def __init__(self, objects: Objects, behaviour: Behaviour) -> None:
        """Serves `objects`; what is created and deleted goes through `behaviour`."""
        self.objects = objects
        self.faults = Faults()
        self.received: list[Received] = []
        self.tokens: set[str] | None = None  # None: everybody is let in
        self.bookmark_seconds: float | None = None
        self.watches: set[Watch] = set()
        self.port = 0
        self._behaviour = behaviour
        self._pages: dict[str, tuple[int, list[Body]]] = {}
        self._runner: web.AppRunner | None = None

    def counts(self) -> Counter[str]:
        """How often each kind of request came."""
        return Counter(each.kind for each in self.received)

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listens, on the same port as before when there was one."""
        application = web.Application(client_max_size=16 << 20)
        for prefix in PREFIX.split("|"):
            base = prefix + "/namespaces/{namespace}/{plural}"
            application.router.add_route("*", base, self._handle)
            application.router.add_route("*", base + "/{name}", self._handle)
            application.router.add_route("*", base + "/{name}/{sub}", self._handle)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Goes away, as an API server that is restarted."""
        runner, self._runner = self._runner, None
        for watch in list(self.watches):
            watch.break_off()
        if runner is not None:
            await runner.cleanup()

    def close_watches(self) -> None:
        """Ends every open watch in order."""
        for watch in list(self.watches):
            watch.close()

    def break_watches(self) -> None:
        """Breaks the connection of every open watch."""
        for watch in list(self.watches):
            watch.break_off()

    def bookmark(self) -> None:
        """Tells every open watch how far the history is."""
        for watch in list(self.watches):
            watch.bookmark()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        received = await _received(request)
        self.received.append(received)
        if self.tokens is not None and received.token not in self.tokens:
            return _failure(401, "Unauthorized", "Unauthorized")
        fault = self.faults.take(received.kind)
        if isinstance(fault, Hold):
            await fault.released.wait()
        if isinstance(fault, Refuse | Drop):
            return await self._fail(request, received, fault)
        return await self._serve(request, received, fault)

    async def _fail(
        self, request: web.Request, received: Received, fault: Refuse | Drop
    ) -> web.StreamResponse:
        if fault.committed:
            await self._serve(request, received, None)
        if isinstance(fault, Drop):
            _abort(request)
            return web.Response()
        told = status(fault.status, fault.reason, fault.message)
        return _answer(fault.status, told, fault.retry_after_seconds)

    async def _serve(
        self, request: web.Request, received: Received, fault: Fault | None
    ) -> web.StreamResponse:
        plural, name = request.match_info["plural"], request.match_info.get("name")
        if received.kind.startswith("watch"):
            return await self._watch(request, received, fault)
        if name is None and received.method == "GET":
            return self._list(plural, received.query)
        if received.method == "POST":
            return self._create(plural, received.body, request.match_info["namespace"])
        return self._one(plural, str(name), received)

    def _one(self, plural: str, name: str, received: Received) -> web.Response:
        found = self.objects.get(plural, name)
        if found is None:
            return _failure(404, "NotFound", f'{plural} "{name}" not found')
        if received.kind == "log":
            return self._log(found, received.query)
        if received.method == "DELETE":
            return self._delete(plural, name, found, received.body or {})
        return _answer(200, found)

    def _create(self, plural: str, body: Body, namespace: str) -> web.Response:
        name = body.get("metadata", {}).get("name", "")
        if not name or len(name) > LONGEST_NAME:
            message = f'Job.batch "{name}" is invalid: metadata.name: Invalid value'
            return _failure(422, "Invalid", message)
        before = self.objects.get(plural, name)
        if before is not None:
            going = "object is being deleted: " if _goes(before) else ""
            message = f'{going}{plural} "{name}" already exists'
            return _failure(409, "AlreadyExists", message)
        made = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
        return _answer(201, self._behaviour.create(plural, made))

    def _delete(self, plural: str, name: str, found: Body, options: Body) -> web.Response:
        uid, wanted = found["metadata"]["uid"], (options.get("preconditions") or {}).get("uid")
        if wanted is not None and wanted != uid:
            message = (
                f'Operation cannot be fulfilled on {plural} "{name}": the UID in the precondition '
                f"({wanted}) does not match the UID in record ({uid}). "
                "The object might have been deleted and then recreated"
            )
            return _failure(409, "Conflict", message)
        return _answer(200, self._behaviour.delete(plural, name, options))

    def _log(self, pod: Body, query: dict[str, str]) -> web.Response:
        text = self._behaviour.log_of(pod)
        if text is None:
            message = "container is waiting to start: ContainerCreating"
            return _failure(400, "BadRequest", message)
        lines = text.splitlines()[-int(query.get("tailLines", "1000000")) :]
        return web.Response(text="\n".join(lines) + ("\n" if lines else ""))

    def _list(self, plural: str, query: dict[str, str]) -> web.Response:
        version, start = self.objects.version, 0
        token = query.get("continue")
        if token is None:
            found = [each for each in self.objects.all(plural) if _selected(query, each)]
        else:
            version, start = json.loads(base64.urlsafe_b64decode(token))
            if version < self.objects.compacted or token not in self._pages:
                return _failure(410, "Expired", "The provided continue parameter is too old")
            found = self._pages[token][1]
        end = start + int(query.get("limit") or len(found) or 1)
        metadata: Body = {"resourceVersion": str(version)}
        if end < len(found):
            following = base64.urlsafe_b64encode(json.dumps([version, end]).encode()).decode()
            self._pages[following] = (version, found)
            metadata["continue"] = following
        return _answer(200, {"kind": "List", "metadata": metadata, "items": found[start:end]})

    async def _watch(
        self, request: web.Request, received: Received, fault: Fault | None
    ) -> web.StreamResponse:
        plural = request.match_info["plural"]
        version = int(received.query.get("resourceVersion") or self.objects.version)
        if version < self.objects.compacted and fault is None:
            fault = ErrorLine()
        watch = Watch(self.objects, plural, received.query.get("labelSelector", ""), version)
        self.watches.add(watch)
        try:
            return await watch.serve(request, fault, self._seconds(received.query))
        finally:
            self.watches.discard(watch)

    def _seconds(self, query: dict[str, str]) -> tuple[float, float | None]:
        """How long a watch lasts, and how often it gets a bookmark."""
        wanted = self.bookmark_seconds if query.get("allowWatchBookmarks") else None
        return float(query.get("timeoutSeconds", "1800")), wanted


async def _received(request: web.Request) -> Received:
    raw = await request.read()
    token = request.headers.get("Authorization", "").partition(" ")[2]
    return Received(
        kind=_kind(request),
        method=request.method,
        path=request.path,
        query=dict(request.query),
        body=json.loads(raw) if raw else None,
        token=token,
    )


def _kind(request: web.Request) -> str:
    plural, verbs = request.match_info["plural"], {"POST": "create", "DELETE": "delete"}
    if request.match_info.get("sub") == "log":
        return "log"
    if request.method in verbs:
        return f"{verbs[request.method]}-{plural}"
    if request.match_info.get("name"):
        return f"get-{plural}"
    return f"watch-{plural}" if request.query.get("watch") in ("1", "true") else f"list-{plural}"


def _selected(query: dict[str, str], body: Body) -> bool:
    field, _, value = query.get("fieldSelector", "").partition("=")
    if field == "involvedObject.uid" and body.get("involvedObject", {}).get("uid") != value:
        return False
    return selects(query.get("labelSelector", ""), body)


def _goes(body: Body) -> bool:
    return "deletionTimestamp" in body["metadata"]


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
