"""The cluster is what the other tests take it for."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster.given import GivenCluster
from tests.cluster.pods import create, pod, until_phase
from tests.cluster.up.processes import Failed, until

SLEEPS = "import time; time.sleep(600)"
SERVES = "import http.server as s; s.test(s.SimpleHTTPRequestHandler, bind='0.0.0.0', port=8000)"
#: Asks again while the Service is on its way to the node.
ASKS = """
import time, urllib.error, urllib.request
for _ in range(50):
    try:
        print(urllib.request.urlopen("http://web", timeout=5).status)
        break
    except urllib.error.URLError:
        time.sleep(0.2)
"""


@pytest.fixture
def namespace(cluster: GivenCluster) -> Iterator[GivenCluster]:
    """The cluster; no pod of the test stays in it."""
    yield cluster
    cluster.mend()
    cluster.kubectl("delete", "pods", "--selector=!keep", "--grace-period=1", "--wait")
    cluster.set_gpus(2)


def test_no_more_pods_run_than_there_are_gpus(namespace: GivenCluster) -> None:
    namespace.set_gpus(1)
    first = create(namespace, "first", SLEEPS, gpus=1)
    until_phase(namespace, "first", "Running")

    second = create(namespace, "second", SLEEPS, gpus=1)

    until("the scheduler speaks", lambda: "Insufficient" in conditions(namespace, "second"), 30.0)
    assert set(namespace.processes_of_pods()) >= {first}
    assert second not in namespace.processes_of_pods()


def conditions(cluster: GivenCluster, name: str) -> str:
    """What the API server says about a pod's placement."""
    told = pod(cluster, name)["status"].get("conditions", [])
    return " ".join(one.get("message", "") for one in told)


def test_a_gpu_is_free_when_its_pod_is_gone(namespace: GivenCluster) -> None:
    namespace.set_gpus(1)
    first = create(namespace, "first", SLEEPS, gpus=1)
    create(namespace, "second", SLEEPS, gpus=1)
    until_phase(namespace, "first", "Running")

    namespace.kubectl("delete", "pod", "first")

    until_phase(namespace, "second", "Running")
    assert first not in namespace.processes_of_pods()


def test_services_are_found_by_name_and_answer(namespace: GivenCluster) -> None:
    asks = (
        "import socket; print(socket.gethostbyname('kubernetes.default.svc')); "
        "socket.create_connection(('kubernetes.default', 443), 10)"
    )
    create(namespace, "asker", asks)

    until_phase(namespace, "asker", "Succeeded")

    assert namespace.kubectl("logs", "asker") == "10.96.0.1\n"


def test_a_service_leads_to_a_pod_of_the_same_node_and_to_itself(namespace: GivenCluster) -> None:
    create(namespace, "server", SERVES)
    until_phase(namespace, "server", "Running")
    namespace.kubectl("expose", "pod", "server", "--name=web", "--port=80", "--target-port=8000")
    try:
        create(namespace, "client", ASKS)
        until_phase(namespace, "client", "Succeeded")
        answer = namespace.kubectl("exec", "server", "--", "python3", "-c", ASKS)
    finally:
        namespace.kubectl("delete", "service", "web")

    assert namespace.kubectl("logs", "client") == answer == "200\n"


def test_a_node_that_is_away_comes_back_with_its_pods_and_gpus(namespace: GivenCluster) -> None:
    uid = create(namespace, "stays", SLEEPS, gpus=1)
    until_phase(namespace, "stays", "Running")

    namespace.kill("kubelet")
    alive = namespace.processes_of_pods()[uid]
    namespace.start("kubelet")

    create(namespace, "next", SLEEPS, gpus=1)
    until_phase(namespace, "next", "Running")
    assert namespace.processes_of_pods()[uid] == alive


def test_an_api_server_that_was_killed_knows_everything_again(namespace: GivenCluster) -> None:
    uid = create(namespace, "stays", SLEEPS)

    namespace.kill("kube-apiserver")
    with pytest.raises(Failed):
        pod(namespace, "stays")
    namespace.start("kube-apiserver")

    assert pod(namespace, "stays")["metadata"]["uid"] == uid


def test_old_revisions_are_gone_after_history_is_forgotten(namespace: GivenCluster) -> None:
    create(namespace, "one", SLEEPS)
    create(namespace, "two", SLEEPS)
    page = namespace.kubectl("get", "--raw", "/api/v1/pods?limit=1")
    token, revision = told(page, "continue"), told(page, "resourceVersion")
    create(namespace, "new", SLEEPS)

    namespace.forget_history()

    with pytest.raises(Failed, match="too old"):
        namespace.kubectl("get", "--raw", f"/api/v1/pods?limit=1&continue={token}")
    watch = f"/api/v1/pods?watch=1&timeoutSeconds=5&resourceVersion={revision}"
    (event,) = map(json.loads, namespace.kubectl("get", "--raw", watch).splitlines())
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def told(page: str, name: str) -> str:
    """A word that a list says about itself."""
    return str(json.loads(page)["metadata"][name])


def test_a_frozen_component_goes_on_where_it_was(namespace: GivenCluster) -> None:
    namespace.freeze("kube-scheduler")
    create(namespace, "waits", SLEEPS)
    assert "nodeName" not in pod(namespace, "waits")["spec"]

    namespace.thaw("kube-scheduler")

    until_phase(namespace, "waits", "Running")
