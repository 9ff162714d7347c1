"""Working ahead: a thread fills a bounded queue while its items are used."""

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from threading import Condition, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class _Queue(Generic[T]):
    """Items between two threads, bounded by their weight; one item always fits."""

    def __init__(self, limit: int, weight: Callable[[T], int]) -> None:
        self._limit = limit
        self._weight = weight
        self._items: deque[T] = deque()
        self._held = 0
        self._changed = Condition()
        self._ended = False
        self._abandoned = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Waits for room; False when nobody wants items any more."""
        weight = self._weight(item)
        with self._changed:
            self._changed.wait_for(
                lambda: self._abandoned or not self._items or self._held + weight <= self._limit
            )
            if self._abandoned:
                return False
            self._items.append(item)
            self._held += weight
            self._changed.notify_all()
            return True

    def get(self) -> T | None:
        """The next item, None after the last one. Raises: what the source raised."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._ended)
            if self._items:
                item = self._items.popleft()
                self._held -= self._weight(item)
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            return None

    def __enter__(self) -> "_Queue[T]":
        """The source begins."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool:
        """The source has ended, by `error` or well; the error is raised where items are taken."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()
        return True

    def abandon(self) -> None:
        """Nobody wants items any more."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()


def ahead(
    source: Callable[[], Generator[T, None, None]], *, limit: int, weight: Callable[[T], int]
) -> Generator[T, None, None]:
    """Yields what `source` yields, made ahead in a thread that alone runs it.

    At most `limit` of `weight` wait. Closing this generator ends the thread and closes the source
    before it returns.
    """
    queue: _Queue[T] = _Queue(limit, weight)
    thread = Thread(target=_fill, args=(queue, source), name="read-ahead", daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not None:
            yield item
    finally:
        queue.abandon()
        thread.join()


def _fill(queue: _Queue[T], source: Callable[[], Generator[T, None, None]]) -> None:
    with queue, closing(source()) as items:
        for item in items:
            if not queue.put(item):
                return
