"""Clients of the public server v1 work unchanged: what they send, and every field they read."""

import asyncio
from typing import Any

import pytest

from tests.fakes import databases
from tests.fakes.api_site import ApiSite, client_of

JOB = {
    "id", "status", "video_path", "video_filename", "video_size_bytes", "video_duration_seconds",
    "config", "selected_pipelines", "created_at", "completed_at", "error_message", "result_path",
    "storage_path", "queue_position",
}  # fmt: skip
RESULTS = {
    "job_id", "status", "pipeline_results", "created_at", "completed_at", "result_path",
    "error_message",
}  # fmt: skip
RESULT = {
    "pipeline_name", "status", "start_time", "end_time", "processing_time", "annotation_count",
    "output_file", "download_url", "error_message",
}  # fmt: skip
PIPELINE = {
    "name", "display_name", "description", "enabled", "pipeline_family", "variant", "tasks",
    "modalities", "capabilities", "backends", "stability", "outputs", "config_schema", "examples",
}  # fmt: skip

#: Address -> fields that a client reads, nested ones with a dot.
SHAPES = {
    "/health": {
        "status", "api_version", "videoannotator_version", "message", "logging", "memory_percent",
        "database.status", "database.message",
    },
    "/api/v1/health": {"status", "version", "timestamp"},
    "/api/v1/health?detailed=true": {
        "status", "details.database.status", "details.database.message",
        "details.database.jobs_count", "details.storage.status", "details.storage.total_gb",
        "details.storage.used_gb", "details.storage.free_gb", "details.storage.percent_used",
        "details.gpu.available", "details.gpu.reason", "details.registry.status",
        "details.registry.pipelines_loaded", "details.registry.pipeline_names",
    },
    "/api/v1/system/health": {
        "status", "timestamp", "api_version", "videoannotator_version", "system.platform",
        "system.python_version", "system.cpu_count", "system.cpu_percent", "system.memory_percent",
        "system.memory.total", "system.memory.available", "system.memory.percent",
        "system.memory.used", "system.memory.free", "system.disk.total", "system.disk.used",
        "system.disk.free", "system.disk.percent", "database.status", "database.message",
        "gpu.available", "gpu.device_count", "pipelines.total", "pipelines.names",
        "workers.status", "workers.active_jobs", "workers.processing_jobs", "workers.queued_jobs",
        "workers.max_concurrent_workers", "workers.poll_interval_seconds", "services.database",
        "services.job_queue", "services.pipelines", "security.auth_required", "uptime_seconds",
    },
    "/api/v1/system/metrics": {
        "timestamp", "metrics.jobs_total", "metrics.jobs_active", "metrics.jobs_completed",
        "metrics.jobs_failed", "metrics.jobs_pending", "metrics.jobs_running",
        "metrics.total_annotations", "metrics.api_requests_total", "metrics.response_time_avg",
        "metrics.pipeline_processing_time_avg", "metrics.uptime_seconds", "performance.cpu_usage",
        "performance.memory_usage", "performance.disk_usage",
    },
    "/api/v1/system/config": {
        "configuration", "environment", "features.authentication", "features.rate_limiting",
        "features.webhooks", "features.async_processing",
    },
    "/api/v1/system/database": {
        "backend_type", "connection_info.database_path", "connection_info.database_url",
        "connection_info.database_size_mb", "statistics.total_jobs", "statistics.pending_jobs",
        "statistics.running_jobs", "statistics.completed_jobs", "statistics.failed_jobs",
        "statistics.total_annotations", "schema_version",
    },
    "/api/v1/debug/background-jobs": {
        "background_processing.running", "background_processing.processing_jobs",
        "background_processing.concurrent_jobs", "background_processing.max_concurrent_jobs",
        "background_processing.poll_interval", "system_info.pid", "system_info.memory_usage_mb",
        "system_info.cpu_percent", "timestamp",
    },
    "/api/v1/jobs": {"jobs", "total", "page", "per_page"},
    "/api/v1/pipelines": {"pipelines", "total"},
}  # fmt: skip


def has(body: Any, field: str) -> bool:
    for name in field.split("."):
        if not isinstance(body, dict) or name not in body:
            return False
        body = body[name]
    return True


@pytest.mark.parametrize("path", SHAPES)
async def test_every_field_is_there(site: ApiSite, path: str) -> None:
    body = (await site.admin.get(path)).json()

    assert {field for field in SHAPES[path] if not has(body, field)} == set()


async def test_a_job_and_its_results_have_every_field(site: ApiSite) -> None:
    answer = await site.admin.post(
        "/api/v1/jobs/",
        files={"video": ("clip.mp4", b"x", "video/mp4")},
        data={"selected_pipelines": "scene_detection", "config": '{"threshold": 5}'},
    )
    job = answer.json()
    await site.finish(job["id"])
    results = (await site.admin.get(f"/api/v1/jobs/{job['id']}/results")).json()
    listed = (await site.admin.get("/api/v1/jobs/?page=1&per_page=10")).json()["jobs"][0]

    assert job.keys() >= JOB
    assert listed.keys() >= JOB
    assert results.keys() >= RESULTS
    assert results["pipeline_results"]["scene_detection"].keys() >= RESULT
    assert isinstance(job["video_path"], str)


async def test_a_pipeline_has_every_field(site: ApiSite) -> None:
    listed = (await site.admin.get("/api/v1/pipelines")).json()
    shown = (await site.admin.get("/api/v1/pipelines/scene_detection/")).json()

    assert listed["total"] == len(listed["pipelines"]) == 3
    assert shown.keys() >= PIPELINE
    assert (
        shown["config_schema"]["threshold"].items()
        >= {
            "type": "float",
            "default": 3.5,
            "description": "Strength of a cut.",
        }.items()
    )
    assert shown["json_schema"]["properties"]["threshold"]["maximum"] == 100
    enabled = {each["name"]: each["enabled"] for each in listed["pipelines"]}
    assert enabled == {"face_analysis": False, "scene_detection": True, "voice_activity": True}
    assert listed["pipelines"][0]["availability"]["state"] == "missing_part"


@pytest.mark.parametrize(
    ("body", "valid", "field", "validated"),
    [
        ({"config": {"scene_detection": {"threshold": 5}}}, True, None, ["scene_detection"]),
        ({"config": {}}, True, None, []),
        (
            {"config": {"scene_detection": {"threshold": 500}}},
            False,
            "scene_detection.threshold",
            ["scene_detection"],
        ),
        (
            {"config": {"threshold": True}, "selected_pipelines": ["scene_detection"]},
            False,
            "scene_detection.threshold",
            ["scene_detection"],
        ),
        ({"config": {}, "selected_pipelines": ["nope"]}, False, "nope", ["nope"]),
        (
            {"config": {}, "selected_pipelines": ["face_analysis"]},
            False,
            "face_analysis",
            ["face_analysis"],
        ),
    ],
)
async def test_a_configuration_is_checked_with_or_without_a_selection(
    site: ApiSite, body: dict[str, Any], valid: bool, field: str | None, validated: list[str]
) -> None:
    found = (await site.admin.post("/api/v1/config/validate", json=body)).json()

    assert (found["valid"], found["pipelines_validated"]) == (valid, validated)
    for item in found["errors"]:
        assert item.keys() >= {"field", "message", "code", "hint", "severity", "pipeline"}
        assert (item["field"], item["severity"]) == (field, "error")
    assert bool(found["errors"]) is not valid


async def test_an_unknown_parameter_is_a_warning(site: ApiSite) -> None:
    found = (
        await site.admin.post(
            "/api/v1/pipelines/scene_detection/validate", json={"config": {"treshold": 5}}
        )
    ).json()

    assert found["valid"]
    assert found["warnings"] == [
        {
            "field": "scene_detection.treshold",
            "message": "Unknown field 'treshold' will be ignored",
            "suggestion": "Did you mean 'threshold'?",
            "severity": "warning",
            "pipeline": "scene_detection",
        }
    ]


async def test_strangers_see_no_paths_and_no_ids(site: ApiSite) -> None:
    answer = await site.admin.post(
        "/api/v1/jobs",
        files={"video": ("a.mp4", b"x")},
        data={"selected_pipelines": "scene_detection"},
    )
    await site.start(answer.json()["id"])
    ada = await site.client("ada")
    async with client_of(site.app, None) as stranger:
        for client in (stranger, ada):
            texts = [(await client.get(path)).text for path in SHAPES if "/debug/" not in path]
            assert not any(str(site.root) in text for text in texts)
            assert not any(answer.json()["id"] in text for text in texts)
    admin = (await site.admin.get("/api/v1/system/database")).json()
    in_a_file = site.settings.database_url.startswith("sqlite")
    file = str(site.root / "videoannotator.db") if in_a_file else None
    assert admin["connection_info"]["database_path"] == file


@pytest.mark.parametrize("path", ["/health", "/readyz", "/api/v1/health", "/api/v1/system/health"])
async def test_health_fails_when_a_needed_part_is_down(site: ApiSite, path: str) -> None:
    await site.database.close()
    await asyncio.to_thread(databases.ruin, site.root)

    answer = await site.admin.get(path)

    assert answer.status_code == 503
    assert answer.json()["status"] == "unhealthy"
    assert (await site.admin.get("/livez")).status_code == 200


async def test_metrics_are_for_prometheus(site: ApiSite) -> None:
    await site.admin.get("/api/v1/jobs/some-id?token=secret")

    text = (await site.admin.get("/metrics")).text

    assert 'route="/api/v1/jobs/{job_id}",status="404"' in text
    assert "secret" not in text
    assert "some-id" not in text


async def test_the_document_of_the_interface_keeps_its_title(site: ApiSite) -> None:
    document = (await site.admin.get("/openapi.json")).json()

    assert document["info"]["title"] == "VideoAnnotator API"
    form = document["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]
    assert "video" in form["multipart/form-data"]["schema"]["properties"]
