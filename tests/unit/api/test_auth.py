"""Who may call what, decided before a body is read."""

import json
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from tests.fakes.api_site import ApiSite, client_of, open_site
from tests.fakes.http_server import served, wire
from videoannotator.api.app import ROUTERS
from videoannotator.api.auth import MISSING, PUBLIC
from videoannotator.domain.access import Role

#: What the public server answers without a key, and probes.
OPEN_ROUTES = {
    "/livez",
    "/readyz",
    "/metrics",
    "/health",
    "/api/v1/health",
    "/api/v1/system/health",
    "/api/v1/system/metrics",
    "/api/v1/system/config",
    "/api/v1/system/database",
    "/api/v1/pipelines",
    "/api/v1/pipelines/{name}",
    "/api/v1/pipelines/{name}/validate",
    "/api/v1/config/validate",
}
HEAD = (
    "POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    "Content-Length: 1000000000\r\n{more}\r\n"
)


def routes() -> list[APIRoute]:
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def test_what_is_open_to_strangers_is_a_short_known_list() -> None:
    paths = {route.path for route in routes()}

    assert {path for path in paths if PUBLIC.fullmatch(path)} == OPEN_ROUTES


def test_the_route_for_uploads_lets_the_framework_read_no_body() -> None:
    route = next(
        each for each in routes() if each.path == "/api/v1/jobs" and "POST" in each.methods
    )

    assert route.body_field is None


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", MISSING),
        ("Authorization: Basic eDp5\r\n", MISSING),
        ("Authorization: Bearer\r\n", MISSING),
        ("Authorization: Bearer va_wrong\r\n", "Invalid or expired token"),
        ("Authorization: Bearer " + "x" * 5000 + "\r\n", "Invalid or expired token"),
        ("Authorization: Bearer dev-token\r\n", "Invalid or expired token"),
        ("X-API-Key: va_wrong\r\n", MISSING),
    ],
)
async def test_a_stranger_is_refused_before_the_body(
    site: ApiSite, header: str, message: str
) -> None:
    async with served(site.app) as port, wire(port) as line:
        await line.send(HEAD.format(more=header).encode())  # and not a byte of the body

        head = await line.head()
        body = json.loads(await line.body(head))

    assert head.startswith("HTTP/1.1 401 ")
    assert "www-authenticate: bearer" in head.lower()
    assert (body["error"]["code"], body["detail"]) == ("HTTP_ERROR", message)
    assert site.files() == []


async def test_a_polite_client_is_told_not_to_send(site: ApiSite) -> None:
    async with served(site.app) as port, wire(port) as line:
        await line.send(HEAD.format(more="Expect: 100-continue\r\n").encode())

        assert (await line.head()).startswith("HTTP/1.1 401 ")


@pytest.mark.parametrize("path", sorted(OPEN_ROUTES))
async def test_strangers_and_wrong_keys_may_ask_what_is_open(site: ApiSite, path: str) -> None:
    path = path.replace("{name}", "scene_detection")
    method = "POST" if path.endswith("validate") else "GET"
    body = {"config": {}} if method == "POST" else None
    for key in (None, "va_wrong"):
        async with client_of(site.app, key) as stranger:
            answer = await stranger.request(method, path, json=body)

        assert answer.status_code == 200, path


async def test_a_revoked_key_is_over_at_once(site: ApiSite) -> None:
    ada = await site.client("ada")
    key = (await ada.get("/api/v1/me")).json()["key_id"]

    assert (await ada.delete(f"/api/v1/tokens/{key}")).status_code == 200
    assert (await ada.get("/api/v1/jobs")).status_code == 401


async def test_without_authentication_everybody_is_the_administrator(
    tmp_path: Path, empty_database: Path
) -> None:
    async with (
        open_site(tmp_path / "site", empty_database, required=False) as site,
        client_of(site.app, None) as anybody,
    ):
        answer = await anybody.get("/api/v1/me")

    assert answer.json()["role"] == "admin"


async def test_keys_are_made_listed_and_kept_apart(site: ApiSite) -> None:
    ada, bob = await site.client("ada"), await site.client("bob")
    made = (await ada.post("/api/v1/tokens", json={"name": "laptop"})).json()

    async with client_of(site.app, made["token"]) as laptop:
        assert (await laptop.get("/api/v1/me")).json()["name"] == "ada"
    listed = (await ada.get("/api/v1/tokens")).json()["tokens"]
    assert [key["name"] for key in listed] == ["test", "laptop"]
    assert "token" not in listed[1]
    assert (await bob.delete(f"/api/v1/tokens/{made['id']}")).status_code == 404
    theirs = {"name": "x", "user_id": made["user_id"]}
    assert (await bob.post("/api/v1/tokens", json=theirs)).status_code == 403
    assert (await site.admin.delete(f"/api/v1/tokens/{made['id']}")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/scheduler/drain"),
        ("POST", "/api/v1/workers/none/abandon"),
        ("GET", "/api/v1/debug/background-jobs"),
        ("GET", "/api/v1/jobs?owner=somebody"),
    ],
)
async def test_what_is_for_administrators(site: ApiSite, method: str, path: str) -> None:
    ada: httpx.AsyncClient = await site.client("ada", Role.RESEARCHER)

    answer = await ada.request(method, path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert (await site.admin.request(method, path)).status_code in (200, 404)


async def test_only_the_sites_origins_may_read_answers(site: ApiSite) -> None:
    async with client_of(site.app, None) as page:
        good = await page.get("/api/v1/jobs", headers={"Origin": "http://localhost:19011"})
        bad = await page.get("/api/v1/jobs", headers={"Origin": "http://evil.example"})
        asked = await page.options(
            "/api/v1/jobs",
            headers={
                "Origin": "http://localhost:19011",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )

    assert good.status_code == 401
    assert good.headers["access-control-allow-origin"] == "http://localhost:19011"
    assert "Content-Length" in good.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in good.headers
    assert "access-control-allow-origin" not in bad.headers
    assert asked.status_code == 200
