"""Results: their fields, their bytes in part and whole, and all in one ZIP."""

import hashlib
import io
import zipfile
from typing import Any

import pytest

from tests.fakes.api_site import ApiSite
from videoannotator.api.routes.downloads import Part, part_of

CONTENT = b'{"scenes": [1, 2, 3]}'
BOTH = "scene_detection,voice_activity"


async def submitted(site: ApiSite, name: str = "my clip.mp4") -> str:
    answer = await site.admin.post(
        "/api/v1/jobs",
        files={"video": (name, b"source bytes")},
        data={"selected_pipelines": BOTH},
    )
    return str(answer.json()["id"])


async def finished(site: ApiSite, name: str = "my clip.mp4") -> str:
    job_id = await submitted(site, name)
    await site.finish(job_id, CONTENT)
    return job_id


async def get(site: ApiSite, path: str, **headers: str) -> Any:
    return await site.admin.get(
        f"/api/v1/jobs/{path}", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def test_a_finished_job_tells_what_it_found(site: ApiSite) -> None:
    job_id = await finished(site)

    body = (await get(site, f"{job_id}/results")).json()
    result = body["pipeline_results"]["scene_detection"]
    assert (body["status"], result["status"]) == ("completed", "completed")
    assert result["annotation_count"] == 12
    assert result["output_file"] == "my clip_scene_detection.json"
    assert result["processing_time"] >= 0
    assert result["files"][0]["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    for url in (result["download_url"], result["files"][0]["download_url"]):
        assert (await site.admin.get(url)).content == CONTENT


async def test_a_job_carries_its_runs_and_files(site: ApiSite) -> None:
    job = (await get(site, await finished(site))).json()

    assert (job["status"], job["progress"]) == ("completed", 1.0)
    assert [run["status"] for run in job["runs"]] == ["succeeded", "succeeded"]
    assert [run["attempt"] for run in job["runs"]] == [1, 1]
    assert job["runs"][0]["artifacts"][0]["public_name"] == "my clip_scene_detection.json"
    for name in ("created_at", "updated_at", "started_at", "completed_at"):
        assert job[name].endswith("Z")


async def test_progress_comes_from_the_rows(site: ApiSite) -> None:
    job_id = await submitted(site)
    await site.start(job_id, gpus=2)
    await site.progress(job_id, 5.0)

    job = (await get(site, job_id)).json()

    assert (job["status"], job["progress"], job["eta_seconds"]) == ("running", 0.5, 2.5)
    assert job["runs"][0]["stage"] == "scenes"
    assert job["runs"][0]["gpu_seconds"] >= 0


@pytest.mark.parametrize(
    ("header", "status", "expected", "content_range"),
    [
        ("", 200, CONTENT, None),
        ("bytes=0-3", 206, CONTENT[:4], "bytes 0-3/21"),
        ("bytes=5-", 206, CONTENT[5:], "bytes 5-20/21"),
        ("bytes=-4", 206, CONTENT[-4:], "bytes 17-20/21"),
        ("bytes=10-99", 206, CONTENT[10:], "bytes 10-20/21"),
        ("bytes=0-1,5-6", 200, CONTENT, None),
        ("bytes=5-2", 200, CONTENT, None),
        ("pages=1-2", 200, CONTENT, None),
    ],
)
async def test_a_file_is_sent_in_part(
    site: ApiSite, header: str, status: int, expected: bytes, content_range: str | None
) -> None:
    job_id = await finished(site)

    answer = await get(site, f"{job_id}/results/files/scene_detection", Range=header)

    assert (answer.status_code, answer.content) == (status, expected)
    assert answer.headers.get("content-range") == content_range
    assert answer.headers["content-length"] == str(len(expected))


@pytest.mark.parametrize("header", ["bytes=21-", "bytes=-0", "bytes=99-100"])
async def test_a_part_that_is_not_there_is_told_as_every_error(site: ApiSite, header: str) -> None:
    path = f"/api/v1/jobs/{await finished(site)}/results/files/scene_detection"

    answer = await site.admin.get(path, headers={"Range": header})
    head = await site.admin.head(path, headers={"Range": header})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (416, "RANGE_NOT_SATISFIABLE")
    assert "21 bytes" in error["message"]
    assert error["hint"]
    assert answer.headers["content-type"] == "application/json"
    for told in (answer, head):
        assert told.headers["content-range"] == "bytes */21"
    assert (head.status_code, head.content) == (416, b"")


async def test_users_bytes_cannot_run_in_a_browser(site: ApiSite) -> None:
    answer = await get(site, f"{await finished(site)}/results/files/scene_detection")

    headers = answer.headers
    assert headers["content-security-policy"] == "sandbox"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, no-store"
    assert headers["content-disposition"].startswith("attachment; ")
    assert headers["content-type"] == "application/json"


async def test_an_unchanged_file_is_not_sent_again(site: ApiSite) -> None:
    path = f"{await finished(site)}/results/files/scene_detection"
    tag = (await get(site, path)).headers["etag"]

    same = await get(site, path, If_None_Match=tag)
    changed = await get(site, path, Range="bytes=0-1", If_Range='"other"')
    unchanged = await get(site, path, Range="bytes=0-1", If_Range=tag)

    assert tag == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert (same.status_code, same.content) == (304, b"")
    assert (changed.status_code, unchanged.status_code) == (200, 206)


@pytest.mark.parametrize("suffix", ["results/files/scene_detection", "artifacts"])
async def test_head_tells_the_size_and_reads_nothing(site: ApiSite, suffix: str) -> None:
    job_id = await finished(site)
    path = f"/api/v1/jobs/{job_id}/{suffix}"
    whole = await site.admin.get(path)

    head = await site.admin.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clip.mp4", 'attachment; filename="clip_scene_detection.json"'),
        (
            "Ünï.mp4",
            'attachment; filename="_n__scene_detection.json"; '
            "filename*=UTF-8''%C3%9Cn%C3%AF_scene_detection.json",
        ),
        ("../../etc/passwd", 'attachment; filename="passwd_scene_detection.json"'),
        ('a"b\r\nX: y.mp4', None),
    ],
)
async def test_a_download_has_a_safe_name(site: ApiSite, name: str, expected: str | None) -> None:
    job_id = await finished(site, name)

    header = (await get(site, f"{job_id}/results/files/scene_detection")).headers
    found = header["content-disposition"]

    assert expected is None or found == expected
    assert found.count('"') == 2
    assert "x" not in header


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("results/files/nope", 400, "INVALID_REQUEST"),
        ("results/files/..%2fx", 404, "NOT_FOUND"),
        ("results/files/scene_detection?file=nope", 404, "ARTIFACT_NOT_FOUND"),
        ("results/files/scene_detection?file=../../x", 404, "ARTIFACT_NOT_FOUND"),
    ],
)
async def test_a_file_that_is_not_there(site: ApiSite, path: str, status: int, code: str) -> None:
    answer = await get(site, f"{await finished(site)}/{path}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("file", ["result.json", "my clip_scene_detection.json"])
async def test_a_file_is_picked_by_either_name(site: ApiSite, file: str) -> None:
    job_id = await finished(site)

    answer = await site.admin.get(
        f"/api/v1/jobs/{job_id}/results/files/scene_detection", params={"file": file}
    )

    assert answer.content == CONTENT


async def test_bytes_that_are_lost_are_an_error_not_half_an_answer(site: ApiSite) -> None:
    job_id = await finished(site)
    owner = (await get(site, job_id)).json()["owner"]
    await site.blobs.delete_prefix(f"jobs/{owner}/{job_id}")

    answer = await get(site, f"{job_id}/results/files/scene_detection")

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "OUTPUT_FILE_MISSING")


async def test_all_artifacts_come_as_one_zip(site: ApiSite) -> None:
    job_id = await finished(site)

    answer = await get(site, f"{job_id}/artifacts")

    assert answer.headers["content-length"] == str(len(answer.content))
    assert f'filename="job_{job_id}_artifacts.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "my clip.mp4",
            "my clip_scene_detection.json",
            "my clip_voice_activity.json",
        ]
        assert archive.read("my clip.mp4") == b"source bytes"


async def test_there_is_no_zip_before_something_is_finished(site: ApiSite) -> None:
    answer = await get(site, f"{await submitted(site)}/artifacts")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "NOTHING_FINISHED")


@pytest.mark.parametrize("suffix", ["", "/results", "/artifacts", "/logs", "/events",
                                    "/results/files/scene_detection"])  # fmt: skip
async def test_a_job_of_another_is_not_there(site: ApiSite, suffix: str) -> None:
    job_id = await finished(site)
    ada = await site.client("ada")

    answer = await ada.get(f"/api/v1/jobs/{job_id}{suffix}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "JOB_NOT_FOUND")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=0-0", Part(0, 1)),
        ("BYTES=0-0", None),
        ("bytes = 1 - 2", Part(1, 3)),
        ("bytes=99999999999999999999-", None),
    ],
)
def test_a_range_is_read_with_care(header: str | None, expected: Part | None) -> None:
    assert part_of(header, 10) == expected
