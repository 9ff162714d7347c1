"""Slim records from the API server's JSON."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.scheduler.launchers.kubernetes.views import (
    Condition,
    ContainerView,
    EventView,
    JobView,
    PodView,
    event_view,
    job_view,
    pod_view,
    resource_version_of,
    uid_of,
)

AT = "2026-11-21T19:00:00Z"
MOMENT = datetime(2026, 11, 21, 19, tzinfo=UTC)
METADATA = {
    "name": "va-scene-abc",
    "uid": "u-1",
    "resourceVersion": "17",
    "labels": {"app": "va"},
    "annotations": {"videoannotator.io/worker": "abc"},
    "creationTimestamp": AT,
    "managedFields": [{"manager": "kubectl"}],
}

JOB = {
    "metadata": METADATA | {"deletionTimestamp": AT},
    "status": {
        "active": 1,
        "terminating": 1,
        "failed": 2,
        "conditions": [
            {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "m"}
        ],
    },
}

POD = {
    "metadata": METADATA
    | {
        "name": "va-scene-abc-xyz12",
        "ownerReferences": [
            {"kind": "ReplicaSet", "name": "no", "uid": "no"},
            {"kind": "Job", "name": "va-scene-abc", "uid": "u-0"},
        ],
        "deletionTimestamp": AT,
        "deletionGracePeriodSeconds": 30,
    },
    "spec": {"nodeName": "node-1", "containers": [{"name": "worker"}]},
    "status": {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
        "podIP": "10.244.0.7",
        "startTime": AT,
        "conditions": [
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "TerminationByKubelet",
                "lastTransitionTime": AT,
            }
        ],
        "containerStatuses": [
            {"name": "proxy", "ready": True, "state": {"running": {"startedAt": AT}}},
            {
                "name": "worker",
                "restartCount": 1,
                "state": {
                    "terminated": {
                        "exitCode": 137,
                        "signal": 9,
                        "reason": "OOMKilled",
                        "message": "last words",
                        "startedAt": AT,
                        "finishedAt": AT,
                    }
                },
            },
        ],
    },
}


def test_a_kubernetes_job_keeps_what_a_launcher_asks_for() -> None:
    assert job_view(JOB) == JobView(
        name="va-scene-abc",
        uid="u-1",
        labels={"app": "va"},
        annotations={"videoannotator.io/worker": "abc"},
        created_at=MOMENT,
        deletion_timestamp=MOMENT,
        active=1,
        terminating=1,
        succeeded=0,
        failed=2,
        conditions=(
            Condition(type="Failed", status="True", reason="PodFailurePolicy", message="m"),
        ),
    )


def test_a_pod_keeps_what_explains_its_end() -> None:
    worker = ContainerView(
        name="worker",
        state="terminated",
        reason="OOMKilled",
        message="last words",
        exit_code=137,
        signal=9,
        restarts=1,
        started_at=MOMENT,
        finished_at=MOMENT,
    )
    proxy = ContainerView(name="proxy", state="running", ready=True, started_at=MOMENT)
    disruption = Condition(
        type="DisruptionTarget", status="True", reason="TerminationByKubelet", since=MOMENT
    )

    found = pod_view(POD)

    assert found == PodView(
        name="va-scene-abc-xyz12",
        uid="u-1",
        labels={"app": "va"},
        annotations={"videoannotator.io/worker": "abc"},
        job_name="va-scene-abc",
        job_uid="u-0",
        phase="Failed",
        reason="Evicted",
        message="The node was low on resource: memory.",
        node_name="node-1",
        pod_ip="10.244.0.7",
        created_at=MOMENT,
        started_at=MOMENT,
        deletion_timestamp=MOMENT,
        deletion_grace_seconds=30.0,
        conditions=(disruption,),
        containers=(proxy, worker),
    )
    assert found.container == worker
    assert found.ended


def test_a_pod_without_an_owner_is_known_by_its_label() -> None:
    pod = {"metadata": {"labels": {"batch.kubernetes.io/job-name": "new", "job-name": "old"}}}
    older = {"metadata": {"labels": {"job-name": "old"}}}

    assert pod_view(pod).job_name == "new"
    assert pod_view(older).job_name == "old"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, ContainerView(name="worker")),
        ({"waiting": {}}, ContainerView(name="worker", state="waiting")),
        ({"running": {}, "terminated": None}, ContainerView(name="worker", state="running")),
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": "back-off"}},
            ContainerView(
                name="worker", state="waiting", reason="ImagePullBackOff", message="back-off"
            ),
        ),
        (
            {"terminated": {"exitCode": 0}},
            ContainerView(name="worker", state="terminated", exit_code=0),
        ),
    ],
    ids=["nothing told", "waiting", "running", "waiting for an image", "ended well"],
)
def test_a_container_is_in_one_state(state: object, expected: ContainerView) -> None:
    pod = {"status": {"containerStatuses": [{"name": "worker", "state": state}]}}

    assert pod_view(pod).container == expected


def test_a_container_of_another_name_is_taken_where_it_is_the_only_one() -> None:
    pod = {"status": {"containerStatuses": [{"name": "main", "state": {}}]}}

    assert pod_view(pod).container == ContainerView(name="main")


@pytest.mark.parametrize(
    ("type_", "status", "finished"),
    [
        ("Complete", "True", True),
        ("Failed", "True", True),
        ("Failed", "False", False),
        ("FailureTarget", "True", False),  # it will fail once its pods are over
        ("SuccessCriteriaMet", "True", False),
        ("Suspended", "True", False),
    ],
)
def test_a_kubernetes_job_is_finished_when_no_pod_can_come(
    type_: str, status: str, finished: bool
) -> None:
    job = {"status": {"conditions": [{"type": type_, "status": status}]}}

    assert job_view(job).finished is finished


EVENT = {
    "metadata": {"creationTimestamp": AT},
    "involvedObject": {"uid": "u-1", "kind": "Job", "name": "va-scene-abc"},
    "reason": "FailedCreate",
    "message": "exceeded quota",
    "type": "Warning",
    "count": 3,
}


def test_an_event_says_what_happened_to_what() -> None:
    assert event_view(EVENT | {"lastTimestamp": AT}) == EventView(
        reason="FailedCreate",
        message="exceeded quota",
        type="Warning",
        regarding_uid="u-1",
        regarding_kind="Job",
        regarding_name="va-scene-abc",
        count=3,
        last_at=MOMENT,
    )


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ({}, MOMENT),
        ({"eventTime": "2026-11-21T20:00:00.000001Z"}, MOMENT.replace(hour=20, microsecond=1)),
        (
            {"lastTimestamp": "2026-11-21T20:00:00Z", "eventTime": None},
            MOMENT.replace(hour=20),
        ),
        (
            {"series": {"count": 9, "lastObservedTime": "2026-11-21T21:00:00Z"}},
            MOMENT.replace(hour=21),
        ),
    ],
    ids=["created only", "event time", "last time", "a series"],
)
def test_an_event_is_as_old_as_its_last_time(words: dict[str, object], at: datetime) -> None:
    assert event_view(EVENT | words).last_at == at


#: JSON that has the right names at the wrong places.
NAMES = st.sampled_from(
    [
        "metadata",
        "status",
        "spec",
        "state",
        "conditions",
        "containerStatuses",
        "labels",
        "uid",
        "phase",
        "terminated",
        "creationTimestamp",
        "active",
        "ownerReferences",
        "exitCode",
        "kind",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@given(ANYTHING)
def test_no_json_is_too_strange(raw: object) -> None:
    job, pod, event = job_view(raw), pod_view(raw), event_view(raw)

    assert isinstance(job.active, int)
    assert isinstance(pod.phase, str)
    assert isinstance(event.message, str)
    assert isinstance(uid_of(raw) + resource_version_of(raw), str)


def test_an_empty_object_has_every_field() -> None:
    assert job_view({}) == JobView(name="", uid="", labels={}, annotations={})
    assert pod_view({}) == PodView(name="", uid="", labels={}, annotations={})
    assert event_view({}) == EventView(reason="", message="")
    assert pod_view({}).container is None
