"""The body of a worker's Kubernetes Job, compared with the whole of what it shall be."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient

from videoannotator.domain.errors import PipelineUnavailable
from videoannotator.domain.jobs import Resources, Run
from videoannotator.pipelines.scene_detection.spec import SPEC
from videoannotator.rpc.tokens import sha256_hex, worker_token
from videoannotator.scheduler.launchers.kubernetes.bodies import (
    WorkerIdentity,
    active_deadline_seconds,
    body_of,
    gpus_of,
    spec_sha,
)
from videoannotator.scheduler.launchers.kubernetes.names import SPEC_SHA
from videoannotator.scheduler.launchers.kubernetes.site import Placement, Site, Toleration
from videoannotator.settings import load_settings, load_worker_settings

WHOLE = Path(__file__).parent / "bodies"
KEY = bytes(range(32))
WORKER_ID = "a1b2c3d4e5f6"
TOKEN = worker_token(KEY, WORKER_ID)

RUN = Run(
    id="9d4c1f2e-3b5a-4c6d-8e7f-0a1b2c3d4e5f",
    job_id="4be0643f-1d98-473b-97cd-ca98a65347dd",
    position=0,
    pipeline="scene_detection",
    created_at=datetime(2026, 1, 2, 12, tzinfo=UTC),
)
WHO = WorkerIdentity(
    worker_id=WORKER_ID,
    token_sha256=sha256_hex(TOKEN),
    run=RUN,
    job_id=RUN.job_id,
    owner_id="0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
    attempt=2,
    epoch=7,
    spec=SPEC,
    video_folder="videos/0f1e2d3c/5a6b7c8d",
    attempt_folder="jobs/0f1e2d3c/4be0643f/scene_detection/2",
)
PLAIN = Placement(image="registry.example.org/videoannotator/scene:1.4.0")
ON_S3 = Site(release="va", namespace="annotation", pipelines={"scene": PLAIN})

SITES: Mapping[str, Site] = {
    "s3": ON_S3,
    "volume-and-mig": Site(
        release="va",
        namespace="annotation",
        pipelines={
            "scene": Placement(
                image=PLAIN.image,
                cpu="500m",
                memory="24Gi",
                ephemeral_storage="40Gi",
                gpus=2,
                gpu_resource="nvidia.com/mig-1g.5gb",
                longest_seconds=7200,
            )
        },
        volume_claim="va-storage",
        models_claim="va-models",
        fs_group=20_000,
        run_as_user=20_001,
        run_as_group=20_002,
        stop_grace_seconds=45,
        orphan_grace_seconds=900,
        log_level="debug",
    ),
    "kueue": Site(
        release="va",
        namespace="annotation",
        labels={"example.org/cost-centre": "lab-7"},
        pipelines={
            "scene": Placement(
                image=PLAIN.image, labels={"kueue.x-k8s.io/queue-name": "annotation"}
            )
        },
    ),
    "placed": Site(
        release="va",
        namespace="annotation",
        image_pull_policy="Always",
        image_pull_secrets=("registry", "mirror"),
        service_account="va-worker",
        pipelines={
            "scene": Placement(
                image=PLAIN.image,
                gpus=1,
                node_selector={"example.org/gpu": "a100"},
                tolerations=(
                    Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule"),
                    Toleration(
                        key="node.kubernetes.io/unreachable",
                        operator="Exists",
                        effect="NoExecute",
                        toleration_seconds=60,
                    ),
                ),
                runtime_class="nvidia",
                priority_class="va-batch",
                scheduler_name="kai-scheduler",
            )
        },
    ),
    "tls": ON_S3.model_copy(update={"certificate_secret": "va-certificates"}),
}
AVOIDING = replace(WHO, avoided_nodes=("node-b", "node-a", "node-b"))


def pod_of(body: Mapping[str, Any]) -> Any:
    """The pod's specification."""
    return body["spec"]["template"]["spec"]


def container_of(body: Mapping[str, Any]) -> Any:
    """The worker's container."""
    (container,) = pod_of(body)["containers"]
    return container


def texts(value: Any) -> Iterator[str]:
    """Every key and every text of a body."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    else:
        yield str(value)


@pytest.mark.parametrize("name", SITES)
def test_the_body_is_the_whole_of_what_is_written(name: str) -> None:
    whole = json.loads((WHOLE / f"{name}.json").read_text("utf-8"))

    assert body_of(SITES[name], WHO) == whole


@pytest.mark.parametrize("name", SITES)
def test_kubernetes_knows_every_field(name: str) -> None:
    body = body_of(SITES[name], AVOIDING)
    api = ApiClient()

    read = api._ApiClient__deserialize(body, "V1Job")

    assert api.sanitize_for_serialization(read) == body


@pytest.mark.parametrize("name", SITES)
def test_a_pod_passes_the_restricted_profile(name: str) -> None:
    """Each line is a control of the profile "restricted" of the Pod Security Standards."""
    pod = pod_of(body_of(SITES[name], WHO))
    security, container = pod["securityContext"], container_of(body_of(SITES[name], WHO))
    inside = container["securityContext"]

    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
    assert not {"sysctls", "seLinuxOptions", "appArmorProfile", "windowsOptions"} & security.keys()
    assert not {"privileged", "procMount", "runAsUser"} & inside.keys()
    assert all("hostPort" not in port for port in container["ports"])
    kinds = {kind for volume in pod["volumes"] for kind in volume.keys() - {"name"}}
    assert kinds <= {"emptyDir", "persistentVolumeClaim", "secret"}
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside["allowPrivilegeEscalation"] is False
    assert inside["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", SITES)
def test_a_body_holds_no_credential(name: str) -> None:
    body = body_of(SITES[name], WHO)
    found = set(texts(body))

    assert not {"valueFrom", "envFrom", "projected", "secretKeyRef", "serviceAccountToken"} & found
    assert not any(secret in text for text in found for secret in (TOKEN, KEY.hex()))
    assert pod_of(body)["automountServiceAccountToken"] is False
    assert [name for name in found if "SECRET" in name or "PASSWORD" in name] == []
    secrets = [each["secret"]["secretName"] for each in pod_of(body)["volumes"] if "secret" in each]
    assert secrets == (["va-certificates"] if name == "tls" else [])


def test_a_worker_understands_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in container_of(body_of(SITES["tls"], WHO))["env"]:
        monkeypatch.setenv(each["name"], each["value"])

    worker, settings = load_worker_settings(), load_settings(dotenv=None)

    assert (worker.id, worker.token_sha256) == (WORKER_ID, sha256_hex(TOKEN))
    assert (worker.listen, str(worker.termination_file)) == (
        "0.0.0.0:50053",
        "/dev/termination-log",
    )
    assert (worker.orphan_grace_seconds, worker.stop_grace_seconds) == (600.0, 30.0)
    assert str(settings.rpc.certificate_folder) == "/certificates"
    assert settings.telemetry.log_level == "info"


def test_a_wish_to_avoid_nodes_does_not_forbid_them() -> None:
    spec = pod_of(body_of(ON_S3, AVOIDING))

    assert spec["affinity"] == {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "preference": {
                        "matchFields": [
                            {"key": "metadata.name", "operator": "NotIn", "values": ["node-a"]},
                            {"key": "metadata.name", "operator": "NotIn", "values": ["node-b"]},
                        ]
                    },
                }
            ]
        }
    }


def test_the_same_worker_always_has_the_same_body() -> None:
    first, again = body_of(ON_S3, WHO), body_of(ON_S3, WHO)

    assert json.dumps(first) == json.dumps(again)
    assert first["metadata"]["annotations"][SPEC_SHA] == spec_sha(first)
    assert spec_sha(json.loads(json.dumps(first))) == spec_sha(first)


@pytest.mark.parametrize(
    "other",
    [
        body_of(ON_S3, replace(WHO, epoch=8)),
        body_of(ON_S3, replace(WHO, attempt=3)),
        body_of(ON_S3.model_copy(update={"log_level": "debug"}), WHO),
        body_of(SITES["kueue"], WHO),
    ],
    ids=["epoch", "attempt", "log level", "label"],
)
def test_the_sum_of_a_body_tells_it_from_another(other: Mapping[str, Any]) -> None:
    own = body_of(ON_S3, WHO)

    assert other["metadata"]["annotations"][SPEC_SHA] != own["metadata"]["annotations"][SPEC_SHA]


def test_the_backstop_outlives_the_worker_by_ten_minutes() -> None:
    body = body_of(SITES["volume-and-mig"], WHO)

    assert active_deadline_seconds(body) == 7200 + 600
    assert "activeDeadlineSeconds" not in body["spec"]


@pytest.mark.parametrize(
    ("decided", "declared", "given"), [(None, 0, 0), (None, 1, 1), (0, 1, 0), (2, 0, 2)]
)
def test_the_site_decides_about_gpus_before_the_pipeline(
    decided: int | None, declared: int, given: int
) -> None:
    placement = PLAIN.model_copy(update={"gpus": decided})
    run = replace(RUN, resources=Resources(gpus=declared))

    body = body_of(
        ON_S3.model_copy(update={"pipelines": {"scene": placement}}), replace(WHO, run=run)
    )

    limits = container_of(body)["resources"]["limits"]
    assert gpus_of(placement, run) == given
    assert limits.get("nvidia.com/gpu") == (str(given) if given else None)


def test_a_pipeline_of_its_own_goes_before_its_part() -> None:
    own = PLAIN.model_copy(update={"image": "example.org/own:1"})
    both = ON_S3.model_copy(update={"pipelines": {"scene": PLAIN, "scene_detection": own}})

    assert both.placement(SPEC) is own
    assert ON_S3.placement(SPEC) is PLAIN


def test_a_pipeline_without_an_image_has_no_body() -> None:
    nothing = ON_S3.model_copy(update={"pipelines": {}})

    with pytest.raises(PipelineUnavailable, match="no image here") as raised:
        body_of(nothing, WHO)
    assert raised.value.hint == "The operator must add pipelines.scene to the chart's values."
