"""The cluster's network links, sysctls and nft tables on this machine."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from tests.cluster.up.places import NODE_ADDRESS, NODE_LINK, PODS_LINK
from tests.cluster.up.processes import PATH
from tests.cluster.up.record import KERNEL

#: Pods on one bridge reach each other by Services only when the bridge asks nftables.
NEEDED_SYSCTLS = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
#: kube-proxy's.
TABLES = ("ip kube-proxy", "ip6 kube-proxy")


def make_node_link() -> None:
    """Gives the node its address, and the kernel what pods need."""
    if NODE_LINK not in names():
        _run("ip", "link", "add", NODE_LINK, "type", "bridge")
        _run("ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", NODE_LINK)
        _run("ip", "link", "set", NODE_LINK, "up")
    put_back(NEEDED_SYSCTLS)


def put_back(sysctls: Mapping[str, str]) -> None:
    """Sets settings of the kernel that are different."""
    for name, value in sysctls.items():
        path = KERNEL / name
        if path.read_text().strip() != value:
            path.write_text(value)


def names() -> set[str]:
    """The links of this machine."""
    return {link["ifname"] for link in _links()}


def remove() -> None:
    """Removes the cluster's links with those of its pods, and kube-proxy's tables."""
    for name in ours(_links()):
        # The kernel removes a pod's link with the pod's network, which may be just now.
        subprocess.run(
            ["ip", "link", "delete", name], env={"PATH": PATH}, capture_output=True, check=False
        )
    for table in TABLES:
        if table in tables():
            _run("nft", "delete", "table", *table.split())


def ours(links: Iterable[Mapping[str, Any]]) -> list[str]:
    """The cluster's links, those of pods before the bridge they hang on."""
    pods = [link["ifname"] for link in links if link.get("master") == PODS_LINK]
    present = {link["ifname"] for link in links}
    return [*pods, *(name for name in (PODS_LINK, NODE_LINK) if name in present)]


def tables() -> set[str]:
    """The nft tables of this machine, as `ip kube-proxy`; none without nft."""
    try:
        told = json.loads(_run("nft", "--json", "list", "tables"))
    except FileNotFoundError:
        return set()
    found = (one["table"] for one in told["nftables"] if "table" in one)
    return {f"{one['family']} {one['name']}" for one in found}


def _links() -> list[dict[str, Any]]:
    return list(json.loads(_run("ip", "-json", "-details", "link", "show")))


def _run(*order: str) -> str:
    done = subprocess.run(order, env={"PATH": PATH}, capture_output=True, text=True, check=True)
    return done.stdout
