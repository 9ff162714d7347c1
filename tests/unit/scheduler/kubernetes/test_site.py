"""The file in which the operator of a cluster says where workers run."""

import json
from typing import Any

import pytest

from videoannotator.domain.errors import InvalidSetting
from videoannotator.scheduler.launchers.kubernetes.site import (
    Placement,
    Site,
    Toleration,
    read_site,
)

SMALLEST: dict[str, Any] = {
    "release": "va",
    "namespace": "annotation",
    "pipelines": {"scene": {"image": "scene:1"}},
}


def test_the_smallest_file_is_read_with_defaults() -> None:
    assert read_site(json.dumps(SMALLEST)) == Site(
        release="va", namespace="annotation", pipelines={"scene": Placement(image="scene:1")}
    )


def test_a_file_is_written_like_the_values_of_the_chart() -> None:
    placed = {
        "image": "scene:1",
        "cpu": 2,
        "memory": "4Gi",
        "ephemeralStorage": "20Gi",
        "gpus": 1,
        "gpuResource": "nvidia.com/mig-1g.5gb",
        "longestSeconds": 7200,
        "nodeSelector": {"gpu": "a100"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 60}],
        "runtimeClass": "nvidia",
        "priorityClass": "batch",
        "schedulerName": "kai",
        "labels": {"kueue.x-k8s.io/queue-name": "annotation"},
    }
    whole = {**SMALLEST, "pipelines": {"scene": placed}, "volumeClaim": "storage", "fsGroup": 7}

    site = read_site(json.dumps(whole))

    assert (site.volume_claim, site.fs_group) == ("storage", 7)
    assert site.pipelines["scene"] == Placement(
        image="scene:1",
        cpu="2",
        memory="4Gi",
        ephemeral_storage="20Gi",
        gpus=1,
        gpu_resource="nvidia.com/mig-1g.5gb",
        longest_seconds=7200.0,
        node_selector={"gpu": "a100"},
        tolerations=(Toleration(key="gpu", operator="Exists", toleration_seconds=60),),
        runtime_class="nvidia",
        priority_class="batch",
        scheduler_name="kai",
        labels={"kueue.x-k8s.io/queue-name": "annotation"},
    )


@pytest.mark.parametrize(
    "key", ["volumeClaim", "modelsClaim", "certificateSecret", "serviceAccount"]
)
def test_an_empty_name_is_none(key: str) -> None:
    assert read_site(json.dumps({**SMALLEST, key: ""})) == read_site(json.dumps(SMALLEST))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"volumeclaim": "x"}, "volumeclaim: there is no such key"),
        ({"pipelines": {"scene": {}}}, "pipelines.scene.image: field required"),
        ({"pipelines": {"scene": {"image": "x", "gpu": 1}}}, "pipelines.scene.gpu: there is no"),
        ({"pipelines": {"scene": {"image": ""}}}, "pipelines.scene.image: string should have"),
        ({"pipelines": {"scene": {"image": "x", "gpus": -1}}}, "pipelines.scene.gpus: input sh"),
        ({"pipelines": {"scene": {"image": "x", "memory": "4 GB"}}}, "pipelines.scene.memory: "),
        ({"pipelines": {"scene": {"image": "x", "cpu": "two"}}}, "pipelines.scene.cpu: string"),
        ({"pipelines": {"scene": {"image": "x", "cpu": True}}}, "pipelines.scene.cpu: input sh"),
        ({"runAsUser": 0}, "runAsUser: input should be greater than or equal to 1"),
        ({"logLevel": "loud"}, "logLevel: string should match"),
        ({"imagePullPolicy": "Sometimes"}, "imagePullPolicy: string should match"),
        ({"labels": {"a b": "c"}}, "labels.a b.[key]: string should match"),
        ({"labels": {"a": "b c"}}, "labels.a: string should match"),
        ({"release": ""}, "release: string should have at least 1 character"),
    ],
)
def test_what_is_not_allowed_is_named(change: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidSetting) as raised:
        read_site(json.dumps({**SMALLEST, **change}))

    assert told in raised.value.message
    assert "chart's values" in raised.value.hint


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(InvalidSetting) as raised:
        read_site('{"release": "va", "logLevel": "loud", "other": 1}')

    told = raised.value.message
    assert all(word in told for word in ("namespace:", "pipelines:", "logLevel:", "other:"))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "release: va"])
def test_a_file_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="the whole file: "):
        read_site(text)
