"""Every error has its answer, and every answer its one shape."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.fakes.api_site import ApiSite
from videoannotator.api.problems import ANSWERS, answer_of, refusal
from videoannotator.domain.errors import JobNotFound, VideoAnnotatorError


def tree(kind: type[VideoAnnotatorError]) -> Iterator[type[VideoAnnotatorError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith("videoannotator."):
            yield from tree(child)


def test_every_error_of_the_tree_is_in_the_table() -> None:
    assert {kind for kind in tree(VideoAnnotatorError) if kind not in ANSWERS} == set()


def test_an_error_of_tomorrow_is_answered_as_the_one_above_it() -> None:
    class ForeignJob(JobNotFound):
        """Of tomorrow."""

    assert answer_of(ForeignJob()) == ANSWERS[JobNotFound]


def test_a_caller_is_always_told_what_to_do_next() -> None:
    refused = [kind for kind, answer in ANSWERS.items() if answer.status < 500]

    told = {kind: json.loads(refusal(kind(), "").body)["error"]["hint"] for kind in refused}

    assert [kind for kind, hint in told.items() if not hint] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "NOT_FOUND"),
        ("GET", "/api/v1/nope", 404, "NOT_FOUND"),
        ("PUT", "/api/v1/jobs", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/v1/jobs/not-an-id", 404, "JOB_NOT_FOUND"),
        ("GET", "/api/v1/jobs/%00", 404, "JOB_NOT_FOUND"),
        ("GET", "/api/v1/jobs/..%2f..%2fetc", 404, "NOT_FOUND"),
        ("GET", "/api/v1/pipelines/nope", 404, "PIPELINE_NOT_FOUND"),
        ("GET", "/api/v1/jobs?page=0", 422, "INVALID_REQUEST"),
        ("GET", "/api/v1/jobs?per_page=101", 422, "INVALID_REQUEST"),
        ("POST", "/api/v1/jobs", 422, "INVALID_REQUEST"),
        ("POST", "/api/v1/workers/none/abandon", 404, "WORKER_NOT_FOUND"),
        ("GET", "/api/v1/queue", 503, "UNAVAILABLE"),
    ],
)
async def test_every_refusal_has_one_shape(
    site: ApiSite, method: str, path: str, status: int, code: str
) -> None:
    answer = await site.admin.request(method, path, headers={"X-Request-ID": "mine-1"})

    body = answer.json()
    assert (answer.status_code, body["error"]["code"]) == (status, code)
    assert body["detail"] == body["error"]["message"] != ""
    assert body["error"]["request_id"] == "mine-1" == answer.headers["x-request-id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", body["error"]["timestamp"])
    assert body["error"]["hint"]
    assert answer.headers["content-type"] == "application/json"


async def test_each_field_at_fault_is_named(site: ApiSite) -> None:
    answer = await site.admin.get("/api/v1/jobs?page=0&per_page=x")

    fields = {each["field"] for each in answer.json()["error"]["detail"]}
    assert fields == {"page", "per_page"}


async def test_malformed_json_is_a_bad_request(site: ApiSite) -> None:
    answer = await site.admin.post(
        "/api/v1/config/validate", content=b"{nope", headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_REQUEST"


async def test_json_that_is_nested_too_deep_is_told_with_a_way_out(site: ApiSite) -> None:
    answer = await site.admin.post(
        "/api/v1/config/validate",
        content=b'{"config": {"a": ' + b"[" * 2000 + b"]" * 2000 + b"}}",
        headers={"Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")
    assert answer.json()["error"]["hint"]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_large_body_is_refused(site: ApiSite, announced: bool) -> None:
    async def chunks():  # type: ignore[no-untyped-def]
        for _ in range(40):
            yield b" " * 65_536

    content = b" " * (40 * 65_536) if announced else chunks()
    answer = await site.admin.post(
        "/api/v1/config/validate", content=content, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "TOO_LARGE"


async def test_what_nobody_expected_is_told_without_a_traceback(site: ApiSite) -> None:
    async def broken() -> None:
        raise RuntimeError("a secret path /srv/data")

    site.app.add_api_route("/livez/broken", broken)
    answer = await site.admin.get("/livez/broken")

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "INTERNAL_SERVER_ERROR"
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "é", "a\tb", '"'])
async def test_a_strange_request_id_is_replaced(site: ApiSite, given: str) -> None:
    answer = await site.admin.get("/livez", headers={"X-Request-ID": given.encode()})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/pipelines", "/health", "/livez"])
async def test_a_slash_at_the_end_changes_nothing_and_head_has_no_body(
    site: ApiSite, path: str
) -> None:
    plain, slashed = await site.admin.get(path), await site.admin.get(path + "/")
    head = await site.admin.head(path)

    assert plain.status_code == slashed.status_code == head.status_code == 200
    assert set(plain.json()) == set(slashed.json())
    assert head.content == b""
