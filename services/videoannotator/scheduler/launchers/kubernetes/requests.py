"""Requests to the API server as plain records: pure.

Every request of this program is built here, and `refuse_force` is asked before it is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from videoannotator.domain.errors import InvalidRequest

READ_SECONDS = 15.0  #: for an answer to a request about one object
LIST_SECONDS = 60.0  #: for one page; as long as the API server itself works on it
CREATE_SECONDS = 35.0  #: an admission webhook may hold a create back for 30
LOG_BYTES = 1 << 20  #: of a log, at most
PAGE = 500  #: objects in one page of a list
GRACES = frozenset({"gracePeriodSeconds", "terminationGracePeriodSeconds"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request."""

    method: str  #: GET | POST | DELETE
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    seconds: float = READ_SECONDS  #: for the whole answer

    @property
    def target(self) -> str:
        """Path and query as they are sent."""
        query = urlencode(self.query, quote_via=quote)
        return f"{self.path}?{query}" if query else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What is listed and watched together."""

    path: str
    selector: str = ""  #: of labels; empty: all in the namespace


def jobs(namespace: str, selector: str = "") -> Collection:
    """The Kubernetes Jobs of a namespace."""
    return Collection(path=f"/apis/batch/v1/namespaces/{_part(namespace)}/jobs", selector=selector)


def pods(namespace: str, selector: str = "") -> Collection:
    """The pods of a namespace."""
    return Collection(path=f"/api/v1/namespaces/{_part(namespace)}/pods", selector=selector)


def create(collection: Collection, body: Mapping[str, Any]) -> Request:
    """Creates an object exactly from `body`."""
    return Request(method="POST", path=collection.path, body=body, seconds=CREATE_SECONDS)


def get(collection: Collection, name: str) -> Request:
    """Reads one object."""
    return Request(method="GET", path=f"{collection.path}/{_part(name)}")


def delete(collection: Collection, name: str, uid: str, propagation: str | None) -> Request:
    """Deletes the object that has this name and this UID, with the grace of its own pod."""
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid},
    }
    if propagation is not None:
        body["propagationPolicy"] = propagation
    return Request(method="DELETE", path=f"{collection.path}/{_part(name)}", body=body)


def page(collection: Collection, limit: int = PAGE, token: str = "") -> Request:
    """One page of a list; `token` is the page before's `continue`.

    No resourceVersion is named, so the list is as new as the cluster itself.
    """
    query = _selected(collection) | {"limit": str(limit)}
    if token:
        query["continue"] = token
    return Request(method="GET", path=collection.path, query=query, seconds=LIST_SECONDS)


def watch(collection: Collection, version: str, seconds: int) -> Request:
    """Every change behind `version`, for so long."""
    query = _selected(collection) | {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(seconds),
    }
    return Request(method="GET", path=collection.path, query=query)


def log(collection: Collection, name: str, container: str, lines: int) -> Request:
    """The last lines that a container wrote."""
    query = {"container": container, "tailLines": str(lines), "limitBytes": str(LOG_BYTES)}
    return Request(method="GET", path=f"{collection.path}/{_part(name)}/log", query=query)


def events(namespace: str, uid: str) -> Request:
    """The events about one object."""
    query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": str(PAGE)}
    return Request(method="GET", path=f"/api/v1/namespaces/{_part(namespace)}/events", query=query)


def refuse_force(request: Request) -> None:
    """Lets nothing pass that would end a pod without a grace: its process could run on unseen.

    Raises: InvalidRequest.
    """
    named = [*request.query.items(), *_named(request.body)]
    if any(name in GRACES and not _lasts(value) for name, value in named):
        raise InvalidRequest("A grace of 0 seconds is never sent: the process could run on unseen.")


def _lasts(value: object) -> bool:
    """Whether a grace is a second or longer; None is the pod's own."""
    if value is None:
        return True
    try:
        return float(str(value)) >= 1.0
    except ValueError:
        return False


def _named(value: object) -> Iterator[tuple[str, object]]:
    """Every field of a body, however deep."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name), inner
            yield from _named(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for inner in value:
            yield from _named(inner)


def _selected(collection: Collection) -> dict[str, str]:
    return {"labelSelector": collection.selector} if collection.selector else {}


def _part(name: str) -> str:
    """One part of a path; a name from outside never reaches another object."""
    if not name or name in (".", ".."):
        raise InvalidRequest("The name of an object of Kubernetes is missing.")
    return quote(name, safe="")
