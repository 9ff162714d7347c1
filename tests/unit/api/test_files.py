"""Result files under addresses of their own."""

import hashlib
from typing import Any

import pytest

from tests.fakes.api_site import ApiSite
from videoannotator.domain.access import Principal, Role
from videoannotator.store.jobs import Jobs

EVERYBODY = Principal(user_id="", name="", role=Role.ADMIN)
CONTENT = b'{"scenes": [1, 2, 3]}'


async def finished(site: ApiSite, content: bytes = CONTENT) -> str:
    answer = await site.admin.post(
        "/api/v1/jobs",
        files={"video": ("my clip.mp4", b"source of " + content)},
        data={"selected_pipelines": "scene_detection,voice_activity"},
    )
    job_id = str(answer.json()["id"])
    await site.finish(job_id, content)
    return job_id


async def files(site: ApiSite, job_id: str) -> list[dict[str, Any]]:
    body = (await site.admin.get(f"/api/v1/jobs/{job_id}/files")).json()
    assert (body["job_id"], body["total"]) == (job_id, len(body["files"]))
    listed: list[dict[str, Any]] = body["files"]
    return listed


async def test_every_file_of_a_job_is_listed(site: ApiSite) -> None:
    job_id = await finished(site)
    listed = await files(site, job_id)
    stored = await Jobs(site.database).artifacts(EVERYBODY, job_id)

    assert listed == [
        {
            "id": artifact.id,
            "pipeline": artifact.pipeline,
            "name": "result.json",
            "public_name": f"my clip_{artifact.pipeline}.json",
            "role": "result",
            "media_type": "application/json",
            "size_bytes": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
            "download_url": f"/api/v1/jobs/{job_id}/files/{artifact.id}",
        }
        for artifact in stored
    ]
    assert [each["pipeline"] for each in listed] == ["scene_detection", "voice_activity"]


async def test_an_unchanged_list_of_files_is_not_sent_again(site: ApiSite) -> None:
    path = f"/api/v1/jobs/{await finished(site)}/files"
    tag = (await site.admin.get(path)).headers["etag"]

    assert (await site.admin.get(path, headers={"If-None-Match": tag})).status_code == 304


async def test_a_job_without_results_has_no_files(site: ApiSite) -> None:
    answer = await site.admin.post("/api/v1/jobs", files={"video": ("a.mp4", b"x")})

    assert await files(site, answer.json()["id"]) == []


async def test_a_file_is_fetched_by_its_id(site: ApiSite) -> None:
    file = (await files(site, await finished(site)))[1]

    whole = await site.admin.get(file["download_url"])
    part = await site.admin.get(file["download_url"], headers={"Range": "bytes=2-7"})
    tag = {"If-None-Match": whole.headers["etag"]}
    same = await site.admin.get(file["download_url"], headers=tag)

    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers["etag"] == f'"{file["sha256"]}"'
    assert '"my clip_voice_activity.json"' in whole.headers["content-disposition"]
    assert whole.headers["content-security-policy"] == "sandbox"
    assert (part.status_code, part.content) == (206, CONTENT[2:8])
    assert part.headers["content-range"] == f"bytes 2-7/{len(CONTENT)}"
    assert same.status_code == 304


async def test_head_tells_what_get_would_send(site: ApiSite) -> None:
    job_id = await finished(site)
    url = (await files(site, job_id))[0]["download_url"]

    head, listing = (
        await site.admin.head(url),
        await site.admin.head(f"/api/v1/jobs/{job_id}/files"),
    )

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(CONTENT))
    assert (listing.status_code, listing.content) == (200, b"")


@pytest.mark.parametrize("artifact", ["none", "%00", "result.json", "x" * 300])
async def test_an_unknown_id_is_not_there(site: ApiSite, artifact: str) -> None:
    answer = await site.admin.get(f"/api/v1/jobs/{await finished(site)}/files/{artifact}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ARTIFACT_NOT_FOUND")


async def test_a_file_of_another_job_is_not_there(site: ApiSite) -> None:
    job_id, other = await finished(site), await finished(site, b"[]")
    foreign = (await files(site, other))[0]["id"]

    answer = await site.admin.get(f"/api/v1/jobs/{job_id}/files/{foreign}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ARTIFACT_NOT_FOUND")


async def test_files_of_another_are_not_there(site: ApiSite) -> None:
    job_id = await finished(site)
    url = (await files(site, job_id))[0]["download_url"]
    ada = await site.client("ada")

    for path in (f"/api/v1/jobs/{job_id}/files", url):
        answer = await ada.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "JOB_NOT_FOUND")
