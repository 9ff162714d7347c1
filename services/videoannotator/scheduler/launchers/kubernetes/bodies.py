"""The body of a worker's Kubernetes Job: pure, from what the site decided and who the worker is.

It is written down before it is first sent and every repeat sends it again. It holds no credential:
of the worker's token only the SHA-256.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from videoannotator.domain.access import owner_hash
from videoannotator.domain.jobs import Run
from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.scheduler.launchers.kubernetes import names
from videoannotator.scheduler.launchers.kubernetes.site import Placement, Site
from videoannotator.scheduler.launchers.kubernetes.views import WORKER_CONTAINER
from videoannotator.scheduler.places import MOUNTED_RESULTS, MOUNTED_VIDEO
from videoannotator.scheduler.worker_body import OFFLINE, told_to_worker

Body = dict[str, Any]

WORKER_PORT = 50053
TERMINATION_LOG = "/dev/termination-log"
VIDEO_FOLDER = str(PurePosixPath(MOUNTED_VIDEO).parent)
SCRATCH_FOLDER = "/tmp"  # noqa: S108 - the only folder that can be written, and the pod's own
MODELS_FOLDER = "/models"
CERTIFICATE_FOLDER = "/certificates"
READABLE = 0o444  # a Secret's files belong to root, and the worker is nobody

#: The kubelet counts it from when it takes the pod on. It outlives every limit of the scheduler's,
#: who ends a worker gracefully and keeps its log.
BACKSTOP_SECONDS = 600
#: Longer than any outage of ours: until then a finished Kubernetes Job can still be read.
KEPT_SECONDS = 7 * 24 * 3600

#: Which exit status belongs together; the Kubernetes Job tells afterwards by which rule it failed.
#: 64 request, 65 media, 66 memory of the GPU; 74 storage, 75 GPU dirty, 76 not called; killed.
STATUS_RULES = ((64, 65, 66), (74, 75, 76), (137, 143))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """Which worker a body is for."""

    worker_id: str
    token_sha256: str
    run: Run
    job_id: str
    owner_id: str
    attempt: int
    epoch: int  #: of the leader that launches it
    spec: PipelineSpec
    video_folder: str  #: key of the folder of its video
    attempt_folder: str  #: key of the folder of its results
    avoided_nodes: tuple[str, ...] = ()  #: where it had better not run


def body_of(site: Site, who: WorkerIdentity) -> Body:
    """The whole Kubernetes Job of a worker. Raises: PipelineUnavailable."""
    placement = site.placement(who.spec)
    body: Body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.worker_name(site.release, who.spec.name, who.worker_id),
            "namespace": site.namespace,
            "labels": _labels(site, placement, who),
            "annotations": _annotations(who),
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 0,  # retries are ours
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {
                "metadata": {
                    "labels": _labels(site, placement, who),
                    "annotations": _annotations(who),
                },
                "spec": _pod(site, placement, who),
            },
        },
    }
    body["metadata"]["annotations"][names.SPEC_SHA] = spec_sha(body)
    return body


def spec_sha(body: Mapping[str, Any]) -> str:
    """SHA-256 of a body without this very annotation, hexadecimal."""
    metadata = body["metadata"]
    told = {key: value for key, value in metadata["annotations"].items() if key != names.SPEC_SHA}
    bare = {**body, "metadata": {**metadata, "annotations": told}}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def gpus_of(placement: Placement, run: Run) -> int:
    """How many GPUs a worker gets: what the site decided, else what the pipeline declares."""
    return run.resources.gpus if placement.gpus is None else placement.gpus


def active_deadline_seconds(body: Mapping[str, Any]) -> int:
    """After so long on its node the pod is ended by the kubelet, whatever happens to us."""
    return int(body["spec"]["template"]["spec"]["activeDeadlineSeconds"])


def _labels(site: Site, placement: Placement, who: WorkerIdentity) -> dict[str, str]:
    return {
        **site.labels,
        **placement.labels,
        **names.workers_labels(site.release),
        names.PART_OF: names.APPLICATION,
        names.MANAGED_BY: names.MANAGER,
        names.JOB: names.label_value(who.job_id),
        names.RUN: names.label_value(who.run.id),
        names.PIPELINE: names.label_value(who.spec.name),
        names.OWNER_HASH: owner_hash(who.owner_id),
    }


def _annotations(who: WorkerIdentity) -> dict[str, str]:
    return {
        names.WORKER: who.worker_id,
        names.ATTEMPT: str(who.attempt),
        names.EPOCH: str(who.epoch),
    }


def _failure_rules() -> list[Body]:
    """Every rule fails the Kubernetes Job, as it would anyway: with the reason written down."""
    disrupted = {"type": "DisruptionTarget", "status": "True"}
    return [
        # First: who is evicted or drained ends by a signal too.
        {"action": "FailJob", "onPodConditions": [disrupted]},
        *(_status_rule("In", statuses) for statuses in STATUS_RULES),
        _status_rule("NotIn", (0,)),
    ]


def _status_rule(operator: str, statuses: tuple[int, ...]) -> Body:
    on = {"containerName": WORKER_CONTAINER, "operator": operator, "values": list(statuses)}
    return {"action": "FailJob", "onExitCodes": on}


def _pod(site: Site, placement: Placement, who: WorkerIdentity) -> Body:
    pod: Body = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": int(placement.longest_seconds) + BACKSTOP_SECONDS,
        "terminationGracePeriodSeconds": max(round(site.stop_grace_seconds), 1),
        "automountServiceAccountToken": False,  # a worker has no business with the API server
        "enableServiceLinks": False,
        "securityContext": _pod_security(site),
        "containers": [_container(site, placement, who)],
        "volumes": _volumes(site),
    }
    return {**pod, **_placed(placement), **_named(site), **_avoiding(who.avoided_nodes)}


def _placed(placement: Placement) -> Body:
    tolerations = [
        each.model_dump(by_alias=True, exclude_none=True) for each in placement.tolerations
    ]
    return _given(
        nodeSelector=dict(placement.node_selector),
        tolerations=tolerations,
        runtimeClassName=placement.runtime_class,
        priorityClassName=placement.priority_class,
        schedulerName=placement.scheduler_name,
    )


def _named(site: Site) -> Body:
    return _given(
        serviceAccountName=site.service_account,
        imagePullSecrets=[{"name": name} for name in site.image_pull_secrets],
    )


def _given(**fields: object) -> Body:
    """The fields that have a value: an empty one would override the cluster's own."""
    return {name: value for name, value in fields.items() if value}


def _avoiding(nodes: tuple[str, ...]) -> Body:
    """A wish and no more: a cluster of one node must still work."""
    if not nodes:
        return {}
    others = [
        {"key": "metadata.name", "operator": "NotIn", "values": [node]}
        for node in sorted(set(nodes))
    ]
    wish = {"weight": 100, "preference": {"matchFields": others}}
    return {
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}
    }


def _pod_security(site: Site) -> Body:
    """With what a container may not do, the profile "restricted" of Pod Security."""
    security: Body = {
        "runAsNonRoot": True,
        "runAsUser": site.run_as_user,
        "runAsGroup": site.run_as_group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if site.fs_group is not None:
        # A volume with years of videos is not walked through for every worker.
        security |= {"fsGroup": site.fs_group, "fsGroupChangePolicy": "OnRootMismatch"}
    return security


def _container(site: Site, placement: Placement, who: WorkerIdentity) -> Body:
    return {
        "name": WORKER_CONTAINER,
        "image": placement.image,
        "imagePullPolicy": site.image_pull_policy,
        "command": ["python", "-m", "videoannotator.inference"],
        "args": [who.spec.name],
        "env": [{"name": name, "value": value} for name, value in _environment(site, who).items()],
        "ports": [{"name": "grpc", "containerPort": WORKER_PORT, "protocol": "TCP"}],
        "resources": _resources(placement, gpus_of(placement, who.run)),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(site, who),
    }


def _environment(site: Site, who: WorkerIdentity) -> dict[str, str]:
    told = told_to_worker(
        who.worker_id,
        who.token_sha256,
        orphan_grace_seconds=site.orphan_grace_seconds,
        stop_grace_seconds=site.stop_grace_seconds,
        log_level=site.log_level,
    )
    own = {
        "VIDEOANNOTATOR_WORKER_LISTEN": f"0.0.0.0:{WORKER_PORT}",
        "VIDEOANNOTATOR_WORKER_TERMINATION_FILE": TERMINATION_LOG,
        # Libraries keep caches at home, which is read-only.
        "HOME": SCRATCH_FOLDER,
        "TMPDIR": SCRATCH_FOLDER,
    }
    if site.certificate_secret is not None:
        own["VIDEOANNOTATOR_RPC__CERTIFICATE_FOLDER"] = CERTIFICATE_FOLDER
    return {**OFFLINE, **told, **own}


def _resources(placement: Placement, gpus: int) -> Body:
    """Memory that is limited to what is requested tells who used too much; a CPU can be shared."""
    fixed = {"memory": placement.memory, "ephemeral-storage": placement.ephemeral_storage}
    if gpus:
        fixed[placement.gpu_resource] = str(gpus)
    return {"limits": fixed, "requests": {"cpu": placement.cpu, **fixed}}


def _volumes(site: Site) -> list[Body]:
    volumes: list[Body] = [{"name": "scratch", "emptyDir": {}}]
    if site.volume_claim is not None:
        claim = {"claimName": site.volume_claim}
        volumes.append({"name": "storage", "persistentVolumeClaim": claim})
    if site.models_claim is not None:
        claim_read = {"claimName": site.models_claim, "readOnly": True}
        volumes.append({"name": "models", "persistentVolumeClaim": claim_read})
    if site.certificate_secret is not None:
        secret = {"secretName": site.certificate_secret, "defaultMode": READABLE}
        volumes.append({"name": "certificates", "secret": secret})
    return volumes


def _mounts(site: Site, who: WorkerIdentity) -> list[Body]:
    """Of the storage a worker sees its own video and its own folder alone."""
    mounts: list[Body] = [{"name": "scratch", "mountPath": SCRATCH_FOLDER}]
    if site.volume_claim is not None:
        mounts += [
            _mount("storage", VIDEO_FOLDER, subPath=who.video_folder, readOnly=True),
            _mount("storage", MOUNTED_RESULTS, subPath=who.attempt_folder),
        ]
    if site.models_claim is not None:
        mounts.append(_mount("models", MODELS_FOLDER, readOnly=True))
    if site.certificate_secret is not None:
        mounts.append(_mount("certificates", CERTIFICATE_FOLDER, readOnly=True))
    return mounts


def _mount(volume: str, path: str, **how: object) -> Body:
    return {"name": volume, "mountPath": path, **how}
