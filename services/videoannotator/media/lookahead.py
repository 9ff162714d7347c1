"""Knowing, before it is decoded, whether a picture will be looked at.

Packets come in decoding order. A picture is shown until the next one in presentation order begins,
and how far apart the two orders can be is bounded by the codec, so a short look ahead is enough to
tell when that is, and the how many-th picture it is.
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

# The codecs in use let a picture be delayed by at most 16 others (H.264, A.3.1; H.265, A.4.2).
FARTHEST_PACKETS = 32


class Timed(Protocol):
    """What is needed of a packet."""

    @property
    def pts(self) -> int | None:
        """Time stamp of presentation."""

    @property
    def size(self) -> int:
        """Bytes; 0 for the packet that ends a stream."""

    @property
    def is_discard(self) -> bool:
        """Needed to decode others, never shown."""


P = TypeVar("P", bound=Timed)
Wanted = Callable[[int, int], bool]  #: whether a picture shown from one time stamp to another is


class Planned(NamedTuple, Generic[P]):
    """A packet and what will become of it."""

    packet: P
    needed: bool  #: its picture will be looked at
    number: int | None  #: of its picture in presentation order from 0; None when it is not known


class _Order:
    """The time stamps met, in presentation order; those long past are only counted."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._past = 0
        self.complete = True  #: every packet had a time stamp

    def add(self, packet: Timed) -> None:
        if not packet.size or packet.is_discard:
            return
        if packet.pts is None:
            self.complete = False
            return
        insort(self._stamps, packet.pts)
        if len(self._stamps) > 8 * FARTHEST_PACKETS:
            self._past += 4 * FARTHEST_PACKETS
            del self._stamps[: 4 * FARTHEST_PACKETS]

    def number(self, stamp: int) -> int:
        """How many pictures are shown before this one."""
        return self._past + bisect_left(self._stamps, stamp)

    def after(self, stamp: int) -> int | None:
        """When the next picture begins; None when there is none."""
        place = bisect_right(self._stamps, stamp)
        return self._stamps[place] if place < len(self._stamps) else None


def plan(packets: Iterable[P], wanted: Wanted) -> Iterator[Planned[P]]:
    """Gives the packets on, each after a look at those behind it.

    In doubt a picture is needed: the first one, the last one, and all once a time stamp is missing.
    """
    order = _Order()
    waiting: deque[P] = deque()
    first = True
    for packet in packets:
        order.add(packet)
        waiting.append(packet)
        if len(waiting) > FARTHEST_PACKETS:
            yield _planned(waiting.popleft(), order, wanted, first=first)
            first = False
    for packet in waiting:
        yield _planned(packet, order, wanted, first=first)
        first = False


def _planned(packet: P, order: _Order, wanted: Wanted, *, first: bool) -> Planned[P]:
    if packet.size and packet.is_discard:
        return Planned(packet, first, None)
    if packet.pts is None or not order.complete:
        return Planned(packet, True, None)
    end = order.after(packet.pts)
    needed = first or end is None or wanted(packet.pts, end)
    return Planned(packet, needed, order.number(packet.pts))
