"""The configuration files of the cluster's programs, as text."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.up.places import (
    API,
    CNI_PLUGINS,
    DNS_READY_PORT,
    DNS_SERVICE,
    DOMAIN,
    NAME,
    NODE,
    NODE_ADDRESS,
    PAUSE_IMAGE,
    PODS,
    PODS_LINK,
    PODS_OF_NODE,
    Places,
)

#: Who reaches the API server with a file of this name.
USERS = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns", "admin")
CRI = 'plugins."io.containerd.grpc.v1.cri"'


def files(places: Places) -> Mapping[Path, str]:
    """Every file but the certificates and the kubeconfigs, which hold keys."""
    return {
        places.files / "containerd.toml": containerd(places),
        places.files / "cni" / "10-pods.conflist": _json(cni(places)),
        places.files / "kubelet.json": _json(kubelet(places)),
        places.files / "kube-proxy.json": _json(proxy(places)),
        places.files / "Corefile": corefile(places),
        # Pods that want the resolver of their node get the cluster's.
        places.files / "resolv.conf": f"nameserver {NODE_ADDRESS}\n",
    }


def kubeconfig(pki: Path, user: str) -> str:
    """A kubeconfig that needs no other file."""
    certificate, key, authority = (
        base64.b64encode((pki / name).read_bytes()).decode()
        for name in (f"{user}.crt", f"{user}.key", "ca.crt")
    )
    cluster = {"server": API, "certificate-authority-data": authority}
    identity = {"client-certificate-data": certificate, "client-key-data": key}
    return _json(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": NAME, "cluster": cluster}],
            "users": [{"name": user, "user": identity}],
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": user}}],
            "current-context": NAME,
        }
    )


def containerd(places: Places) -> str:
    """containerd with everything it writes below our folders."""
    return f"""version = 2
root = "{places.state}/containerd"
state = "{places.run}/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{places.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{places.state}/containerd-opt"

[{CRI}]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  netns_mounts_under_state_dir = true

  [{CRI}.cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{places.files}/cni"

  [{CRI}.containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [{CRI}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [{CRI}.containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{places.run}/runc"
"""


def cni(places: Places) -> Mapping[str, Any]:
    """A bridge for the pods, with a way to the node and none to the outside."""
    addresses = {
        "type": "host-local",
        "dataDir": str(places.state / "addresses"),
        "ranges": [[{"subnet": PODS_OF_NODE}]],
    }
    bridge = {
        "type": "bridge",
        "bridge": PODS_LINK,
        "isDefaultGateway": True,
        "hairpinMode": True,  # a pod may reach itself by its Service
        "ipam": addresses,
    }
    return {"cniVersion": "0.4.0", "name": NAME, "plugins": [bridge]}


def kubelet(places: Places) -> Mapping[str, Any]:
    """A node that rejects strangers, keeps below our cgroup, and is content with a full disk."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{places.containerd_socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(places.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(places.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(places.pki / "kubelet.key"),
        "address": NODE_ADDRESS,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{NAME}",
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": DOMAIN,
        "resolvConf": str(places.files / "resolv.conf"),
        "nodeStatusUpdateFrequency": "1s",  # another number of GPUs is seen soon
        "failSwapOn": False,
        "failCgroupV1": False,
        "makeIPTablesUtilChains": False,
        "podLogsDir": str(places.pod_logs),
        "volumePluginDir": str(places.state / "volume-plugins"),
        "imageGCHighThresholdPercent": 100,  # no image is pulled again
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
    }


def proxy(places: Places) -> Mapping[str, Any]:
    """Services by nftables; the kernel's limits of connections stay as they are."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(places.kubeconfig("kube-proxy"))},
        "hostnameOverride": NODE,
        "mode": "nftables",
        "clusterCIDR": PODS,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def corefile(places: Places) -> str:
    """Names of Services and pods; names of the outside are refused."""
    return f""".:53 {{
    bind {NODE_ADDRESS}
    errors
    ready 127.0.0.1:{DNS_READY_PORT}
    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {places.kubeconfig("coredns")}
        pods insecure
        ttl 5
    }}
    cache 5
}}
"""


def dns_objects() -> Mapping[str, Any]:
    """What CoreDNS, a process of the node, needs in the cluster: rights, and its Service."""
    return {"apiVersion": "v1", "kind": "List", "items": [*_dns_rights(), *_dns_service()]}


def _dns_rights() -> list[Mapping[str, Any]]:
    group = "rbac.authorization.k8s.io"
    name = {"name": "system:coredns"}
    reading = ["list", "watch"]
    rules = [
        {
            "apiGroups": [""],
            "resources": ["endpoints", "services", "pods", "namespaces"],
            "verbs": reading,
        },
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": reading,
        },
    ]
    role = {"apiGroup": group, "kind": "ClusterRole", **name}
    version = {"apiVersion": f"{group}/v1", "metadata": name}
    return [
        {**version, "kind": "ClusterRole", "rules": rules},
        {
            **version,
            "kind": "ClusterRoleBinding",
            "roleRef": role,
            "subjects": [{"apiGroup": group, "kind": "User", **name}],
        },
    ]


def _dns_service() -> list[Mapping[str, Any]]:
    ports = [{"name": f"dns-{one.lower()}", "port": 53, "protocol": one} for one in ("UDP", "TCP")]
    metadata = {
        "name": "kube-dns",
        "namespace": "kube-system",
        "labels": {"k8s-app": "kube-dns", "kubernetes.io/service-name": "kube-dns"},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"clusterIP": DNS_SERVICE, "ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata,
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
        },
    ]


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
