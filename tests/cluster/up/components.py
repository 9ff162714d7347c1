"""The programs that make up the cluster and the arguments each of them gets."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster.up.places import (
    API_PORT,
    DOMAIN,
    ETCD_PEER_PORT,
    ETCD_PORT,
    NODE,
    NODE_ADDRESS,
    PODS,
    SERVICES,
    Places,
)

#: Started in this order.
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "gpus",
    "kube-proxy",
    "coredns",
)
#: A node that is silent for so long is not ready, and its pods leave after as long again. A real
#: cluster waits 50 s and 300 s; a test shall not.
NODE_SILENT_SECONDS = 20
TOLERATION_SECONDS = 30

ETCD = f"https://127.0.0.1:{ETCD_PORT}"
ETCD_PEER = f"https://127.0.0.1:{ETCD_PEER_PORT}"


def order(component: str, places: Places, program: Path) -> list[str]:
    """The command of a component."""
    flags = ARGUMENTS[component](places)
    return [str(program), *(f"--{name}={value}" for name, value in flags.items())]


def _etcd(places: Places) -> Mapping[str, object]:
    return {
        "name": NODE,
        "data-dir": places.state / "etcd",
        "listen-client-urls": ETCD,
        "advertise-client-urls": ETCD,
        "listen-peer-urls": ETCD_PEER,
        "initial-advertise-peer-urls": ETCD_PEER,
        "initial-cluster": f"{NODE}={ETCD_PEER}",
        **_etcd_certificates(places, ""),
        **_etcd_certificates(places, "peer-"),
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }


def _etcd_certificates(places: Places, prefix: str) -> Mapping[str, object]:
    return {
        f"{prefix}client-cert-auth": "true",
        f"{prefix}trusted-ca-file": places.pki / "ca.crt",
        f"{prefix}cert-file": places.pki / "etcd.crt",
        f"{prefix}key-file": places.pki / "etcd.key",
    }


def _api_server(places: Places) -> Mapping[str, object]:
    pki = places.pki
    return {
        "advertise-address": NODE_ADDRESS,
        "bind-address": NODE_ADDRESS,
        "secure-port": API_PORT,
        "cert-dir": places.state / "api",
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "client-ca-file": pki / "ca.crt",
        "etcd-servers": ETCD,
        "etcd-cafile": pki / "ca.crt",
        "etcd-certfile": pki / "etcd-client.crt",
        "etcd-keyfile": pki / "etcd-client.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-client-certificate": pki / "kubelet-client.crt",
        "kubelet-client-key": pki / "kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": f"https://kubernetes.default.svc.{DOMAIN}",
        "service-account-key-file": pki / "accounts.pub",
        "service-account-signing-key-file": pki / "accounts.key",
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "default-not-ready-toleration-seconds": TOLERATION_SECONDS,
        "default-unreachable-toleration-seconds": TOLERATION_SECONDS,
        "profiling": "false",
    }


def _controller_manager(places: Places) -> Mapping[str, object]:
    return {
        **_client(places, "kube-controller-manager"),
        "allocate-node-cidrs": "true",
        "cluster-cidr": PODS,
        "service-cluster-ip-range": SERVICES,
        "use-service-account-credentials": "true",
        "root-ca-file": places.pki / "ca.crt",
        "service-account-private-key-file": places.pki / "accounts.key",
        "node-monitor-grace-period": f"{NODE_SILENT_SECONDS}s",
        # It would look for volume plugins in a folder of the system.
        "flex-volume-plugin-dir": places.state / "volume-plugins",
    }


def _scheduler(places: Places) -> Mapping[str, object]:
    return _client(places, "kube-scheduler")


def _client(places: Places, component: str) -> Mapping[str, object]:
    config = places.kubeconfig(component)
    return {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "bind-address": "127.0.0.1",
        "leader-elect": "false",
        "profiling": "false",
    }


def _containerd(places: Places) -> Mapping[str, object]:
    return {"config": places.files / "containerd.toml"}


def _kubelet(places: Places) -> Mapping[str, object]:
    return {
        "config": places.files / "kubelet.json",
        "kubeconfig": places.kubeconfig("kubelet"),
        "root-dir": places.state / "kubelet",
        "cert-dir": places.state / "kubelet" / "pki",
        "hostname-override": NODE,
        "node-ip": NODE_ADDRESS,
    }


def _gpus(places: Places) -> Mapping[str, object]:
    return {"number-file": places.gpus}


def _proxy(places: Places) -> Mapping[str, object]:
    return {"config": places.files / "kube-proxy.json"}


def _dns(places: Places) -> Mapping[str, object]:
    return {"conf": places.files / "Corefile"}


ARGUMENTS: Mapping[str, Callable[[Places], Mapping[str, object]]] = {
    "etcd": _etcd,
    "kube-apiserver": _api_server,
    "kube-controller-manager": _controller_manager,
    "kube-scheduler": _scheduler,
    "containerd": _containerd,
    "kubelet": _kubelet,
    "gpus": _gpus,
    "kube-proxy": _proxy,
    "coredns": _dns,
}
