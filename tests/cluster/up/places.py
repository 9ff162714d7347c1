"""Names, addresses and folders of the cluster. One machine has at most one."""

from dataclasses import dataclass
from pathlib import Path

from tests.cluster.up.programs import CACHE

NAME = "videoannotator-cluster"
NODE = "test-node"
DOMAIN = "cluster.local"

#: The node has an address of its own, on a bridge without ports: the cluster needs no network card,
#: and nobody outside this machine can reach it.
NODE_ADDRESS = "10.243.0.1"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
PODS = "10.244.0.0/16"
PODS_OF_NODE = "10.244.0.0/24"
NODE_LINK = "va-node"
PODS_LINK = "va-pods"

API_PORT = 6443
ETCD_PORT = 12379
ETCD_PEER_PORT = 12380
DNS_READY_PORT = 18181
API = f"https://{NODE_ADDRESS}:{API_PORT}"

CNI_PLUGINS = Path("/usr/lib/cni")  # where Debian has them
PAUSE_IMAGE = "localhost/pause:local"
KUBECONFIG = CACHE / "kubeconfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of a running cluster; all of them go with it."""

    state: Path = Path("/var/lib") / NAME
    run: Path = Path("/run") / NAME

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def files(self) -> Path:
        """Configuration files."""
        return self.state / "files"

    @property
    def logs(self) -> Path:
        """What each component says, as NAME.log."""
        return self.state / "logs"

    @property
    def pod_logs(self) -> Path:
        """What the containers of pods say."""
        return self.state / "pod-logs"

    @property
    def record(self) -> Path:
        """What was there before the cluster, and what was asked of it."""
        return self.state / "cluster.json"

    @property
    def completed(self) -> Path:
        """There when the start came to its end."""
        return self.state / "completed"

    @property
    def gpus(self) -> Path:
        """How many GPUs the node offers."""
        return self.state / "number-of-gpus"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.run / "containerd.sock"

    def kubeconfig(self, user: str) -> Path:
        """How a component reaches the API server."""
        return self.files / f"{user}.kubeconfig"

    def pid(self, component: str) -> Path:
        """The process id of a component."""
        return self.run / f"{component}.pid"

    def log(self, component: str) -> Path:
        """What a component says."""
        return self.logs / f"{component}.log"


PLACES = Places()
