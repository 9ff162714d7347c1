"""What a running cluster was started as, and what the machine was like before it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.up.places import PLACES, Places

#: Folders and files that containerd, the kubelet, CNI and runc use wherever their own are.
SYSTEM = (
    "/opt/containerd",
    "/run/containerd",
    "/run/runc",
    "/run/xtables.lock",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
)
#: What the kubelet, kube-proxy and the CNI plugins write.
SYSCTLS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "net/ipv4/vs/conntrack",
    "net/ipv6/conf/all/forwarding",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
KERNEL = Path("/proc/sys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the cluster was started as, and what its end must put back."""

    fingerprint: str
    absent: list[str]  # of SYSTEM
    sysctls: dict[str, str]


def begin(fingerprint: str, places: Places = PLACES) -> None:
    """Writes down how the machine is, before anything is changed."""
    absent = [path for path in SYSTEM if not Path(path).exists()]
    record = Record(fingerprint=fingerprint, absent=absent, sysctls=sysctls())
    places.state.mkdir(parents=True, mode=0o700)
    write(places.record, json.dumps(asdict(record)))


def write(path: Path, text: str) -> None:
    """Replaces a file whole."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def read(places: Places = PLACES) -> Record | None:
    """The record; None when there is no cluster, or when its making ended before the record."""
    try:
        return Record(**json.loads(places.record.read_text()))
    except FileNotFoundError:
        return None


def sysctls(names: Iterable[str] = SYSCTLS) -> dict[str, str]:
    """The kernel's settings of these names, as far as it has them."""
    found = {name: KERNEL / name for name in names}
    return {name: path.read_text().strip() for name, path in found.items() if path.exists()}
