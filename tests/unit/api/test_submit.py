"""Submitting: every field, every refusal, and nothing left behind."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api_site import ApiSite, open_site
from tests.fakes.http_server import served, wire
from videoannotator.store.videos import Videos

NESTED = '{"scene_detection": {"a": ' + "[" * 300 + "]" * 300 + "}}"
SCENES = {"selected_pipelines": "scene_detection"}


async def submit(site: ApiSite, content: bytes = b"video", **data: str) -> Any:
    return await site.admin.post(
        "/api/v1/jobs", files={"video": ("clip.mp4", content)}, data={**SCENES, **data}
    )


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/jobs/"])
async def test_a_submitted_video_is_stored_once_under_ids(site: ApiSite, path: str) -> None:
    answer = await site.admin.post(path, files={"video": ("clip.mp4", b"abc")}, data=SCENES)

    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["status"], job["video_filename"], job["video_size_bytes"]) == (
        "pending",
        "clip.mp4",
        3,
    )
    assert site.files() == [f"videos/{job['owner']}/{job['video_id']}/source"]
    assert site.scheduler.wakes == 1


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - a folder tells nobody
            await asyncio.sleep(0.01)


def multipart(*parts: tuple[str, bytes]) -> bytes:
    shown = b"".join(
        b"--b\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + body + b"\r\n"
        for head, body in parts
    )
    return shown + b"--b--\r\n"


VIDEO = ('name="video"; filename="a.mp4"', b"abc")
PIPELINES = ('name="selected_pipelines"', b"voice_activity")
CONFIG = ('name="config"', b'{"voice_activity": {"threshold": 7}}')
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    "parts", [(VIDEO, PIPELINES, CONFIG), (CONFIG, PIPELINES, VIDEO), (CONFIG, VIDEO, PIPELINES)]
)
async def test_fields_come_in_any_order(site: ApiSite, parts: tuple[Any, ...]) -> None:
    answer = await site.admin.post("/api/v1/jobs", content=multipart(*parts), headers=FORM)

    assert answer.status_code == 201
    assert answer.json()["runs"][0]["parameters"]["threshold"] == 7


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ("voice_activity, scene_detection", ["voice_activity", "scene_detection"]),
        ('["voice_activity", "scene_detection"]', ["voice_activity", "scene_detection"]),
        ("scene_detection,scene_detection,scene", ["scene_detection"]),
        ("", ["scene_detection", "voice_activity"]),
        ("[]", ["scene_detection", "voice_activity"]),
    ],
)
async def test_pipelines_are_chosen(site: ApiSite, selected: str, expected: list[str]) -> None:
    answer = await submit(site, selected_pipelines=selected)

    assert answer.json()["selected_pipelines"] == expected


@pytest.mark.parametrize(
    ("config", "threshold", "ignored"),
    [
        ("", 3.5, {}),
        ("{}", 3.5, {}),
        ('{"scene_detection": {"threshold": 9}}', 9, {}),
        ('{"scene": {"threshold": 9}}', 9, {}),
        ('{"threshold": 9}', 9, {}),
        ('{"threshold": 9, "scene_detection": {"threshold": 8}}', 8, {}),
        ('{"scene_detection": {"treshold": 9}}', 3.5, {"treshold": "threshold"}),
        ('{"video_processing": {"fps": 5}}', 3.5, {"video_processing": ""}),
        ('{"voice_activity": {"threshold": 10, "x": 1}}', 3.5, {}),
        ('{"face_analysis": {"threshold": 10}}', 3.5, {}),
    ],
)
async def test_a_configuration_is_applied_and_what_nobody_knows_is_told(
    site: ApiSite, config: str, threshold: float, ignored: dict[str, str]
) -> None:
    run = (await submit(site, config=config)).json()["runs"][0]

    assert run["parameters"]["threshold"] == threshold
    assert run["ignored_parameters"] == ignored


@pytest.mark.parametrize(
    ("data", "status", "code", "field", "told"),
    [
        ({"config": "{nope"}, 400, "INVALID_REQUEST", "config", "not valid JSON"),
        ({"config": "[1]"}, 400, "INVALID_REQUEST", "config", "JSON object"),
        ({"config": "[" * 100_000}, 400, "INVALID_REQUEST", "config", "not valid JSON"),
        ({"config": "x" * 300_000}, 413, "TOO_LARGE", None, "field of the form"),
        (
            {"config": '{"scene_detection": {"threshold": 101}}'},
            400,
            "INVALID_CONFIG",
            "scene_detection.threshold",
            "0 to 100",
        ),
        (
            {"config": '{"voice_activity": {"threshold": 1000}}'},
            400,
            "INVALID_CONFIG",
            "voice_activity.threshold",
            "0 to 100",
        ),
        (
            {"config": '{"threshold": 9, "face_analysis": {"threshold": -1}}'},
            400,
            "INVALID_CONFIG",
            "face_analysis.threshold",
            "0 to 100",
        ),
        ({"config": '{"a": NaN}'}, 400, "INVALID_REQUEST", "config", "not valid JSON"),
        ({"config": '{"a": 1e999}'}, 400, "INVALID_REQUEST", "config", "too large"),
        ({"config": '{"a": [-%s]}' % ("9" * 400)}, 400, "INVALID_REQUEST", "config", "too large"),
        ({"config": NESTED}, 400, "INVALID_REQUEST", "config", "too deep"),
        ({"config": '{"a": "\\ud800"}'}, 400, "INVALID_REQUEST", "config", "UTF-8"),
        (
            {"config": '{"scene_detection": 7}'},
            400,
            "INVALID_CONFIG",
            "scene_detection",
            "JSON object",
        ),
        (
            {"selected_pipelines": "scene_detecton"},
            400,
            "INVALID_CONFIG",
            "selected_pipelines",
            "Known pipelines: face_analysis, scene_detection, voice_activity",
        ),
        ({"selected_pipelines": "[1]"}, 400, "INVALID_REQUEST", "selected_pipelines", "names"),
        (
            {"selected_pipelines": "face_analysis"},
            409,
            "PIPELINE_UNAVAILABLE",
            "face_analysis",
            "pip install",
        ),
        ({"selected_pipelines": "face"}, 409, "PIPELINE_UNAVAILABLE", "face_analysis", "pip"),
        ({"selected_pipelines": "person"}, 400, "INVALID_CONFIG", "selected_pipelines", "person"),
        ({"priority": "101"}, 400, "INVALID_REQUEST", "priority", "-100 to 100"),
        ({"priority": "high"}, 400, "INVALID_REQUEST", "priority", "whole number"),
        ({"video_id": "x"}, 400, "INVALID_REQUEST", "video", "either"),
    ],
)
async def test_a_refused_request_says_why_and_leaves_nothing(
    site: ApiSite, data: dict[str, str], status: int, code: str, field: str | None, told: str
) -> None:
    answer = await submit(site, **data)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("field")) == (status, code, field)
    assert told in error["message"] + error["hint"]
    assert error["hint"]
    assert site.files() == []
    assert (await site.admin.get("/api/v1/jobs")).json()["total"] == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "../../etc/passwd"),
        ("C:\\videos\\x.mp4", "x.mp4"),
    ],
)
async def test_a_strange_name_is_for_display_only(site: ApiSite, name: str, shown: str) -> None:
    answer = await site.admin.post("/api/v1/jobs", files={"video": (name, b"x")}, data=SCENES)

    job = answer.json()
    assert job["video_filename"] == shown
    assert site.files() == [f"videos/{job['owner']}/{job['video_id']}/source"]


@pytest.mark.parametrize("body", [{}, {"config": "{}"}])
async def test_a_missing_video_is_told(site: ApiSite, body: dict[str, str]) -> None:
    answer = await site.admin.post("/api/v1/jobs", data=body)

    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "video"
    assert "Field required" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"nonsense", "multipart/form-data; boundary=b", 400),
        (b"nonsense", "multipart/form-data", 400),
        (multipart(VIDEO)[:-8], "multipart/form-data; boundary=b", 400),
        (multipart(VIDEO, VIDEO), "multipart/form-data; boundary=b", 400),
        (multipart(*[CONFIG] * 40), "multipart/form-data; boundary=b", 413),
        (b"{}", "application/json", 415),
        (multipart(('name="config"', b"\xff")), "multipart/form-data; boundary=b", 400),
    ],
)
async def test_a_malformed_form_is_refused(
    site: ApiSite, content: bytes, kind: str, status: int
) -> None:
    answer = await site.admin.post("/api/v1/jobs", content=content, headers={"Content-Type": kind})

    assert answer.status_code == status
    assert answer.json()["error"]["hint"]
    assert site.files() == []


async def test_uploads_are_limited_per_minute(tmp_path: Path, empty_database: Path) -> None:
    async with open_site(tmp_path / "site", empty_database, uploads_per_minute=2) as site:
        answers = [await submit(site) for _ in range(3)]

    assert [each.status_code for each in answers] == [201, 201, 429]
    assert 0 < int(answers[2].headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"config": "{nope"}, 400),
        ({"selected_pipelines": "nope"}, 400),
        ({"selected_pipelines": "face_analysis"}, 409),
        ({"video_id": "x"}, 400),
    ],
)
async def test_a_refused_upload_does_not_count(
    tmp_path: Path, empty_database: Path, data: dict[str, str], status: int
) -> None:
    async with open_site(tmp_path / "site", empty_database, uploads_per_minute=1) as site:
        refused = [await submit(site, **data) for _ in range(2)]
        missing = await site.admin.post("/api/v1/jobs", data=SCENES)
        unknown = await site.admin.post("/api/v1/jobs", data={**SCENES, "video_id": "none"})
        taken = [await submit(site) for _ in range(2)]

    assert [each.status_code for each in refused] == [status, status]
    assert (missing.status_code, unknown.status_code) == (422, 404)
    assert [each.status_code for each in taken] == [201, 429]


async def test_an_upload_that_meets_another_limit_counts(
    tmp_path: Path, empty_database: Path
) -> None:
    limits = {"uploads_per_minute": 1, "max_queued_runs_per_owner": 1}
    async with open_site(tmp_path / "site", empty_database, **limits) as site:
        full = await submit(site, selected_pipelines="scene_detection,voice_activity")
        after = await submit(site)

    assert (full.status_code, after.status_code) == (429, 429)
    assert "retry-after" not in full.headers
    assert "retry-after" in after.headers


@pytest.mark.parametrize("announced", [True, False])
async def test_too_large_a_video_is_refused_while_it_is_read(
    tmp_path: Path, empty_database: Path, announced: bool
) -> None:
    async with open_site(tmp_path / "site", empty_database, max_upload_bytes=3_000_000) as site:
        key = site.admin.headers["authorization"]
        length = "Content-Length: 900000000" if announced else "Transfer-Encoding: chunked"
        head = (
            f"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n{length}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        begin = b"--b\r\nContent-Disposition: form-data; " + VIDEO[0].encode() + b"\r\n\r\n"
        async with served(site.app) as port, wire(port) as line:
            await line.send(head.encode())
            if not announced:
                await line.send(*(b"%x\r\n%s\r\n" % (len(x), x) for x in [begin, b"x" * 3_100_000]))
            answer = await line.head()
            body = json.loads(await line.body(answer))

        assert answer.startswith("HTTP/1.1 413 ")
        assert (body["error"]["code"], body["error"]["field"]) == ("TOO_LARGE", "video")
        assert body["detail"] == "A video may have 3000000 bytes at most."
        assert "operator" in body["error"]["hint"]
        assert site.files() == []


async def test_a_client_that_goes_away_leaves_nothing(site: ApiSite) -> None:
    key = site.admin.headers["authorization"]
    head = (
        f"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n"
        "Content-Length: 900000000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    begin = b"--b\r\nContent-Disposition: form-data; " + VIDEO[0].encode() + b"\r\n\r\n"
    async with served(site.app) as port, wire(port) as line:
        await line.send(head.encode(), begin, b"x" * 3_000_000)
        await until(lambda: site.files() != [])

        line.break_off()

        await until(lambda: site.files() == [])


async def test_a_refusal_after_the_bytes_were_kept_takes_them_back(site: ApiSite) -> None:
    """The limit is met last, inside the database: file and row of the video go again."""
    limits = site.settings.api.model_copy(update={"max_queued_runs_per_owner": 1})
    object.__setattr__(site.app.state.operations.jobs, "limits", limits)

    answer = await submit(site, selected_pipelines="scene_detection,voice_activity")

    assert answer.status_code == 429
    assert site.files() == []
    me = (await site.admin.get("/api/v1/me")).json()["user_id"]
    assert await Videos(site.database).bytes_of(me) == 0
    assert await Videos(site.database).doomed() == []
