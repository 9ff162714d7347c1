"""Requests as they are sent; and those that never are."""

import pytest

from videoannotator.domain.errors import InvalidRequest
from videoannotator.scheduler.launchers.kubernetes import requests
from videoannotator.scheduler.launchers.kubernetes.requests import Request, refuse_force

JOBS = requests.jobs("va", "app=va,!old")
PODS = requests.pods("va")


def test_a_list_is_asked_for_page_by_page_and_as_new_as_the_cluster() -> None:
    first, second = requests.page(JOBS, 500), requests.page(JOBS, 500, "more+/=")

    path = "/apis/batch/v1/namespaces/va/jobs"
    assert first.target == f"{path}?labelSelector=app%3Dva%2C%21old&limit=500"
    assert second.target == f"{first.target}&continue=more%2B%2F%3D"


def test_a_watch_goes_on_from_a_place_with_bookmarks_and_an_end() -> None:
    found = requests.watch(PODS, "17", 250)

    assert found.query == {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "17",
        "timeoutSeconds": "250",
    }


def test_a_kubernetes_job_is_deleted_by_name_and_uid_after_its_pods() -> None:
    found = requests.delete(JOBS, "va-scene-abc", "u-1", "Foreground")

    assert (found.method, found.target) == (
        "DELETE",
        "/apis/batch/v1/namespaces/va/jobs/va-scene-abc",
    )
    assert found.body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u-1"},
        "propagationPolicy": "Foreground",
    }


def test_a_pod_is_deleted_with_its_own_grace() -> None:
    found = requests.delete(PODS, "va-scene-abc-xyz12", "u-2", None)

    assert found.body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u-2"},
    }


def test_a_log_is_asked_for_by_its_last_lines_and_no_more_than_a_mebibyte() -> None:
    found = requests.log(PODS, "p", "worker", 20)

    assert found.target == (
        "/api/v1/namespaces/va/pods/p/log?container=worker&tailLines=20&limitBytes=1048576"
    )


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_missing_name_never_becomes_a_request_about_everything(name: str) -> None:
    with pytest.raises(InvalidRequest):
        requests.delete(PODS, name, "u", None)
    with pytest.raises(InvalidRequest):
        requests.jobs(name)


def test_a_name_reaches_no_other_object() -> None:
    assert requests.get(PODS, "../secrets/s?x").path == (
        "/api/v1/namespaces/va/pods/..%2Fsecrets%2Fs%3Fx"
    )


@pytest.mark.parametrize(
    "request_",
    [
        Request(method="DELETE", path="/p", body={"gracePeriodSeconds": 0}),
        Request(method="DELETE", path="/p", body={"gracePeriodSeconds": "0"}),
        Request(method="DELETE", path="/p", body={"gracePeriodSeconds": 0.4}),
        Request(method="DELETE", path="/p", body={"gracePeriodSeconds": -1}),
        Request(method="DELETE", path="/p", body={"gracePeriodSeconds": False}),
        Request(method="DELETE", path="/p", query={"gracePeriodSeconds": "0"}),
        Request(method="DELETE", path="/p", query={"gracePeriodSeconds": ""}),
        Request(method="POST", path="/evict", body={"deleteOptions": {"gracePeriodSeconds": 0}}),
        Request(
            method="POST",
            path="/jobs",
            body={"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 0}}}},
        ),
        Request(method="POST", path="/p", body={"items": [[{"gracePeriodSeconds": 0}]]}),
    ],
    ids=lambda each: f"{each.method} {dict(each.query) or each.body}",
)
def test_a_grace_of_nothing_is_never_sent(request_: Request) -> None:
    with pytest.raises(InvalidRequest, match="grace of 0"):
        refuse_force(request_)


@pytest.mark.parametrize(
    "request_",
    [
        requests.delete(PODS, "p", "u", None),
        requests.delete(JOBS, "j", "u", "Foreground"),
        requests.create(JOBS, {"spec": {"terminationGracePeriodSeconds": 30}}),
        requests.create(JOBS, {"spec": {"terminationGracePeriodSeconds": None}}),
        requests.create(JOBS, {"spec": {"backoffLimit": 0, "tolerations": [{"seconds": 0}]}}),
    ],
    ids=["pod", "job", "grace", "no grace", "other zeros"],
)
def test_everything_graceful_passes(request_: Request) -> None:
    refuse_force(request_)
