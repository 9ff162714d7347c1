"""Who may reach whom, computed from the rendered policies, is what the documentation says."""

import re
from itertools import product

import pytest

from tests.chart.reachability import NAMESPACE, Place, reaches
from tests.chart.rendering import ROOT, of_kind, small
from videoannotator.scheduler.launchers.kubernetes import names

PAGE = ROOT / "docs" / "architecture" / "cluster-network.md"
ROW = re.compile(r"^\| ([\w -]+) \| ([\w -]+) \| ([\d, ]+) \|", re.MULTILINE)
PORTS = (22, 53, 80, 443, 5432, 6443, 8080, 9090, 10250, 18011, 50051, 50052, 50053)

#: Addresses outside of which each is told apart: by default three of them may be anywhere.
KNOWN = (
    'networkPolicy.apiServer.cidrs=["10.1.0.1/32"]',
    'networkPolicy.database.peers=[{"ipBlock": {"cidr": "10.2.0.1/32"}}]',
    'networkPolicy.objectStore.peers=[{"ipBlock": {"cidr": "10.3.0.1/32"}}]',
    'networkPolicy.clients=[{"namespaceSelector": {"matchLabels": '
    '{"kubernetes.io/metadata.name": "ingress"}}}]',
)
S3 = ("storage.kind=s3", "storage.s3.url=s3://bucket", "storage.s3.existingSecret=keys")


def ours(component: str, number: int) -> Place:
    labels = {**names.workers_labels("va"), names.COMPONENT: component}
    return Place(name=component, address=f"10.0.0.{number}", namespace=NAMESPACE, labels=labels)


def pod(name: str, namespace: str, address: str) -> Place:
    return Place(name=name, namespace=namespace, address=address)


OURS = [
    ours(component, number)
    for number, component in enumerate(
        ("api", "scheduler", "worker", "migration", "make-secrets", "test", "pre-puller-scene")
    )
]
PLACES = [
    *OURS,
    pod("clients", "ingress", "10.0.1.1"),
    pod("scrapers", "monitoring", "10.0.1.2"),
    pod("DNS", "kube-system", "10.0.1.3"),
    pod("strangers", "default", "10.0.1.4"),
    Place(name="API server", address="10.1.0.1"),
    Place(name="database", address="10.2.0.1"),
    Place(name="S3 server", address="10.3.0.1"),
    Place(name="metadata service", address="169.254.169.254"),
    Place(name="internet", address="93.184.216.34"),
]

Way = tuple[str, str, int]


def computed(*sets: str) -> set[Way]:
    policies = of_kind(small(*sets), "NetworkPolicy")
    pairs = [(a, b) for a, b in product(PLACES, PLACES) if a is not b and (a in OURS or b in OURS)]
    return {
        (a.name, b.name, port)
        for (a, b), port in product(pairs, PORTS)
        if reaches(policies, a, b, port, "UDP" if port == 53 else "TCP")
    }


def written(part: str) -> set[Way]:
    return {
        (source, target, int(port))
        for source, target, ports in ROW.findall(part)
        for port in ports.split(",")
    }


PARTS = PAGE.read_text(encoding="utf-8").split("\n## ")[0].split("With videos and results in")


@pytest.mark.parametrize(
    ("sets", "table"),
    [(KNOWN, written(PARTS[0])), ((*KNOWN, *S3), written(PARTS[0]) | written(PARTS[1]))],
    ids=["volume", "s3"],
)
def test_who_reaches_whom_is_what_the_table_says(sets: tuple[str, ...], table: set[Way]) -> None:
    assert table
    assert computed(*sets) == table


@pytest.mark.parametrize("sets", [(), S3], ids=["volume", "s3"])
def test_by_default_nobody_reaches_the_clouds_metadata_service(sets: tuple[str, ...]) -> None:
    assert [way for way in computed(*sets) if way[1] == "metadata service"] == []


def test_by_default_workers_reach_nobody_and_only_the_scheduler_reaches_them() -> None:
    found = computed()

    assert [way for way in found if way[0] == "worker"] == []
    assert {way for way in found if way[1] == "worker"} == {("scheduler", "worker", 50053)}


def test_by_default_everybody_reaches_the_api_and_nothing_else_of_ours() -> None:
    strangers = {way for way in computed() if way[0] == "strangers"}

    assert strangers == {("strangers", "api", 18011), ("strangers", "api", 50051)}


def test_without_policies_everything_is_open_and_the_notes_say_so() -> None:
    assert of_kind(small("networkPolicy.enabled=false"), "NetworkPolicy") == []


def test_the_denial_covers_every_pod_of_the_release() -> None:
    policies = of_kind(small(), "NetworkPolicy")

    (denial,) = [one for one in policies if one["metadata"]["name"].endswith("default-deny")]

    assert denial["spec"].keys() == {"podSelector", "policyTypes"}
    assert (
        denial["spec"]["podSelector"]["matchLabels"].items() <= names.workers_labels("va").items()
    )
