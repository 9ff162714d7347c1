"""Who may reach whom, computed from NetworkPolicies as Kubernetes defines them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from tests.chart.rendering import Body

NAMESPACE = "annotation"
NAME_OF_NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A pod, or an address outside the cluster."""

    name: str
    address: str
    namespace: str | None = None  #: None: outside
    labels: Mapping[str, str] = field(default_factory=dict)


def reaches(policies: Iterable[Body], source: Place, target: Place, port: int, kind: str) -> bool:
    """Whether both ends allow it; a pod that no policy selects allows everything."""
    every = list(policies)
    return _allows(every, source, target, port, kind, "Egress") and _allows(
        every, target, source, port, kind, "Ingress"
    )


def _allows(policies: list[Body], own: Place, other: Place, port: int, kind: str, way: str) -> bool:
    mine = [
        each["spec"]
        for each in policies
        if own.namespace == NAMESPACE
        and way in each["spec"]["policyTypes"]
        and _selects(each["spec"]["podSelector"], own.labels)
    ]
    if not mine:
        return True
    rules = [rule for policy in mine for rule in policy.get(way.lower(), [])]
    return any(_fits(rule, other, port, kind, way) for rule in rules)


def _fits(rule: Body, other: Place, port: int, kind: str, way: str) -> bool:
    peers = rule.get("to" if way == "Egress" else "from")
    ports = rule.get("ports")
    by_port = ports is None or any(
        each.get("protocol", "TCP") == kind and each.get("port", port) == port for each in ports
    )
    return by_port and (peers is None or any(_is(peer, other) for peer in peers))


def _is(peer: Body, other: Place) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        address = ip_address(other.address)
        outside = any(address in ip_network(each) for each in block.get("except", []))
        return address in ip_network(block["cidr"]) and not outside
    if other.namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not _selects(peer["namespaceSelector"], {NAME_OF_NAMESPACE: other.namespace}):
            return False
    elif other.namespace != NAMESPACE:
        return False
    return _selects(peer.get("podSelector", {}), other.labels)


def _selects(selector: Body, labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}  # the chart uses nothing else
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items())
