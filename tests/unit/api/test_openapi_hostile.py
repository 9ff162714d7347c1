"""Requests that no client library sends, over a real socket: each is answered, and no more."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fakes.api_site import ApiSite
from tests.fakes.explorer import listening
from tests.fakes.explorer_hooks import INTERNAL
from videoannotator.api.app import routed
from videoannotator.rpc.queue import Queue

ROUTES: dict[str, Any] = routed().openapi()["paths"]
PATHS = sorted(ROUTES)
STREAMS = ("/api/v1/events/stream",)
UNREADABLE = b"Invalid HTTP request received."  # uvicorn's, before there is a request
LONGEST_SECONDS = 20.0

HOSTILE_IDS = [
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "..;",
    "%00",
    "a%00b",
    "%ff%fe",
    "%zz",
    "%",
    "%E2%82%AC",
    "%F0%9F%8E%AC",
    "%ED%A0%80",
    "%C0%AF",
    "%20",
    "%0d%0aSet-Cookie:%20a=b",
    "'%20OR%201=1--",
    "%22;DROP%20TABLE%20jobs;--",
    "-1",
    "0" * 5000,
    "null",
    "{job_id}",
    "$response.body",
]
HOSTILE_HEADERS = [
    b"Authorization: Bearer a\r\nAuthorization: Bearer b",
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: Basic YTpi",
    b"Authorization:",
    b"Authorization: Bearer " + b"x" * 20_000,
    b"X-Request-ID: " + b"x" * 20_000,
    b"X-Request-ID: a\r\nX-Request-ID: b",
    b"X-Request-ID: \xc3\x28\x00",
    b"X-Huge: " + b"x" * 60_000,
    b"Range: bytes=99999999999999999999-",
    b"Range: bytes=1-0,\xff",
    b"If-None-Match: \xff\xfe, *",
    b"Last-Event-ID: \xff",
    b"Origin: null",
    b"Origin: http://\xff",
    b"Content-Length: -1",
    b"Content-Length: 9" + b"9" * 30,
    b"Content-Length: 3\r\nContent-Length: 4",
    b"Transfer-Encoding: chunked\r\nContent-Length: 3",
    b"Content-Type: \xff",
    b"Accept: nothing/at-all",
    b"Accept-Encoding: \x01",
    b"Host: \xff",
    b"X-Forwarded-For: \xff\r\nX-Forwarded-Proto: javascript",
    b": nameless",
    b"No colon at all",
]
HOSTILE_BODIES = [
    (b"application/json", b'{"config": ' + b"[" * 5000),
    (b"application/json", b"\xff\xfe{}"),
    (b"application/json", b'{"config": {"a": "\\ud800"}}'),
    (b"application/json", b'{"config": {"a\\u0000": 1e999}}'),
    (b"application/json", b'{"config": {"scene_detection": {"threshold": NaN}}}'),
    (b"application/json", b'{"config": null}'),
    (b"application/json", b'"text"'),
    (b"application/json", b""),
    (b"application/json; charset=utf-16", b"\xff\xfe{\x00}\x00"),
    (b"text/plain", b'{"config": {}}'),
    (b"application/xml", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"),
    (b"multipart/form-data", b"--x\r\n\r\n--x--"),
    (
        b"multipart/form-data; boundary=x",
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--",
    ),
    (b"multipart/form-data; boundary=" + b"x" * 5000, b"--x"),
    (b'multipart/form-data; boundary="\xff"', b"--\xff"),
    (b"application/x-www-form-urlencoded", b"config=%ff&video_id=%00&%zz=%"),
    (b"application/x-www-form-urlencoded", b"video_id=a&video_id=b&priority=9" + b"9" * 5000),
    (b"application/x-www-form-urlencoded", b"video_id=a&selected_pipelines=%5B%22%5Cud800%22%5D"),
]
HOSTILE_QUERIES = [
    "page=%00",
    "page=1&page=2",
    "page=1000000&per_page=100",
    "search=%00",
    "search=%ff",
    "search=%25%27%22",
    "owner=%F0%9F%8E%AC",
    "created_after=0001-01-01T00:00:00%2B14:00",
    "created_before=9999-12-31T23:59:59-14:00",
    "created_after=0",
    "sort=%00",
    "status_filter=%00",
    "pipeline=%00",
    "pipeline=%ED%A0%80",
    "&&&=&",
    "%zz=%",
    "a" * 60_000,
]
NO_REQUESTS = [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    head: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server, and the key of somebody who has a finished job there."""

    address: str
    key: bytes
    job: str

    async def exchange(self, request: bytes, *, ends: bool = False) -> bytes:
        """Sends bytes, and that there will be no more; reads until the other side closes."""
        parts = urlsplit(self.address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(request)
            if ends:
                writer.write_eof()
            async with asyncio.timeout(LONGEST_SECONDS):
                return await reader.read()
        finally:
            writer.close()

    async def ask(
        self, method: str, path: str, *headers: bytes, body: bytes = b"", version: str = "1.1"
    ) -> Answer:
        """Sends a request with the key."""
        lines = [
            f"{method} {path} HTTP/{version}".encode(),
            b"Connection: close",
            *([] if any(each.startswith(b"Host") for each in headers) else [b"Host: site"]),
            *(
                []
                if any(each.startswith(b"Authorization") for each in headers)
                else [b"Authorization: Bearer " + self.key]
            ),
            *([b"Content-Length: %d" % len(body)] if body else []),
            *headers,
        ]
        return parsed(await self.exchange(b"\r\n".join(lines) + b"\r\n\r\n" + body))


def parsed(whole: bytes) -> Answer:
    head, _, body = whole.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    assert found, whole[:200]
    return Answer(status=int(found[1]), head=head.decode("latin-1").lower(), body=body)


@pytest.fixture
async def target(site: ApiSite) -> AsyncIterator[Target]:
    key = site.admin.headers["authorization"].split()[1]
    answer = await site.admin.post("/api/v1/jobs", files={"video": ("clip.mp4", b"video")})
    await site.finish(answer.json()["id"])
    site.scheduler.answer = an_empty_queue()
    async with listening(site.app) as address:
        yield Target(address=address, key=key.encode(), job=answer.json()["id"])


def an_empty_queue() -> Queue:
    return Queue(
        waiting=(),
        slots=(),
        max_workers=1,
        max_gpu_workers=0,
        epoch=1,
        draining=False,
        ticked_at=None,
    )


def judge(answer: Answer, sent: object) -> None:
    """Answered, not with a fault of ours, in the one shape, and nothing of the inside is told."""
    assert answer.status < 500, (sent, answer.body[:300])
    if answer.status < 400 or not answer.body or answer.body == UNREADABLE:
        return
    error: dict[str, Any] = json.loads(answer.body)["error"]
    assert set(error) >= {"code", "message", "hint", "timestamp", "request_id"}
    assert INTERNAL.search(answer.body.decode()) is None, (sent, answer.body)
    assert f"x-request-id: {error['request_id']}" in answer.head


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT"])
async def test_every_method_on_every_address_is_answered(target: Target, method: str) -> None:
    for path in PATHS:
        if path in STREAMS and method == "HEAD":
            continue
        filled = path.replace("{job_id}", target.job).replace("{", "").replace("}", "")

        answer = await target.ask(method, filled)

        judge(answer, (method, path))
        if method == "HEAD":
            assert answer.body == b"", path
        elif answer.status == 405:
            assert "allow: " in answer.head, path


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_every_address_is_answered_in_both_versions_of_http(
    target: Target, version: str
) -> None:
    for path in PATHS:
        if path not in STREAMS:
            filled = path.replace("{job_id}", target.job).replace("{", "").replace("}", "")
            judge(await target.ask("GET", filled, version=version), path)


async def test_a_strange_method_is_answered(target: Target) -> None:
    for method in ("PATCH", "TRACE", "QUERY", "get", "CONNECT", "X" * 100):
        answer = await target.ask(method, "/api/v1/jobs")

        judge(answer, method)
        assert answer.status in (400, 405), method


async def test_a_hostile_id_finds_nothing(target: Target) -> None:
    for hostile, path in product(HOSTILE_IDS, PATHS):
        if "{" in path:
            filled = re.sub(r"\{\w+\}", lambda _, each=hostile: each, path)
            method = "get" if "get" in ROUTES[path] else min(ROUTES[path])

            answer = await target.ask(method.upper(), filled)

            judge(answer, filled)
            assert answer.status >= 400, filled


async def test_a_hostile_header_is_answered(target: Target) -> None:
    archive = f"/api/v1/jobs/{target.job}/artifacts"
    for hostile, path in product(
        HOSTILE_HEADERS, ("/livez", "/api/v1/health", "/api/v1/jobs", archive)
    ):
        judge(await target.ask("GET", path, hostile), hostile)


async def test_a_hostile_body_is_answered(target: Target) -> None:
    taking = [path for path in PATHS if "requestBody" in ROUTES[path].get("post", {})]
    for (media_type, body), path in product(HOSTILE_BODIES, taking):
        filled = path.replace("{name}", "scene_detection")

        judge(await target.ask("POST", filled, b"Content-Type: " + media_type, body=body), path)


async def test_a_hostile_query_is_answered(target: Target) -> None:
    for query in HOSTILE_QUERIES:
        judge(await target.ask("GET", f"/api/v1/jobs?{query}"), query)


async def test_what_is_no_request_is_refused_and_the_server_goes_on(target: Target) -> None:
    for raw in NO_REQUESTS:
        whole = await target.exchange(raw, ends=True)

        assert whole == b"" or parsed(whole).status < 500, raw[:80]
        assert (await target.ask("GET", "/livez")).status == 200


async def test_a_head_has_the_headers_of_the_body_that_is_not_there(target: Target) -> None:
    for path in ("/api/v1/jobs", f"/api/v1/jobs/{target.job}/artifacts", "/api/v1/unknown"):
        whole = await target.ask("GET", path)

        head = await target.ask("HEAD", path)

        assert (head.status, head.body) == (whole.status, b"")
        assert f"content-length: {len(whole.body)}" in head.head


async def test_a_connection_goes_on_after_a_head(target: Target) -> None:
    head = b"HEAD /livez HTTP/1.1\r\nHost: site\r\n\r\n"
    get = b"GET /livez HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n"

    whole = await target.exchange(head + get)

    assert whole.count(b"HTTP/1.1 200 OK") == 2
    assert whole.endswith(b'{"status":"ok"}')
