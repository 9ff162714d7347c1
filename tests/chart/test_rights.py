"""What the chart allows whom to do with the API server: no more than what is used."""

import pytest

from tests.chart.rendering import NAMESPACE, SITES, Body, of_kind, pods, site, the

SCHEDULER = {
    ("batch", "jobs"): {"create", "get", "list", "watch", "delete"},
    ("", "pods"): {"get", "list", "watch", "delete"},
    ("", "pods/log"): {"get"},
    ("", "events"): {"list"},
}


def rights(role: Body) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        assert rule.keys() == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


@pytest.mark.parametrize("name", SITES)
def test_the_scheduler_may_do_exactly_this(name: str) -> None:
    assert rights(the(site(name), "Role", "-scheduler")) == SCHEDULER


@pytest.mark.parametrize("name", ["test", "production-s3"])
def test_the_hook_may_make_secrets_and_read_none(name: str) -> None:
    assert rights(the(site(name), "Role", "-make-secrets")) == {("", "secrets"): {"create"}}


@pytest.mark.parametrize("name", SITES)
def test_there_are_no_other_rights(name: str) -> None:
    objects = site(name)
    kinds = {each["kind"] for each in objects}

    roles = {
        each["metadata"]["name"].rpartition("videoannotator-")[2]
        for each in of_kind(objects, "Role")
    }

    assert roles <= {"scheduler", "make-secrets"}
    assert not kinds & {"ClusterRole", "ClusterRoleBinding"}


@pytest.mark.parametrize("name", SITES)
def test_each_role_is_bound_to_its_own_account_alone(name: str) -> None:
    for binding in of_kind(site(name), "RoleBinding"):
        role = binding["metadata"]["name"]
        assert binding["roleRef"]["name"] == role
        assert binding["roleRef"]["kind"] == "Role"
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": role, "namespace": NAMESPACE}
        ]


@pytest.mark.parametrize("name", SITES)
def test_only_scheduler_and_hook_run_under_an_account_with_rights(name: str) -> None:
    objects = site(name)
    bound = {each["subjects"][0]["name"] for each in of_kind(objects, "RoleBinding")}

    users = {
        metadata["labels"]["app.kubernetes.io/component"]
        for _, metadata, pod in pods(objects)
        if pod.get("serviceAccountName") in bound
    }

    assert users <= {"scheduler", "make-secrets"}
    assert "scheduler" in users


def test_without_the_hook_nobody_may_make_secrets() -> None:
    objects = site("production-volume")

    assert [each["metadata"]["name"] for each in of_kind(objects, "Role")] == [
        "va-videoannotator-scheduler"
    ]


def test_with_hooks_the_right_to_make_secrets_ends_with_the_installation() -> None:
    role = the(site("test"), "Role", "-make-secrets")

    hook = role["metadata"]["annotations"]

    assert hook["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "hook-succeeded" in hook["helm.sh/hook-delete-policy"]
