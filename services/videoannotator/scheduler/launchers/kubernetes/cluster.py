"""The only Kubernetes client: single calls, each with one plain outcome."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videoannotator.domain.errors import Forbidden, NotFound
from videoannotator.scheduler.launchers.kubernetes import requests
from videoannotator.scheduler.launchers.kubernetes.answers import (
    NAMESPACE,
    Answer,
    fault_of,
    is_another_uid,
)
from videoannotator.scheduler.launchers.kubernetes.connection import Connection
from videoannotator.scheduler.launchers.kubernetes.pacing import Pacer
from videoannotator.scheduler.launchers.kubernetes.requests import Request
from videoannotator.scheduler.launchers.kubernetes.views import (
    WORKER_CONTAINER,
    EventView,
    JobView,
    PodView,
    event_view,
    job_view,
    pod_view,
)

#: A create leaves within 15 s of being asked for, or never: it waits for its turn so long, then
#: connecting takes 5 s at most, and the system gives up on unacknowledged bytes after 5 more.
CREATE_PATIENCE_SECONDS = 4.0
PATIENCE_SECONDS = 10.0  #: for the turn of anything else
FOREGROUND = "Foreground"  #: the Kubernetes Job stays until its pods are gone


class Cluster:
    """The Kubernetes Jobs, pods and events of one namespace.

    Every call may raise Unavailable (no answer, or a busy server: the outcome is unknown),
    Forbidden (a right or a setting is missing; the hint says which) and InvalidRequest.
    """

    def __init__(
        self, connection: Connection, namespace: str, *, pacer: Pacer | None = None
    ) -> None:
        """Works in `namespace` through `connection`, which it closes."""
        self.connection = connection
        self.namespace = namespace
        self._pacer = pacer or Pacer()
        self._jobs = requests.jobs(namespace)
        self._pods = requests.pods(namespace)

    @classmethod
    async def open(cls, namespace: str, kubeconfig: Path | None = None) -> "Cluster":
        """The cluster of a kubeconfig file; without one, that of the pod we run in.

        Raises: InvalidSetting.
        """
        if kubeconfig is None:
            return cls(await Connection.inside(), namespace)
        return cls(await Connection.to_kubeconfig(kubeconfig), namespace)

    async def create_job(self, body: Mapping[str, Any]) -> JobView:
        """Creates a Kubernetes Job exactly from `body`.

        Raises: Conflict (the name is taken), LimitReached (the quota is used up), Forbidden (a
        right or the namespace is missing), InvalidRequest (refused for what it is), Unavailable
        (outcome unknown: read it by its name, then repeat the same).
        """
        async with self._pacer.create(CREATE_PATIENCE_SECONDS):
            answer = await self.connection.call(requests.create(self._jobs, body))
        if answer.status == 404:
            missing = fault_of(answer)
            raise Forbidden(missing.message, hint=NAMESPACE)
        return job_view(_fine(answer).json())

    async def get_job(self, name: str) -> JobView | None:
        """The Kubernetes Job of this name as it is now; None when there is none."""
        answer = await self._call(requests.get(self._jobs, name))
        return None if answer.status == 404 else job_view(_fine(answer).json())

    async def get_pod(self, name: str) -> PodView | None:
        """The pod of this name as it is now; None when there is none."""
        answer = await self._call(requests.get(self._pods, name))
        return None if answer.status == 404 else pod_view(_fine(answer).json())

    async def delete_job(self, name: str, uid: str) -> None:
        """Deletes this very Kubernetes Job gracefully, its pods first. May be repeated."""
        await self._delete(requests.delete(self._jobs, name, uid, FOREGROUND))

    async def delete_pod(self, name: str, uid: str) -> None:
        """Deletes this very pod with its own grace. May be repeated."""
        await self._delete(requests.delete(self._pods, name, uid, None))

    async def list_jobs(self, selector: str) -> list[JobView]:
        """The Kubernetes Jobs with these labels, as they are now."""
        found = await self._all(requests.jobs(self.namespace, selector))
        return [job_view(each) for each in found]

    async def list_pods(self, selector: str) -> list[PodView]:
        """The pods with these labels, as they are now."""
        found = await self._all(requests.pods(self.namespace, selector))
        return [pod_view(each) for each in found]

    async def pod_log(self, name: str, lines: int, container: str = WORKER_CONTAINER) -> list[str]:
        """The last lines that a container wrote, oldest first; empty when there are none yet."""
        answer = await self._call(requests.log(self._pods, name, container, lines))
        if answer.status in (400, 404):  # no such pod, or its container has not started
            return []
        return _fine(answer).body.decode(errors="replace").splitlines()[-lines:]

    async def events_of(self, uid: str) -> list[EventView]:
        """What Kubernetes tells about one object, oldest first."""
        answer = _fine(await self._call(requests.events(self.namespace, uid))).json()
        found = [event_view(each) for each in items_of(answer)]
        return sorted(found, key=lambda each: each.last_at.timestamp() if each.last_at else 0.0)

    async def close(self) -> None:
        """Ends all connections; what was created runs on."""
        await self.connection.close()

    async def _delete(self, request: Request) -> None:
        answer = await self._call(request)
        if answer.status != 404 and not is_another_uid(answer):
            _fine(answer)

    async def _all(self, collection: requests.Collection) -> list[Any]:
        """Every object of a list, page by page."""
        found: list[Any] = []
        token = ""
        while True:
            answer = _fine(await self._call(requests.page(collection, token=token))).json()
            found += items_of(answer)
            token = continue_of(answer)
            if not token:
                return found

    async def _call(self, request: Request) -> Answer:
        await self._pacer.turn(PATIENCE_SECONDS)
        return await self.connection.call(request)


def continue_of(answer: Mapping[str, Any]) -> str:
    """What asks for the next page of a list; empty on the last one."""
    metadata = answer.get("metadata")
    found = metadata.get("continue") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, str) else ""


def items_of(answer: Mapping[str, Any]) -> list[Any]:
    """The objects of one page of a list."""
    found = answer.get("items")
    return found if isinstance(found, list) else []


def _fine(answer: Answer) -> Answer:
    """The answer when it did what was asked.

    Raises: Unavailable, Conflict, Forbidden, LimitReached, InvalidRequest.
    """
    if answer.fine:
        return answer
    fault = fault_of(answer)
    if isinstance(fault, NotFound):
        raise Forbidden(fault.message, hint=NAMESPACE)
    raise fault
