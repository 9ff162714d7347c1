"""Why a pod failed or is stuck: the table of failures, tried on pods as a cluster tells them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.recorded import NAMES, recorded
from videoannotator.domain.failures import RULES, Budget, Code, Failure
from videoannotator.scheduler.launchers.kubernetes.diagnose import (
    PATIENCE_SECONDS,
    diagnose,
    due,
    waiting_for,
    why_slow,
)
from videoannotator.scheduler.launchers.kubernetes.placing import Shortage, read

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)

#: Recorded pod -> the code, and the begin of the message.
FAILURES = {
    "config-root": (Code.CONTAINER_CONFIG, "What the container needs is missing: container has "),
    "config-secret": (
        Code.CONTAINER_CONFIG,
        'What the container needs is missing: secret "va-certificates" not found.',
    ),
    "container-lost": (Code.KILLED_UNKNOWN, "The worker was ended by SIGKILL."),
    "create-error": (Code.CONTAINER_CREATE, "The container cannot be made."),
    "deadline": (Code.DEADLINE, "The worker lived longer than it may."),
    "deleted-after-its-own-end": (Code.MEDIA_ERROR, "The video cannot be decoded."),
    "deleted-by-hand": (Code.POD_VANISHED, "The pod was deleted."),
    "deleted-by-hand-ended": (Code.POD_VANISHED, "The pod was deleted."),
    "deleted-while-waiting": (Code.POD_VANISHED, "The pod was deleted."),
    "disrupted-otherwise": (Code.DRAINED, "The cluster took the worker's place."),
    "drained": (Code.DRAINED, "The node was drained."),
    "drained-ended-well": (Code.DRAINED, "The node was drained."),
    "ending-slowly-kill": (Code.POD_VANISHED, "The pod was deleted."),
    "ending-slowly-node": (Code.POD_VANISHED, "The pod was deleted."),
    "ending-slowly-pulling": (Code.POD_VANISHED, "The pod was deleted."),
    "evicted-memory": (Code.EVICTED_NODE_PRESSURE, "The node ran short and evicted the worker."),
    "evicted-own-container-disk": (Code.PIPELINE_ERROR, "The worker used more disk than it may."),
    "evicted-own-disk": (Code.PIPELINE_ERROR, "The worker used more disk than it may."),
    "exit-1": (Code.PIPELINE_ERROR, "The pipeline failed."),
    "exit-1-words": (Code.PIPELINE_ERROR, "The pipeline stopped with ValueError."),
    "exit-127": (Code.SPEC_INVALID, "The worker's program was not found."),
    "exit-137": (Code.KILLED_UNKNOWN, "The worker was ended by SIGKILL."),
    "exit-139": (Code.KILLED_UNKNOWN, "The worker was ended by SIGSEGV."),
    "exit-143": (Code.KILLED_UNKNOWN, "The worker was ended by SIGTERM."),
    "exit-2": (Code.PIPELINE_ERROR, "The worker ended with exit status 2."),
    "exit-64": (Code.REQUEST_ERROR, "The worker refused the request."),
    "exit-65": (Code.MEDIA_ERROR, "The video cannot be decoded."),
    "exit-65-words": (Code.MEDIA_ERROR, "The video cannot be decoded."),
    "exit-66": (Code.GPU_OOM, "The GPU's memory was not enough."),
    "exit-66-words": (Code.GPU_OOM, "The GPU ran out of memory."),
    "exit-74": (Code.STORAGE_ERROR, "The worker could not write to the storage."),
    "exit-75": (Code.GPU_DIRTY, "The GPU's memory was held by something else."),
    "exit-76": (Code.UNREACHABLE, "The worker was not called and ended itself."),
    "failed-without-a-word": (Code.KILLED_UNKNOWN, "The worker ended without a word."),
    "image-back-off": (Code.IMAGE_PULL, "The image cannot be pulled: Back-off pulling image "),
    "image-missing": (Code.IMAGE_PULL, "The image cannot be pulled: failed to pull and "),
    "image-name": (Code.IMAGE_NAME, "The image's name is not valid: Failed to apply default "),
    "image-never-pulled": (Code.IMAGE_PULL, "The image is not on the node and may not be pulled"),
    "job-deleted": (Code.DELETED_BY_OPERATOR, "An operator deleted the Kubernetes Job."),
    "job-deleted-ended": (Code.DELETED_BY_OPERATOR, "An operator deleted the Kubernetes Job."),
    "job-deleted-no-pod": (Code.DELETED_BY_OPERATOR, "An operator deleted the Kubernetes Job."),
    "job-expired": (Code.GPU_OOM, "The GPU's memory was not enough."),
    "job-gone": (Code.JOB_VANISHED, "The Kubernetes Job is not there any more."),
    "job-gone-pod-ended": (Code.JOB_VANISHED, "The Kubernetes Job was deleted."),
    "job-gone-pod-ends": (Code.JOB_VANISHED, "The Kubernetes Job was deleted."),
    "mount-fails": (Code.CONTAINER_CREATE, "A volume cannot be mounted."),
    "mount-secret": (Code.CONTAINER_CONFIG, "A volume cannot be mounted: MountVolume.SetUp "),
    "no-pod-pod-security": (Code.SPEC_REJECTED, "The cluster makes no pod: violates PodSecurity"),
    "no-pod-priority-class": (
        Code.SPEC_REJECTED,
        "The cluster makes no pod: no PriorityClass with name va-batch was found.",
    ),
    "no-pod-quota": (Code.QUOTA_EXCEEDED, "The cluster makes no pod: exceeded quota: gpus, "),
    "no-pod-service-account": (
        Code.SPEC_REJECTED,
        "The cluster makes no pod: error looking up service account annotation/va-worker: ",
    ),
    "no-pod-silent": (Code.START_TIMEOUT, "The cluster makes no pod for the worker."),
    "no-pod-webhook-away": (Code.START_TIMEOUT, "The cluster makes no pod for the worker."),
    "no-pod-webhook-says-no": (
        Code.SPEC_REJECTED,
        'The cluster makes no pod: admission webhook "policy.example.org" denied the request: ',
    ),
    "node-gone": (Code.NODE_LOST, "The node is not there any more."),
    "node-lost": (Code.NODE_LOST, "The node does not answer or may not be used."),
    "node-shutdown": (Code.NODE_SHUTDOWN, "The node was shut down."),
    "node-shutting-down-now": (Code.NODE_SHUTDOWN, "The node was shut down."),
    "oom-killed": (Code.OOM_KILLED, "The worker ran out of memory."),
    "oom-killed-child": (Code.OOM_KILLED, "The worker ran out of memory."),
    "pod-gone": (Code.POD_VANISHED, "The pod is not there any more."),
    "pod-gone-deadline": (Code.DEADLINE, "The worker lived longer than it may."),
    "pod-gone-disrupted": (Code.DRAINED, "The cluster took the worker's place."),
    "pod-gone-exit-1": (Code.PIPELINE_ERROR, "The pipeline failed."),
    "pod-gone-exit-66": (Code.GPU_OOM, "The GPU's memory was not enough."),
    "pod-gone-job-expired": (Code.GPU_OOM, "The GPU's memory was not enough."),
    "pod-gone-killed": (Code.KILLED_UNKNOWN, "The worker was ended by SIGKILL."),
    "preempted": (Code.PREEMPTED, "More urgent work took the worker's place."),
    "preempted-by-node": (Code.PREEMPTED, "More urgent work took the worker's place."),
    "preempting-now": (Code.PREEMPTED, "More urgent work took the worker's place."),
    "refused-affinity": (Code.ADMISSION_REJECTED, "The node refused the worker: Pod was rejected"),
    "refused-devices": (Code.ADMISSION_REJECTED, "The node refused the worker: Pod was rejected"),
    "refused-out-of-gpu": (Code.ADMISSION_REJECTED, "The node refused the worker: Pod was rej"),
    "refused-shutting-down": (Code.NODE_SHUTDOWN, "The node was shutting down."),
    "sandbox-fails": (Code.CONTAINER_CREATE, "The pod cannot be set up."),
    "start-error-gpu": (Code.CONTAINER_CREATE, "The container cannot be started."),
    "start-error-program": (Code.SPEC_INVALID, "The worker's program is not in the image."),
    "unschedulable-claim": (
        Code.UNSCHEDULABLE_CONFIG,
        "The worker has no node: no node fits: its volume claim is not there.",
    ),
    "unschedulable-cordoned": (Code.UNSCHEDULABLE_CAPACITY, "The worker has no node: waits for"),
    "unschedulable-disk": (Code.UNSCHEDULABLE_CAPACITY, "The worker has no node: waits for disk "),
    "unschedulable-gpu": (
        Code.UNSCHEDULABLE_CAPACITY,
        "The worker has no node: waits for a GPU.",
    ),
    "unschedulable-memory": (Code.UNSCHEDULABLE_CAPACITY, "The worker has no node: waits for mem"),
    "unschedulable-node-not-ready": (Code.UNSCHEDULABLE_CAPACITY, "The worker has no node: wait"),
    "unschedulable-pods": (Code.UNSCHEDULABLE_CAPACITY, "The worker has no node: waits for a pl"),
    "unschedulable-scaling-up": (Code.UNSCHEDULABLE_CAPACITY, "The worker has no node: waits for"),
    "unschedulable-selector": (
        Code.UNSCHEDULABLE_CONFIG,
        "The worker has no node: no node fits: no node has the labels of the node selector.",
    ),
    "unschedulable-taint": (
        Code.UNSCHEDULABLE_CONFIG,
        "The worker has no node: no node fits: every node has a taint that is not tolerated.",
    ),
    "unschedulable-unbound": (
        Code.UNSCHEDULABLE_CONFIG,
        "The worker has no node: no node fits: its volume claim is not bound.",
    ),
}

#: Recorded pods with which nothing is wrong, also where it looks like it.
NOTHING_WRONG = {
    "bound",
    "disruption-that-passed",
    "image-later-node",
    "image-later-registry",
    "job-not-known-yet",
    "mount-overcome",
    "no-pod-known-yet",
    "no-pod-suspended",
    "node-silent",
    "not-looked-at-yet",
    "pod-gone-complete",
    "pulled",
    "pulling",
    "running",
    "succeeded",
    "two-containers",
}

#: What a worker waits for; the others wait for nothing.
WAITS = {
    "bound": "container is being made",
    "config-root": "what the container needs is missing",
    "config-secret": "what the container needs is missing",
    "create-error": "the container cannot be made",
    "deleted-by-hand": "is being ended",
    "deleted-while-waiting": "is being ended",
    "disruption-that-passed": "starts",
    "ending-slowly-kill": "is being ended: the node cannot end its container",
    "ending-slowly-node": "is being ended: its node does not answer",
    "ending-slowly-pulling": "is being ended: image is being pulled",
    "image-back-off": "the image cannot be pulled",
    "image-later-node": "container is being made",
    "image-later-registry": "container is being made",
    "image-missing": "the image cannot be pulled",
    "image-name": "the image's name is not valid",
    "image-never-pulled": "the image is not on the node and may not be pulled",
    "job-deleted": "is being ended",
    "job-gone-pod-ends": "is being ended",
    "job-not-known-yet": "starts",
    "mount-fails": "a volume cannot be mounted",
    "mount-overcome": "image is being pulled",
    "mount-secret": "a volume cannot be mounted",
    "no-pod-known-yet": "waits for its pod",
    "no-pod-pod-security": "gets no pod",
    "no-pod-priority-class": "gets no pod",
    "no-pod-quota": "waits for the namespace's quota",
    "no-pod-service-account": "gets no pod",
    "no-pod-silent": "waits for its pod",
    "no-pod-suspended": "waits for the cluster's own queue",
    "no-pod-webhook-away": "gets no pod",
    "no-pod-webhook-says-no": "gets no pod",
    "node-lost": "is being ended: its node does not answer",
    "node-shutting-down-now": "is being ended",
    "node-silent": "its node does not answer",
    "not-looked-at-yet": "waits for a place on a node",
    "preempting-now": "is being ended",
    "pulled": "container is being made",
    "pulling": "image is being pulled",
    "running": "starts",
    "sandbox-fails": "the pod cannot be set up",
    "two-containers": "starts",
    "unschedulable-claim": "no node fits: its volume claim is not there",
    "unschedulable-cordoned": "waits for a place on a node",
    "unschedulable-disk": "waits for disk space on a node",
    "unschedulable-gpu": "waits for a GPU",
    "unschedulable-memory": "waits for memory",
    "unschedulable-node-not-ready": "waits for a place on a node",
    "unschedulable-pods": "waits for a place on a node",
    "unschedulable-scaling-up": "waits for a new node",
    "unschedulable-selector": "no node fits: no node has the labels of the node selector",
    "unschedulable-taint": "no node fits: every node has a taint that is not tolerated",
    "unschedulable-unbound": "no node fits: its volume claim is not bound",
}

#: Told by the scheduler, by a create's answer or by the manifest: no pod shows them.
NOT_SEEN_ON_PODS = {Code.NAME_TAKEN, Code.NO_PROGRESS, Code.MANIFEST_INVALID}


def found(name: str) -> Failure | None:
    """The diagnosis of a recorded pod."""
    seen = recorded(name)
    return diagnose(seen.pod, seen.job, seen.events)


@pytest.mark.parametrize("name", NAMES)
def test_each_recorded_pod_is_told_why_it_failed(name: str) -> None:
    failure = found(name)

    if name in NOTHING_WRONG:
        assert failure is None
    else:
        code, message = FAILURES[name]
        assert failure is not None
        assert failure.code is code
        assert failure.message.startswith(message)
        assert failure.advice


@pytest.mark.parametrize("name", NAMES)
def test_each_recorded_pod_is_told_what_it_waits_for(name: str) -> None:
    seen = recorded(name)

    assert waiting_for(seen.pod, seen.job, seen.events) == WAITS.get(name, "")


def test_every_code_of_the_table_has_a_pod_that_shows_it() -> None:
    shown = {code for code, _ in FAILURES.values()}

    assert shown | NOT_SEEN_ON_PODS == set(RULES)
    assert not shown & NOT_SEEN_ON_PODS


def test_last_words_win_over_the_exit_status() -> None:
    assert found("exit-66-words") == Failure(
        code=Code.GPU_OOM,
        message="The GPU ran out of memory.",
        hint="Use model=tiny.",
        stage="detecting",
        position_seconds=61.5,
    )


def test_the_end_of_the_log_is_kept_where_there_are_no_last_words() -> None:
    failure = found("exit-1")

    assert failure is not None
    assert failure.log_tail == ("worker listens", "work failed")


def test_what_a_node_says_with_paths_goes_with_the_log() -> None:
    failure = found("mount-fails")

    assert failure is not None
    assert "/export" not in failure.message
    assert any("/export" in line for line in failure.log_tail)


@pytest.mark.parametrize("name", sorted(FAILURES))
def test_a_message_is_one_short_sentence(name: str) -> None:
    failure = found(name)

    assert failure is not None
    assert failure.message.endswith(".")
    assert "\n" not in failure.message
    assert len(failure.message) < 400


@pytest.mark.parametrize(
    ("name", "budget"),
    [
        ("drained", Budget.FREE),
        ("preempted", Budget.FREE),
        ("node-shutdown", Budget.FREE),
        ("no-pod-quota", Budget.FREE),
        ("node-lost", Budget.INFRASTRUCTURE),
        ("evicted-memory", Budget.INFRASTRUCTURE),
        ("evicted-own-disk", Budget.PIPELINE),
        ("oom-killed", Budget.PIPELINE),
        ("deadline", Budget.PIPELINE),
        ("deleted-by-hand", Budget.INFRASTRUCTURE),
        ("job-gone", Budget.INFRASTRUCTURE),
        ("job-deleted", Budget.CANCEL),
        ("exit-65", Budget.NEVER),
        ("image-name", Budget.NEVER),
    ],
)
def test_the_right_budget_pays(name: str, budget: Budget) -> None:
    failure = found(name)

    assert failure is not None
    assert RULES[failure.code].budget is budget


@pytest.mark.parametrize(
    ("name", "patience"),
    [
        ("image-missing", 180),
        ("image-back-off", 180),
        ("image-name", 0),
        ("config-secret", 30),
        ("mount-secret", 30),
        ("create-error", 180),
        ("sandbox-fails", 180),
        ("no-pod-pod-security", 180),
        ("no-pod-silent", 180),
        ("no-pod-quota", 0),
        ("unschedulable-selector", 180),
        ("unschedulable-gpu", None),
        ("job-gone", 0),
        ("pod-gone", 0),
        ("start-error-gpu", 0),  # it has ended: there is nothing to wait for
        ("deleted-by-hand", 0),
        ("oom-killed", 0),
    ],
)
def test_what_may_pass_is_believed_when_it_has_lasted(name: str, patience: float | None) -> None:
    seen, failure = recorded(name), found(name)
    assert failure is not None

    def after(seconds: float) -> bool:
        return due(failure, seen.pod, NOW, NOW + timedelta(seconds=seconds))

    if patience is None:
        assert not after(10**6)
    else:
        assert after(patience)
        assert patience == 0 or not after(patience - 0.1)


def test_only_what_may_pass_by_itself_is_waited_for() -> None:
    assert {code for code, seconds in PATIENCE_SECONDS.items() if seconds is None} == {
        Code.UNSCHEDULABLE_CAPACITY
    }
    assert set(PATIENCE_SECONDS) <= {code for code, _ in FAILURES.values()}


@pytest.mark.parametrize(
    ("message", "words", "passing"),
    [
        ("1 Insufficient nvidia.com/mig-1g.5gb.", "waits for a GPU", True),
        ("1 Insufficient amd.com/gpu, 1 Insufficient cpu.", "waits for a GPU", True),
        ("1 Insufficient cpu.", "waits for a CPU", True),
        ("1 Insufficient example.org/licence.", "waits for example.org/licence", True),
        ("no nodes available to schedule pods", "waits for a place on a node", True),
        ("something that nobody has seen before", "waits for a place on a node", True),
        (
            "2 node(s) had untolerated taint {a: b}. preemption: 1 Insufficient cpu.",
            "no node fits: every node has a taint that is not tolerated",
            False,
        ),
        (
            "1 node(s) had volume node affinity conflict.",
            "no node fits: no node can have its volume",
            False,
        ),
    ],
)
def test_the_words_of_the_scheduler_are_read(message: str, words: str, passing: bool) -> None:
    assert read(message) == Shortage(words=words, passing=passing)


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("ending-slowly-pulling", "image is being pulled"),
        ("ending-slowly-kill", "the node cannot end its container"),
        ("ending-slowly-node", "its node does not answer"),
        ("deleted-by-hand", ""),
    ],
)
def test_a_slow_end_has_a_guess_why(name: str, guess: str) -> None:
    seen = recorded(name)
    assert seen.pod is not None

    assert why_slow(seen.pod, seen.events) == guess


@pytest.mark.parametrize("name", NAMES)
def test_a_pod_with_a_part_missing_is_never_a_fault_of_ours(name: str) -> None:
    seen = recorded(name)
    if seen.pod is None:
        return
    bare = {"conditions": (), "containers": (), "reason": "", "message": "", "phase": ""}
    for field, empty in bare.items():
        pod = replace(seen.pod, **{field: empty})

        diagnose(pod, seen.job, seen.events)
        waiting_for(pod, seen.job, seen.events)
