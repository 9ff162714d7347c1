"""The objects of a fake cluster, their versions and their history."""

import asyncio
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

Body = dict[str, Any]
Kind = str  # jobs | pods | events
KINDS = {"jobs": ("batch/v1", "Job"), "pods": ("v1", "Pod"), "events": ("v1", "Event")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change."""

    version: int
    kind: Kind
    type: str  # ADDED | MODIFIED | DELETED
    object: Body
    before: Body | None


def timestamp() -> str:
    """Now, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Objects:
    """What etcd would hold."""

    def __init__(self) -> None:
        """Empty, at version 1."""
        self.version = 1
        self.compacted = 1  # a watch from before this version is told 410
        self._now: dict[tuple[Kind, str], Body] = {}
        self._history: list[Entry] = []
        self._grown = asyncio.Event()

    def get(self, kind: Kind, name: str) -> Body | None:
        """The object of this name."""
        return self._now.get((kind, name))

    def all(self, kind: Kind) -> list[Body]:
        """All objects of this kind, by name."""
        return [body for key, body in sorted(self._now.items()) if key[0] == kind]

    def add(self, kind: Kind, body: Body) -> Body:
        """Puts a new object there; names its UID, version and time."""
        made = copy.deepcopy(body)
        made["apiVersion"], made["kind"] = KINDS[kind]
        made["metadata"] = {
            "namespace": "default",
            **made.get("metadata", {}),
            "uid": str(uuid4()),
            "creationTimestamp": timestamp(),
        }
        made.setdefault("status", {})
        return self._note(kind, "ADDED", made, None)

    def change(self, kind: Kind, name: str, edit: Callable[[Body], object]) -> Body:
        """Edits an object that is there."""
        before = self._now[(kind, name)]
        made = copy.deepcopy(before)
        edit(made)
        return self._note(kind, "MODIFIED", made, before)

    def remove(self, kind: Kind, name: str) -> Body:
        """Takes an object away; its history keeps what it was last."""
        before = self._now[(kind, name)]
        return self._note(kind, "DELETED", copy.deepcopy(before), before)

    def last(self, kind: Kind, name: str) -> Body:
        """What an object of this name was at last, also when it is gone."""
        found = [each.object for each in self._history if each.kind == kind]
        return next(body for body in reversed(found) if body["metadata"]["name"] == name)

    def compact(self) -> None:
        """Drops the history: who watches from before is told 410."""
        self.version += 1
        self.compacted = self.version
        self._history.clear()
        self.wake()

    def set_back(self) -> None:
        """Restores an empty backup: places in the history are lower than those that were given."""
        self._now.clear()
        self._history.clear()
        self.version = self.compacted = 1
        self.wake()

    def after(self, version: int, kind: Kind) -> Iterator[Entry]:
        """Every change of this kind behind a version, in order."""
        return iter(
            [each for each in self._history if each.version > version and each.kind == kind]
        )

    @property
    def grown(self) -> asyncio.Event:
        """Set when something changes from now on, or when somebody shall look again."""
        return self._grown

    def wake(self) -> None:
        """Lets everybody who waits look again."""
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _note(self, kind: Kind, type_: str, body: Body, before: Body | None) -> Body:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        key = (kind, body["metadata"]["name"])
        if type_ == "DELETED":
            del self._now[key]
        else:
            self._now[key] = body
        entry = Entry(version=self.version, kind=kind, type=type_, object=body, before=before)
        self._history.append(entry)
        self.wake()
        return body
