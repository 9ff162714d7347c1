"""What is asked of a running cluster: kubectl, GPUs, images, compaction."""

import json
import ssl
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster.up import record
from tests.cluster.up.components import ETCD
from tests.cluster.up.places import KUBECONFIG, NODE, PLACES, Places
from tests.cluster.up.processes import Failed, until
from tests.cluster.up.programs import CACHE, program

GPU = "nvidia.com/gpu"
NAMESPACE = "k8s.io"  # where containerd keeps what Kubernetes uses


def kubectl(*words: str, given: str | None = None, kubeconfig: Path = KUBECONFIG) -> str:
    """What kubectl prints.

    Raises: Failed with its message.
    """
    own = (f"--kubeconfig={kubeconfig}", f"--cache-dir={CACHE / 'kubectl'}")
    order = [str(program("kubectl")), *own, *words]
    done = subprocess.run(order, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def answers(path: str, kubeconfig: Path = KUBECONFIG) -> bool:
    """Whether the API server answers a path with 200."""
    try:
        kubectl("get", "--raw", path, "--request-timeout=5s", kubeconfig=kubeconfig)
    except Failed:
        return False
    return True


def is_ready(kubeconfig: Path = KUBECONFIG, node: str = NODE) -> bool:
    """Whether the node takes pods."""
    try:
        told = json.loads(kubectl("get", "node", node, "-o", "json", kubeconfig=kubeconfig))
    except Failed:
        return False
    conditions = {one["type"]: one["status"] for one in told["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and not told["spec"].get("taints")


def advertise(gpus: int, node: str, kubeconfig: Path) -> None:
    """Makes a node that is not ours say that it has `gpus` GPUs, which the scheduler counts."""
    amount = {GPU: str(gpus)}
    patch = json.dumps({"status": {"capacity": amount, "allocatable": amount}})
    words = ("patch", "node", node, "--subresource=status", "--type=merge", "-p", patch)
    kubectl(*words, kubeconfig=kubeconfig)


def set_gpus(gpus: int, places: Places = PLACES) -> None:
    """Makes our node offer `gpus` GPUs, and waits until the API server knows.

    Raises: Failed.
    """
    if not places.state.exists():
        raise Failed("There is no cluster. Bring one up: make cluster")
    record.write(places.gpus, str(gpus))
    until(f"the node offers {gpus} GPUs", lambda: gpus_offered() == gpus, 60.0, ["gpus"])


def gpus_offered() -> int:
    """How many GPUs the API server has of our node."""
    status = json.loads(kubectl("get", "node", NODE, "-o", "json"))["status"]
    return int(status["allocatable"].get(GPU, 0))


def renewed_at() -> str:
    """When the kubelet last said that it lives, in the API server's words."""
    words = ("lease", NODE, "--namespace=kube-node-lease", "-o", "jsonpath={.spec.renewTime}")
    return kubectl("get", *words)


def until_back(renewed_before: str, places: Places = PLACES) -> None:
    """Waits until a kubelet that was started again takes pods and has its GPUs."""
    until("the kubelet says that it lives", lambda: renewed_at() != renewed_before, 60.0)
    until_ready()
    set_gpus(int(places.gpus.read_text()))


def import_image(archive: Path, places: Places = PLACES) -> None:
    """Gives the node every image of an archive (OCI or docker); pods then say `Never` pull it."""
    _ctr(places, "images", "import", str(archive))


def images(places: Places = PLACES) -> set[str]:
    """The names of the images that the node has."""
    return set(_ctr(places, "images", "list", "--quiet").split())


def _ctr(places: Places, *words: str) -> str:
    order = ["ctr", f"--address={places.containerd_socket}", f"--namespace={NAMESPACE}", *words]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"ctr {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def containerd_answers(places: Places = PLACES) -> bool:
    """Whether containerd takes orders."""
    try:
        images(places)
    except Failed:
        return False
    return True


def compact_etcd(places: Places = PLACES) -> int:
    """Makes etcd forget every older revision; the oldest that it knows now."""
    now = int(_etcd(places, "range", {"key": "AA=="})["header"]["revision"])
    _etcd(places, "compaction", {"revision": str(now), "physical": True})
    return now


def _etcd(places: Places, call: str, body: dict[str, Any]) -> Any:
    context = ssl.create_default_context(cafile=places.pki / "ca.crt")
    context.load_cert_chain(places.pki / "etcd-client.crt", places.pki / "etcd-client.key")
    headers = {"Content-Type": "application/json"}
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{ETCD}/v3/kv/{call}", data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        return json.load(answer)


def until_ready(seconds: float = 60.0) -> None:
    """Waits until the node takes pods."""
    until("the node is ready", is_ready, seconds, ("kube-apiserver", "kubelet", "containerd"))
