"""What every reader of a recording has in common: it is read once through, ahead, and closed."""

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from videoannotator.media.recording import Damages

T = TypeVar("T")


class Reader(Iterator[T], Generic[T]):
    """A recording, once through.

    Close it, or read to the end, or let go of it: the thread ends.
    """

    def __init__(self, items: Generator[T, None, None], damages: Damages) -> None:
        """`items` come from `ahead`; `damages` grows while they are made."""
        self._items = items
        self._damages = damages

    def __next__(self) -> T:
        """The next one. Raises: MediaError when nothing can be read at all."""
        return next(self._items)

    def __enter__(self) -> Self:
        """Closes at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the thread and closes the file."""
        self.close()

    def close(self) -> None:
        """Ends the thread and closes the file."""
        self._items.close()

    @property
    def damage(self) -> Damages:
        """Places that could not be read, as (second, reason).

        Complete when the last one was taken.
        """
        return self._damages
