"""What was seen of a cluster's objects, by UID, also of those that are not there any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

View = TypeVar("View")
DEPARTED_KEPT = 10_000  #: of those that nobody forgets, the newest; a lost one only proves less


class State(StrEnum):
    """Whether an object is there."""

    PRESENT = "present"
    DELETED = "deleted"  #: its deletion was seen, and what it was last
    VANISHED = "vanished"  #: it was there in one list and not in the next: its end was not seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Generic[View]):
    """The last that was seen of an object."""

    view: View
    state: State
    at: float  #: when, seconds of a monotonic clock; of PRESENT objects, when it last changed


class Sightings(Generic[View]):
    """Objects as last seen. Names are used again in a cluster, UIDs never."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self._present: dict[str, Seen[View]] = {}
        self._departed: dict[str, Seen[View]] = {}
        self._views: dict[str, View] = {}
        self.objects: Mapping[str, View] = MappingProxyType(self._views)

    def put(self, uid: str, view: View, now: float) -> bool:
        """The object is there, and so; whether that is new to us."""
        self._departed.pop(uid, None)
        if self._views.get(uid) == view:
            return False
        self._present[uid] = Seen(view=view, state=State.PRESENT, at=now)
        self._views[uid] = view
        return True

    def delete(self, uid: str, view: View, now: float) -> bool:
        """The object was deleted, and was so at last; always new to us."""
        self._leave(uid, Seen(view=view, state=State.DELETED, at=now))
        return True

    def replace(self, views: Mapping[str, View], now: float) -> bool:
        """These objects are there and no others; whether that is new to us."""
        missing = [uid for uid in self._views if uid not in views]
        for uid in missing:
            self._leave(uid, Seen(view=self._views[uid], state=State.VANISHED, at=now))
        changed = [self.put(uid, view, now) for uid, view in views.items()]
        return bool(missing) or any(changed)

    def last_seen(self, uid: str) -> Seen[View] | None:
        """The last that was seen of it; None: never seen, or forgotten."""
        return self._present.get(uid) or self._departed.get(uid)

    def departed(self) -> Mapping[str, Seen[View]]:
        """All that are not there any more and not forgotten."""
        return MappingProxyType(self._departed)

    def forget(self, uid: str) -> None:
        """Drops what is kept of an object that is not there any more."""
        self._departed.pop(uid, None)

    def _leave(self, uid: str, seen: Seen[View]) -> None:
        self._present.pop(uid, None)
        self._views.pop(uid, None)
        self._departed.pop(uid, None)
        self._departed[uid] = seen
        while len(self._departed) > DEPARTED_KEPT:
            del self._departed[next(iter(self._departed))]
