"""The profile "restricted" of Pod Security, as Kubernetes 1.34 defines it, for pods as JSON."""

from collections.abc import Iterator

from tests.chart.rendering import Body, containers

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
PROFILES = {"RuntimeDefault", "Localhost"}


def violations(pod: Body) -> Iterator[str]:
    """What of a pod's specification the profile does not allow."""
    yield from _of_pod(pod)
    for container in containers(pod):
        name = container["name"]
        yield from (f"{name}: {each}" for each in _of_container(container, pod))


def _of_pod(pod: Body) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield key
    for volume in pod.get("volumes", []):
        if not (set(volume) - {"name"}) <= VOLUMES:
            yield f"volume {volume['name']}"
    security = pod.get("securityContext", {})
    if security.get("sysctls") or security.get("windowsOptions"):
        yield "sysctls or windowsOptions"


def _of_container(container: Body, pod: Body) -> Iterator[str]:
    own, outer = container.get("securityContext", {}), pod.get("securityContext", {})
    both = {**outer, **own}
    if own.get("privileged") or own.get("procMount", "Default") != "Default":
        yield "privileged or procMount"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "hostPort"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "root"
    if both.get("seccompProfile", {}).get("type") not in PROFILES:
        yield "seccompProfile"
    if "ALL" not in own.get("capabilities", {}).get("drop", []):
        yield "capabilities that are kept"
    if not set(own.get("capabilities", {}).get("add", [])) <= {"NET_BIND_SERVICE"}:
        yield "capabilities that are added"
