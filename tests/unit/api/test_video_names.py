"""The same bytes under two names: each job shows the name that it came with."""

import io
import zipfile
from typing import Any

from tests.fakes.api_site import ApiSite


async def submit(site: ApiSite, name: str) -> dict[str, Any]:
    answer = await site.admin.post(
        "/api/v1/jobs",
        files={"video": (name, b"the same bytes")},
        data={"selected_pipelines": "scene_detection"},
    )
    job: dict[str, Any] = answer.json()
    return job


async def both(site: ApiSite) -> tuple[dict[str, Any], dict[str, Any]]:
    first, second = await submit(site, "first.mp4"), await submit(site, "second.mp4")
    assert first["video_id"] == second["video_id"]
    return first, second


async def test_each_job_shows_its_own_name(site: ApiSite) -> None:
    jobs = await both(site)
    for job, name in zip(jobs, ("first.mp4", "second.mp4"), strict=True):
        shown = (await site.admin.get(f"/api/v1/jobs/{job['id']}")).json()
        found = (await site.admin.get("/api/v1/jobs", params={"search": name})).json()

        for body in (job, shown):
            assert (body["video_filename"], body["video_path"]) == (name, name)
        assert [each["id"] for each in found["jobs"]] == [job["id"]]


async def test_the_files_of_a_job_are_called_after_its_own_name(site: ApiSite) -> None:
    _, job = await both(site)
    await site.finish(job["id"])
    path = f"/api/v1/jobs/{job['id']}"

    results = (await site.admin.get(f"{path}/results")).json()
    file = await site.admin.get(
        f"{path}/results/files/scene_detection", params={"file": "second_scene_detection.json"}
    )
    whole = await site.admin.get(f"{path}/artifacts")

    found = results["pipeline_results"]["scene_detection"]
    assert found["output_file"] == "second_scene_detection.json"
    assert '"second_scene_detection.json"' in file.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        assert archive.namelist() == ["second.mp4", "second_scene_detection.json"]


async def test_a_stored_video_is_annotated_again_under_its_own_name(site: ApiSite) -> None:
    first, _ = await both(site)
    form = {"video_id": first["video_id"], "selected_pipelines": "voice_activity"}

    again = (await site.admin.post("/api/v1/jobs", data=form)).json()

    assert again["video_filename"] == "first.mp4"
