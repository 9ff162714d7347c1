"""Listing, cancelling, deleting."""

from typing import Any

from tests.fakes.api_site import ApiSite


async def submit(client: Any, name: str = "clip.mp4", pipelines: str = "scene_detection") -> str:
    answer = await client.post(
        "/api/v1/jobs",
        files={"video": (name, name.encode())},
        data={"selected_pipelines": pipelines},
    )
    return str(answer.json()["id"])


async def listed(client: Any, **query: Any) -> list[str]:
    return [job["id"] for job in (await client.get("/api/v1/jobs", params=query)).json()["jobs"]]


async def test_jobs_are_found_by_what_they_are(site: ApiSite) -> None:
    cats = await submit(site.admin, "cats.mp4")
    dogs = await submit(site.admin, "dogs.mp4", "voice_activity")
    await site.finish(dogs)
    middle = (await site.admin.get(f"/api/v1/jobs/{dogs}")).json()["created_at"]

    assert await listed(site.admin, status_filter="completed") == [dogs]
    assert await listed(site.admin, status_filter="queued") == [cats]
    assert await listed(site.admin, status_filter="nonsense") == []
    assert await listed(site.admin, pipeline="scene_detection") == [cats]
    assert await listed(site.admin, search="CAT") == [cats]
    assert await listed(site.admin, created_after=middle) == [dogs]
    assert await listed(site.admin, created_before=middle) == [cats]


async def test_an_unchanged_list_is_not_sent_again(site: ApiSite) -> None:
    job_id = await submit(site.admin)
    for path in ("/api/v1/jobs", f"/api/v1/jobs/{job_id}"):
        tag = (await site.admin.get(path)).headers["etag"]
        same = await site.admin.get(path, headers={"If-None-Match": tag})
        assert same.status_code == 304

    await site.start(job_id)

    assert (await site.admin.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_a_cancel_is_asked_once_and_told_again(site: ApiSite) -> None:
    job_id = await submit(site.admin)
    await site.start(job_id)

    first = await site.admin.post(f"/api/v1/jobs/{job_id}/cancel")
    second = await site.admin.post(f"/api/v1/jobs/{job_id}/cancel", json={"ignored": True})

    assert (first.status_code, first.json()["status"]) == (200, "cancelling")
    assert second.json()["status"] == "cancelling"
    assert site.scheduler.wakes >= 2


async def test_a_job_that_has_ended_cannot_be_cancelled(site: ApiSite) -> None:
    job_id = await submit(site.admin)
    await site.finish(job_id)

    answer = await site.admin.post(f"/api/v1/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "JOB_ALREADY_COMPLETED")
    assert answer.json()["detail"].startswith(f"Cannot cancel job {job_id}")
    assert f"DELETE /api/v1/jobs/{job_id}" in answer.json()["error"]["hint"]


async def test_a_deleted_job_is_hidden_at_once(site: ApiSite) -> None:
    job_id = await submit(site.admin)

    answer = await site.admin.delete(f"/api/v1/jobs/{job_id}/")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await site.admin.get(f"/api/v1/jobs/{job_id}")).status_code == 404
    assert (await site.admin.delete(f"/api/v1/jobs/{job_id}")).status_code == 404
    assert await listed(site.admin) == []


async def test_every_use_case_passes_the_audit_hook(site: ApiSite) -> None:
    operations = site.app.state.operations
    for name in operations.__slots__:
        kind = type(getattr(operations, name))
        methods = {
            key: value
            for key, value in vars(kind).items()
            if callable(value) and not key.startswith("_")
        }
        unguarded = [key for key, value in methods.items() if not hasattr(value, "__use_case__")]
        assert methods
        assert unguarded == [], kind


async def test_lines_of_a_log_are_read_on_from_where_one_was(site: ApiSite) -> None:
    job_id = await submit(site.admin, pipelines="scene_detection,voice_activity")
    await site.finish(job_id)
    path = f"/api/v1/jobs/{job_id}/logs"

    first = (await site.admin.get(path, params={"limit": 1})).json()
    rest = (await site.admin.get(path, params={"after": first["last_id"]})).json()
    none = (await site.admin.get(path, params={"after": rest["last_id"]})).json()

    assert [line["message"] for line in first["logs"]] == ["scene_detection is done"]
    assert [line["message"] for line in rest["logs"]] == ["voice_activity is done"]
    assert none["logs"] == []
