"""Every pod that comes out of the chart passes the profile "restricted", and more."""

import pytest
import yaml

from tests.chart.pod_security import violations
from tests.chart.rendering import ROOT, SITES, Body, containers, of_kind, pods, site, small, the
from tests.chart.workers import worker_bodies

ALL = [(name, *pod) for name in SITES for pod in pods(site(name))]
TRIAL = ROOT / "k8s" / "trial-postgresql.yaml"


def ids(pod: tuple[str, str, Body, Body]) -> str:
    return f"{pod[0]}: {pod[1]}"


@pytest.mark.parametrize("pod", ALL, ids=ids)
def test_a_pod_is_restricted(pod: tuple[str, str, Body, Body]) -> None:
    assert list(violations(pod[3])) == []


@pytest.mark.parametrize("name", SITES)
def test_a_worker_is_restricted(name: str) -> None:
    bodies = worker_bodies(site(name))

    assert bodies
    assert [list(violations(body["spec"]["template"]["spec"])) for body in bodies] == [[]] * len(
        bodies
    )


def test_the_database_for_a_trial_is_restricted() -> None:
    objects = [each for each in yaml.safe_load_all(TRIAL.read_text(encoding="utf-8")) if each]

    found = [violation for _, _, pod in pods(objects) for violation in violations(pod)]

    assert found == []
    assert list(pods(objects))


@pytest.mark.parametrize("pod", ALL, ids=ids)
def test_no_root_can_be_written_and_every_container_has_limits(
    pod: tuple[str, str, Body, Body],
) -> None:
    for container in containers(pod[3]):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("pod", ALL, ids=ids)
def test_only_who_calls_the_api_server_has_a_token(pod: tuple[str, str, Body, Body]) -> None:
    _, _, metadata, specification = pod
    component = metadata["labels"]["app.kubernetes.io/component"]

    token = specification["automountServiceAccountToken"]

    assert token is (component in {"scheduler", "make-secrets"})


@pytest.mark.parametrize("pod", ALL, ids=ids)
def test_every_pod_is_one_of_the_release(pod: tuple[str, str, Body, Body]) -> None:
    labels = pod[2]["labels"]

    assert labels["app.kubernetes.io/name"] == "videoannotator"
    assert labels["app.kubernetes.io/instance"] == "va"


def secret_names(pod: Body) -> set[str]:
    named = [each for one in containers(pod) for each in one.get("env", []) if "valueFrom" in each]
    return {each["name"] for each in named if "secretKeyRef" in each["valueFrom"]}


def test_each_process_is_given_the_secrets_that_it_needs_and_no_more() -> None:
    objects = site("production-s3")

    given = {name: secret_names(pod) for name, _, pod in pods(objects)}

    database, token = "VIDEOANNOTATOR_DATABASE__URL", "VIDEOANNOTATOR_RPC__INTERNAL_TOKEN"
    bucket = {"VIDEOANNOTATOR_STORAGE__ACCESS_KEY_ID", "VIDEOANNOTATOR_STORAGE__SECRET_ACCESS_KEY"}
    migration = next(name for name in given if "migration" in name)
    making = next(name for name in given if "make-secrets" in name)
    assert given == {
        "Deployment/va-videoannotator-api": {
            *(database, token, "VIDEOANNOTATOR_AUTH__FIRST_ADMIN_KEY"),
            *bucket,
        },
        "Deployment/va-videoannotator-scheduler": {
            *(database, token, "VIDEOANNOTATOR_RPC__WORKER_KEY"),
            *bucket,
        },
        "Pod/va-videoannotator-test": {"VIDEOANNOTATOR_TOKEN"},
        migration: {database},
        making: set(),
    }


def test_no_password_stands_in_a_configuration() -> None:
    objects = small("database.existingSecret=", "database.url=postgresql://va:hidden@h/d")

    told = [each for each in objects if each["kind"] != "Secret" and "hidden" in yaml.dump(each)]

    assert told == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("logLevel=info",), ("logLevel=debug",)),
        (("pipelines.voice_activity.memory=1Gi",), ("pipelines.voice_activity.memory=2Gi",)),
        (
            ("database.existingSecret=", "database.url=postgresql://va:one@h/d"),
            ("database.existingSecret=", "database.url=postgresql://va:two@h/d"),
        ),
    ],
    ids=["setting", "pipeline", "password"],
)
def test_a_change_starts_new_pods_and_no_change_starts_none(
    before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    def templates(sets: tuple[str, ...]) -> list[Body]:
        return [each["spec"]["template"] for each in of_kind(small(*sets), "Deployment")]

    assert all(one != other for one, other in zip(templates(before), templates(after), strict=True))
    assert templates(before) == templates((*before, "scheduler.replicas=3"))


def test_digests_count_before_tags_and_the_sites_registry_before_both() -> None:
    digest = "sha256:" + "a" * 64
    objects = small(
        "global.imageRegistry=mirror.example.org/x",
        f"image.control.digest={digest}",
        "image.tag=v7",
    )

    api = the(objects, "Deployment", "-api")["spec"]["template"]["spec"]["containers"][0]
    test = the(objects, "Pod", "-test")["spec"]["initContainers"][0]

    assert api["image"] == f"mirror.example.org/x/videoannotator/control@{digest}"
    assert test["image"] == "mirror.example.org/x/videoannotator/scene:v7"


def test_images_are_pulled_where_workers_may_run() -> None:
    objects = site("production-volume")

    pullers = {
        one["spec"]["containers"][0]["image"]: one
        for name, _, one in [(n, m, {"spec": p}) for n, m, p in pods(objects)]
        if name.startswith("DaemonSet/")
    }

    (scene, speech) = (pullers[image]["spec"] for image in sorted(pullers))
    assert scene["nodeSelector"] == {"example.org/pool": "cpu"}
    assert "tolerations" not in scene
    assert speech["nodeSelector"] == {"example.org/pool": "gpu"}
    assert speech["tolerations"][0]["key"] == "nvidia.com/gpu"
