"""Result files under addresses of their own."""

from typing import Any

import pytest

from tests.fakes.api_site import ApiSite
from videoannotator.domain.access import Principal, Role

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


async def test_an_unchanged_list_of_files_is_not_sent_again(site: ApiSite) -> None:
    path = f"/api/v1/jobs/{await finished(site)}/files"
    tag = (await site.admin.get(path)).headers["etag"]

    assert (await site.admin.get(path, headers={"If-None-Match": tag})).status_code == 304


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
