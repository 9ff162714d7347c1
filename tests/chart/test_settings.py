"""What the chart tells the program is what the program reads."""

from typing import Any

import pytest

from tests.chart.rendering import SITES, Body, containers, pods, settings, site, small
from tests.chart.workers import site_of, worker_bodies
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.scheduler.launchers.kubernetes import names
from videoannotator.settings import Settings, load_client_settings, load_settings

#: What Secrets hold, in a form that the program takes.
SECRET_VALUES = {
    "VIDEOANNOTATOR_DATABASE__URL": "postgresql://va:secret@database/va",
    "VIDEOANNOTATOR_RPC__INTERNAL_TOKEN": "0" * 64,
    "VIDEOANNOTATOR_RPC__WORKER_KEY": "1" * 64,
    "VIDEOANNOTATOR_AUTH__FIRST_ADMIN_KEY": "va_" + "k" * 43,
    "VIDEOANNOTATOR_TOKEN": "va_" + "k" * 43,
}
S3 = ("storage.kind=s3", "storage.s3.url=s3://bucket/x", "storage.s3.existingSecret=keys")


def environment(objects: list[Body], component: str) -> dict[str, str]:
    """The variables of a component's container, as the kubelet gives them."""
    (pod,) = [
        pod
        for _, metadata, pod in pods(objects)
        if metadata["labels"]["app.kubernetes.io/component"] == component
    ]
    container = containers(pod)[-1]
    values = dict(settings(objects)) if "envFrom" in container else {}
    for each in container.get("env", []):
        name = each["name"]
        values[name] = each.get("value") or SECRET_VALUES.get(name, "x")
    return {name: value.replace("$(POD_IP)", "10.0.0.7") for name, value in values.items()}


def read(objects: list[Body], component: str = "scheduler") -> Settings:
    return load_settings(environment(objects, component), None)


@pytest.mark.parametrize("component", ["api", "scheduler", "migration"])
@pytest.mark.parametrize("name", SITES)
def test_the_program_takes_every_variable(name: str, component: str) -> None:
    found = read(site(name), component)

    assert found.database.url == SECRET_VALUES["VIDEOANNOTATOR_DATABASE__URL"]


@pytest.mark.parametrize(
    ("given", "path", "means"),
    [
        ("api.rootPath=/x", "api.root_path", "/x"),
        (
            'api.trustedProxies=["10.0.0.7","10.1.0.0/16"]',
            "api.trusted_proxies",
            ["10.0.0.7", "10.1.0.0/16"],
        ),
        ('api.allowedOrigins=["https://a.example"]', "api.allowed_origins", ["https://a.example"]),
        ("api.maxUploadBytes=3GiB", "api.max_upload_bytes", 3 * 1024**3),
        ("api.maxUploadBytes=5000000000", "api.max_upload_bytes", 5_000_000_000),
        ("api.stopGraceSeconds=7", "api.stop_grace_seconds", 7.0),
        ("auth.required=false", "auth.required", False),
        ("scheduler.maxWorkers=1000000", "scheduler.max_workers", 1_000_000),
        ("scheduler.maxGpuWorkers=5", "scheduler.max_gpu_workers", 5),
        ("scheduler.maxWorkersPerOwner=3", "scheduler.max_workers_per_owner", 3),
        ("scheduler.unplacedWindow=4", "scheduler.unplaced_window", 4),
        ("scheduler.orphanGraceSeconds=90", "scheduler.orphan_grace_seconds", 90.0),
        ("scheduler.stopGraceSeconds=9", "scheduler.stop_grace_seconds", 9.0),
        ("logLevel=warning", "telemetry.log_level", "warning"),
        ("settings.VIDEOANNOTATOR_RETRY__JITTER=0.25", "retry.jitter", 0.25),
        ("settings.VIDEOANNOTATOR_SCHEDULER__MAX_WORKERS=9", "scheduler.max_workers", 9),
        (
            "settings.VIDEOANNOTATOR_API__MAX_BYTES_PER_OWNER=5000000000",
            "api.max_bytes_per_owner",
            5_000_000_000,
        ),
    ],
)
def test_a_value_becomes_the_setting(given: str, path: str, means: Any) -> None:
    group, field = path.split(".")

    found = read(small(given))

    assert getattr(getattr(found, group), field) == means


def test_the_processes_know_that_they_are_in_a_cluster() -> None:
    found = read(small())

    assert found.scheduler.launcher == "kubernetes"
    assert found.scheduler.listen == "0.0.0.0:50052"
    assert found.scheduler.address == "10.0.0.7:50052"
    assert (found.telemetry.host, found.telemetry.port) == ("0.0.0.0", 9090)
    assert str(found.kubernetes.site_file) == "/etc/videoannotator/site/site.json"


def test_with_a_bucket_the_processes_are_told_where_it_is() -> None:
    found = read(small(*S3, "storage.s3.endpoint=http://s3:9000", "storage.s3.resignSeconds=60"))

    assert found.storage.url == "s3://bucket/x"
    assert found.storage.endpoint == "http://s3:9000"
    assert (found.storage.signed_seconds, found.storage.resign_seconds) == (3600.0, 60.0)


def test_with_kueue_there_is_no_second_queue_before_it() -> None:
    objects = small("kueue.enabled=true", "kueue.queue=gpus", "scheduler.maxWorkers=50")

    assert read(objects).scheduler.unplaced_window == 50
    for body in worker_bodies(objects):
        assert body["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"


def test_the_command_line_of_the_test_reaches_the_api() -> None:
    found = load_client_settings(environment(small(), "test"), None)

    assert found.server == "http://va-videoannotator-api:80"
    assert found.token.get_secret_value() == SECRET_VALUES["VIDEOANNOTATOR_TOKEN"]


@pytest.mark.parametrize("name", SITES)
def test_the_program_takes_the_file_of_the_site(name: str) -> None:
    found = site_of(site(name))

    assert (found.release, found.namespace) == ("va", "annotation")
    assert set(found.pipelines) <= set(Catalogue.load().specs)
    assert names.workers_labels(found.release)[names.INSTANCE] == "va"
    assert (found.volume_claim is None) == (name == "production-s3")


def test_what_is_said_of_a_pipeline_reaches_its_workers() -> None:
    found = site_of(site("production-volume"))

    scene, voice = found.pipelines["scene_detection"], found.pipelines["voice_activity"]

    assert scene.image == "registry.example.org/videoannotator/scene:2.0.0"
    assert (scene.gpus, scene.tolerations) == (None, ())
    assert (voice.gpus, voice.memory, voice.runtime_class) == (1, "8Gi", "nvidia")
    assert voice.tolerations[0].key == "nvidia.com/gpu"
    assert {scene.priority_class, voice.priority_class} == {"batch"}
    assert found.models_claim == "videoannotator-models"
    assert found.certificate_secret == "videoannotator-certificates"
    assert found.image_pull_secrets == ("registry-login",)


def test_a_pipeline_that_is_off_is_not_in_the_file() -> None:
    found = site_of(small("pipelines.voice_activity.enabled=false"))

    assert set(found.pipelines) == {"scene_detection"}


def test_a_larger_id_of_a_user_is_written_out() -> None:
    objects = small("security.runAsUser=1000650000")

    assert site_of(objects).run_as_user == 1_000_650_000
    assert all(pod["securityContext"]["runAsUser"] == 1_000_650_000 for _, _, pod in pods(objects))


def test_every_pipeline_of_the_program_is_in_the_values() -> None:
    assert set(site_of(small()).pipelines) == set(Catalogue.load().specs)
