"""`kubectl videoannotator …`, against a fake server and a fake kubectl."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source import ROOT
from tests.fakes.kubectl import FakeKubectl, fake_kubectl
from tests.fakes.server import API, FakeServer, job_body, run_body
from tests.unit.cli.conftest import Command, Ended
from videoannotator.cli.main import main
from videoannotator.cli.plugin import app

POD = "va-scene-detection-w1abcdefghij-x7k2p"
KUBERNETES_JOB = "va-scene-detection-w1abcdefghij"
NOW = "2026-01-31T12:00:00Z"
QUEUE = {
    "waiting": [
        {"position": 1, "pipeline": "voice_activity", "job_id": "j2", "reason": "a free slot"}
    ],
    "total": 1,
    "slots": [
        {
            "worker_id": "w1",
            "pipeline": "scene_detection",
            "job_id": "j1",
            "state": "up",
            "gpus": 1,
            "since": NOW,
            "unproven_since": None,
        }
    ],
    "max_workers": 2,
    "max_gpu_workers": 1,
    "draining": False,
    "ticked_at": NOW,
    "trouble": "",
}


def pod_body(status: dict[str, Any], **labels: str) -> dict[str, Any]:
    """A worker's pod as the API server tells it."""
    owner = {"kind": "Job", "name": KUBERNETES_JOB, "uid": "uid-of-the-job"}
    known = {"videoannotator.io/job": "j1", "videoannotator.io/pipeline": "scene_detection"}
    return {
        "metadata": {
            "name": POD,
            "uid": "uid-of-the-pod",
            "labels": {**known, **labels},
            "ownerReferences": [owner],
        },
        "spec": {},
        "status": status,
    }


def events(uid: str, *told: tuple[str, str], at: str = NOW) -> dict[str, Any]:
    """The answer to the question for the events of one object."""
    items = [
        {
            "reason": reason,
            "message": message,
            "type": "Warning",
            "involvedObject": {"uid": uid},
            "lastTimestamp": at,
        }
        for reason, message in told
    ]
    return {f"get events --field-selector=involvedObject.uid={uid}": {"items": items}}


UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
        }
    ],
}
OUT_OF_MEMORY = {
    "phase": "Failed",
    "containerStatuses": [
        {
            "name": "worker",
            "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }
    ],
}


@pytest.fixture
def kubectl(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path_factory.mktemp("kubectl")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return fake_kubectl(folder)


@pytest.fixture
def plugin(command: Command, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `kubectl videoannotator` with arguments, as `command` runs `videoannotator`."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(arguments, app)
        said = capsys.readouterr()
        return Ended(code=code, out=said.out, err=said.err)

    return run


def knows(kubectl: FakeKubectl, status: dict[str, Any], *told: tuple[str, str]) -> None:
    """Lets kubectl know one pod in this state, and what was told of it."""
    kubectl.knows(
        {
            f"get pod {POD}": pod_body(status),
            f"get job {KUBERNETES_JOB}": {"metadata": {"name": KUBERNETES_JOB}},
            **events("uid-of-the-pod", *told),
            **events("uid-of-the-job"),
        }
    )


def test_kubectl_finds_the_plugin_by_its_name() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]

    assert scripts["kubectl-videoannotator"] == "videoannotator.cli.plugin:run"


def test_queue_shows_what_waits_and_for_what(plugin: Command, server: FakeServer) -> None:
    server.gives("GET", f"{API}/queue", QUEUE)

    ended = plugin("queue")

    assert ended.code == 0
    assert "j2" in ended.out
    assert "a free slot" in ended.out
    assert "w1" not in ended.out
    assert ended.err == "1 runs wait; 1 workers.\n"


def test_capacity_shows_what_is_in_use(plugin: Command, server: FakeServer) -> None:
    server.gives("GET", f"{API}/queue", QUEUE)

    ended = plugin("capacity")

    assert "workers     1 of 2" in ended.out
    assert "w1" in ended.out
    assert "a free slot" not in ended.out


@pytest.mark.parametrize("told", [{}, {"trouble": ""}], ids=["an older server", "it sees"])
def test_capacity_says_nothing_of_a_cluster_that_is_seen(
    plugin: Command, server: FakeServer, told: dict[str, str]
) -> None:
    known = {name: value for name, value in QUEUE.items() if name != "trouble"}
    server.gives("GET", f"{API}/queue", {**known, **told})

    ended = plugin("capacity")

    assert (ended.code, "trouble" in ended.out) == (0, False)


def test_capacity_tells_why_the_scheduler_does_not_see_the_cluster(
    plugin: Command, server: FakeServer
) -> None:
    words = "The API server of Kubernetes cannot be reached."
    server.gives("GET", f"{API}/queue", {**QUEUE, "trouble": words})

    assert f"trouble     {words}\n" in plugin("capacity").out


def test_capacity_as_json_leaves_the_queue_out(plugin: Command, server: FakeServer) -> None:
    server.gives("GET", f"{API}/queue", QUEUE)

    told = json.loads(plugin("capacity", "--json").out)

    assert set(told) == set(QUEUE) - {"waiting", "total"}


@pytest.mark.parametrize(
    ("arguments", "method", "path", "body"),
    [
        (("job", "j1"), "GET", f"{API}/jobs/j1", job_body()),
        (("cancel", "j1"), "POST", f"{API}/jobs/j1/cancel", job_body("cancelling")),
        (("drain", "--off"), "POST", f"{API}/scheduler/drain", {"draining": False}),
        (("abandon", "w1"), "POST", f"{API}/workers/w1/abandon", {"worker_id": "w1"}),
    ],
)
def test_the_other_commands_are_those_of_the_program(
    plugin: Command,
    server: FakeServer,
    arguments: tuple[str, ...],
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    server.gives(method, path, body)

    ended = plugin(*arguments)

    assert ended.code == 0
    assert server.paths(method) == [path]


@pytest.mark.parametrize(
    "reason",
    ["waits for a GPU", "waiting for a slot: 2 of 2 in use", "nothing new is started: drained"],
)
def test_why_tells_what_a_pod_and_its_run_wait_for_once_and_in_its_own_words(
    plugin: Command, server: FakeServer, kubectl: FakeKubectl, reason: str
) -> None:
    knows(kubectl, UNSCHEDULABLE, ("FailedScheduling", "0/1 nodes:\n1 Insufficient gpu."))
    run = run_body("pending", waiting_reason=reason)
    server.gives("GET", f"{API}/jobs/j1", job_body("pending", runs=[run]))

    ended = plugin("why", POD)

    assert ended.code == 0
    assert "now         waits for a GPU\n" in ended.out
    assert "failure     UNSCHEDULABLE_CAPACITY: " in ended.out
    of_the_run = ended.out.partition("\nvideo ")[2].splitlines()[1:]
    assert of_the_run == [f"scene_detection: pending, {reason}, try 1"]
    assert "event: FailedScheduling: 0/1 nodes: 1 Insufficient gpu." in ended.err


def test_why_repeats_the_events_of_a_pod_and_its_kubernetes_job_in_their_order(
    plugin: Command, server: FakeServer, kubectl: FakeKubectl
) -> None:
    kubectl.knows(
        {
            f"get pod {POD}": pod_body(UNSCHEDULABLE),
            f"get job {KUBERNETES_JOB}": {"metadata": {"name": KUBERNETES_JOB}},
            **events("uid-of-the-pod", ("FailedScheduling", "later"), at="2026-01-31T12:00:09Z"),
            **events("uid-of-the-job", ("SuccessfulCreate", "first"), at="2026-01-31T12:00:01Z"),
        }
    )
    server.gives("GET", f"{API}/jobs/j1", job_body("pending"))

    ended = plugin("why", POD)

    assert ended.err.splitlines()[:2] == [
        "event: SuccessfulCreate: first",
        "event: FailedScheduling: later",
    ]


def test_why_tells_what_a_pod_failed_of_and_what_to_do(
    plugin: Command, server: FakeServer, kubectl: FakeKubectl
) -> None:
    knows(kubectl, OUT_OF_MEMORY)
    server.gives("GET", f"{API}/jobs/j1", job_body("failed"))

    ended = plugin("why", POD)

    assert "OOM_KILLED: " in ended.out
    assert "larger limit" in ended.out


def test_why_says_of_a_pod_at_work_nothing_but_how_its_run_is(
    plugin: Command, server: FakeServer, kubectl: FakeKubectl
) -> None:
    state = {"name": "worker", "state": {"running": {"startedAt": NOW}}}
    knows(kubectl, {"phase": "Running", "containerStatuses": [state]})
    server.gives("GET", f"{API}/jobs/j1", job_body("running", runs=[run_body("running")]))

    ended = plugin("why", POD)

    assert "now" not in ended.out
    assert "failure" not in ended.out
    assert "scene_detection: running" in ended.out


def test_why_as_json_is_one_document(
    plugin: Command, server: FakeServer, kubectl: FakeKubectl
) -> None:
    knows(kubectl, OUT_OF_MEMORY)
    server.gives("GET", f"{API}/jobs/j1", job_body("failed"))

    ended = plugin("why", POD, "--json")

    told = json.loads(ended.out)
    assert told["failure"]["code"] == "OOM_KILLED"
    assert (told["pod"]["name"], told["job"]["id"]) == (POD, "j1")
    assert ended.err == ""


def test_why_tells_of_the_pod_when_the_server_does_not_answer(
    plugin: Command, kubectl: FakeKubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(kubectl, OUT_OF_MEMORY)
    monkeypatch.setenv("VIDEOANNOTATOR_SERVER", "http://127.0.0.1:9")

    ended = plugin("why", POD)

    assert ended.code == 3
    assert "OOM_KILLED" in ended.out


def test_why_says_that_a_pod_is_none_of_ours(plugin: Command, kubectl: FakeKubectl) -> None:
    kubectl.knows({"get pod other": {"metadata": {"name": "other", "uid": "1"}}})

    ended = plugin("why", "other")

    assert ended.code == 5
    assert "no worker of VideoAnnotator" in ended.err
    assert "kubectl get pods -l videoannotator.io/job" in ended.err


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('Error from server (NotFound): pods "other" not found', 5),
        ('Error from server (Forbidden): pods "other" is forbidden: User "me" cannot get', 4),
        ("The connection to the server 10.0.0.1:6443 was refused", 3),
    ],
)
def test_why_repeats_what_kubectl_says(
    plugin: Command, kubectl: FakeKubectl, said: str, code: int
) -> None:
    kubectl.knows({"get pod other": said})

    ended = plugin("why", "other")

    assert (ended.code, said in ended.err) == (code, True)


def test_why_needs_kubectl(
    plugin: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    ended = plugin("why", POD)

    assert ended.code == 2
    assert "kubectl cannot be started" in ended.err


def test_why_hands_the_choice_of_a_cluster_to_kubectl(
    plugin: Command, server: FakeServer, kubectl: FakeKubectl
) -> None:
    knows(kubectl, OUT_OF_MEMORY)
    server.gives("GET", f"{API}/jobs/j1", job_body())

    plugin("why", POD, "-n", "va", "--context", "site", "--kubeconfig", "k.yaml")

    chosen = {"--namespace=va", "--context=site", "--kubeconfig=k.yaml"}
    assert kubectl.asked()
    assert all(chosen <= set(words) for words in kubectl.asked())
