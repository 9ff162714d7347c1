"""What we keep of a Kubernetes Job, a pod and an event: slim records from the API server's JSON.

A field that is missing, or is not of the expected kind, reads as absent: a cluster may be newer
or older than this program.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

WORKER_CONTAINER = "worker"  #: the container in which the inference service runs
JOB_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")  #: on pods, set by Kubernetes
SUCCEEDED = "Succeeded"
FAILED = "Failed"
ENDED_PHASES = frozenset({SUCCEEDED, FAILED})
STATES = ("terminated", "running", "waiting")  #: of a container


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a Kubernetes Job or a pod, such as PodScheduled or DisruptionTarget."""

    type: str
    status: str  #: "True", "False" or "Unknown"
    reason: str = ""
    message: str = ""
    since: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether it is true."""
        return self.status == "True"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """One container of a pod."""

    name: str
    state: str = ""  #: waiting | running | terminated; empty when the node has not told
    reason: str = ""  #: of waiting or terminated
    message: str = ""  #: of waiting, or the termination message
    exit_code: int | None = None  #: when terminated
    signal: int | None = None  #: that ended it, where the container runtime tells
    restarts: int = 0
    ready: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One Kubernetes Job."""

    name: str
    uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    created_at: datetime | None = None
    deletion_timestamp: datetime | None = None  #: set while it is being deleted
    active: int = 0  #: pods that are neither ended nor being deleted
    terminating: int = 0  #: pods that are being deleted
    succeeded: int = 0
    failed: int = 0
    conditions: tuple[Condition, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it is Complete or Failed: its pods are ended and none will come."""
        return any(each.holds for each in self.conditions if each.type in ("Complete", "Failed"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """One pod."""

    name: str
    uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    job_name: str = ""  #: of the Kubernetes Job it belongs to; empty when it belongs to none
    job_uid: str = ""
    phase: str = ""  #: Pending | Running | Succeeded | Failed | Unknown
    reason: str = ""  #: such as Evicted
    message: str = ""
    node_name: str = ""  #: empty until it is bound to a node
    pod_ip: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None  #: when the node took it on
    deletion_timestamp: datetime | None = None  #: when its grace ends; set while being deleted
    deletion_grace_seconds: float | None = None
    conditions: tuple[Condition, ...] = ()
    containers: tuple[ContainerView, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether all its containers are over: the node says so only then."""
        return self.phase in ENDED_PHASES

    @property
    def container(self) -> ContainerView | None:
        """The worker's container, also where a site puts others beside it."""
        named = [each for each in self.containers if each.name == WORKER_CONTAINER]
        return next(iter(named or self.containers), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One event of Kubernetes: what happened to an object, in words."""

    reason: str
    message: str
    type: str = ""  #: Normal | Warning
    regarding_uid: str = ""
    regarding_kind: str = ""
    regarding_name: str = ""
    count: int = 1
    last_at: datetime | None = None


def job_view(raw: object) -> JobView:
    """The slim record of a Kubernetes Job."""
    metadata, status = _part(raw, "metadata"), _part(raw, "status")
    return JobView(
        name=_text(metadata, "name"),
        uid=_text(metadata, "uid"),
        labels=_texts(metadata, "labels"),
        annotations=_texts(metadata, "annotations"),
        created_at=_moment(metadata, "creationTimestamp"),
        deletion_timestamp=_moment(metadata, "deletionTimestamp"),
        active=_number(status, "active") or 0,
        terminating=_number(status, "terminating") or 0,
        succeeded=_number(status, "succeeded") or 0,
        failed=_number(status, "failed") or 0,
        conditions=_conditions(status),
    )


def pod_view(raw: object) -> PodView:
    """The slim record of a pod."""
    metadata, spec, status = _part(raw, "metadata"), _part(raw, "spec"), _part(raw, "status")
    labels, owner = _texts(metadata, "labels"), _owner(metadata)
    named = [labels[key] for key in JOB_NAME_LABELS if labels.get(key)]
    grace = _number(metadata, "deletionGracePeriodSeconds")
    return PodView(
        name=_text(metadata, "name"),
        uid=_text(metadata, "uid"),
        labels=labels,
        annotations=_texts(metadata, "annotations"),
        job_name=_text(owner, "name") or next(iter(named), ""),
        job_uid=_text(owner, "uid"),
        phase=_text(status, "phase"),
        reason=_text(status, "reason"),
        message=_text(status, "message"),
        node_name=_text(spec, "nodeName"),
        pod_ip=_text(status, "podIP"),
        created_at=_moment(metadata, "creationTimestamp"),
        started_at=_moment(status, "startTime"),
        deletion_timestamp=_moment(metadata, "deletionTimestamp"),
        deletion_grace_seconds=None if grace is None else float(grace),
        conditions=_conditions(status),
        containers=tuple(_container(each) for each in _parts(status, "containerStatuses")),
    )


def event_view(raw: object) -> EventView:
    """The slim record of an event."""
    regarding, series = _part(raw, "involvedObject"), _part(raw, "series")
    fields = _fields(raw)
    return EventView(
        reason=_text(fields, "reason"),
        message=_text(fields, "message"),
        type=_text(fields, "type"),
        regarding_uid=_text(regarding, "uid"),
        regarding_kind=_text(regarding, "kind"),
        regarding_name=_text(regarding, "name"),
        count=_number(series, "count") or _number(fields, "count") or 1,
        last_at=_moment(series, "lastObservedTime")
        or _moment(fields, "lastTimestamp")
        or _moment(fields, "eventTime")
        or _moment(_part(raw, "metadata"), "creationTimestamp"),
    )


def uid_of(raw: object) -> str:
    """The UID of any object; empty when it has none."""
    return _text(_part(raw, "metadata"), "uid")


def resource_version_of(raw: object) -> str:
    """The resourceVersion of any object or list; empty when it has none."""
    return _text(_part(raw, "metadata"), "resourceVersion")


def _container(raw: object) -> ContainerView:
    fields, states = _fields(raw), _part(raw, "state")
    state = next((each for each in STATES if states.get(each) is not None), "")
    told = _part(states, state)
    return ContainerView(
        name=_text(fields, "name"),
        state=state,
        reason=_text(told, "reason"),
        message=_text(told, "message"),
        exit_code=_number(told, "exitCode"),
        signal=_number(told, "signal"),
        restarts=_number(fields, "restartCount") or 0,
        ready=fields.get("ready") is True,
        started_at=_moment(told, "startedAt"),
        finished_at=_moment(told, "finishedAt"),
    )


def _conditions(status: Mapping[str, Any]) -> tuple[Condition, ...]:
    return tuple(_condition(each) for each in _parts(status, "conditions"))


def _condition(raw: Mapping[str, Any]) -> Condition:
    return Condition(
        type=_text(raw, "type"),
        status=_text(raw, "status"),
        reason=_text(raw, "reason"),
        message=_text(raw, "message"),
        since=_moment(raw, "lastTransitionTime"),
    )


def _owner(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Kubernetes Job that controls it; empty when there is none."""
    owners = [each for each in _parts(metadata, "ownerReferences") if each.get("kind") == "Job"]
    return next(iter(owners), {})


def _fields(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _part(raw: object, name: str) -> Mapping[str, Any]:
    return _fields(_fields(raw).get(name))


def _parts(raw: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = raw.get(name)
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        return []
    return [each for each in found if isinstance(each, Mapping)]


def _text(raw: Mapping[str, Any], name: str) -> str:
    found = raw.get(name)
    return found if isinstance(found, str) else ""


def _texts(raw: Mapping[str, Any], name: str) -> Mapping[str, str]:
    found = _part(raw, name)
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _number(raw: Mapping[str, Any], name: str) -> int | None:
    found = raw.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _moment(raw: Mapping[str, Any], name: str) -> datetime | None:
    """A time of Kubernetes, which is RFC 3339."""
    try:
        found = datetime.fromisoformat(_text(raw, name))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
