"""Reading ahead: bounded, in one thread, which always ends."""

import gc
import threading
from collections.abc import Callable, Generator
from itertools import count, islice
from pathlib import Path

import pytest

from tests.fakes.videos import Clip, Sound
from videoannotator.domain.errors import BlobNotFound
from videoannotator.media.ahead import ahead
from videoannotator.media.audio import audio_blocks
from videoannotator.media.frames import every_frame, sample_frames

Writer = Callable[..., Path]


class Source:
    """Counts up, and knows how far it came and whether it was closed."""

    def __init__(self, end: int | None = None, error: Exception | None = None) -> None:
        self.made = 0
        self.closed = threading.Event()
        self.reached = threading.Event()
        self.end = end
        self.error = error

    def __call__(self) -> Generator[int, None, None]:
        try:
            for number in count() if self.end is None else range(self.end):
                self.made = number + 1
                if self.made == 4:
                    self.reached.set()
                yield number
            if self.error:
                raise self.error
        finally:
            self.closed.set()


def reading_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "read-ahead"]


def test_everything_comes_in_order() -> None:
    assert list(ahead(Source(end=1000), limit=3, weight=lambda n: 1)) == list(range(1000))


def test_no_more_waits_than_the_limit_allows() -> None:
    source = Source()
    numbers = ahead(source, limit=3, weight=lambda n: 1)

    first = next(numbers)
    source.reached.wait(10)
    second = next(numbers)

    # Two were taken, three wait, one is in the producer's hand.
    assert (first, second) == (0, 1)
    assert 4 <= source.made <= 6
    numbers.close()


def test_an_item_heavier_than_the_limit_still_comes_through() -> None:
    assert list(ahead(Source(end=5), limit=3, weight=lambda n: 100)) == [0, 1, 2, 3, 4]


def test_an_error_comes_after_the_items_before_it() -> None:
    numbers = ahead(Source(end=3, error=KeyError("torn")), limit=10, weight=lambda n: 1)

    assert list(islice(numbers, 3)) == [0, 1, 2]
    with pytest.raises(KeyError, match="torn"):
        next(numbers)


def test_closing_ends_the_thread_and_closes_the_source() -> None:
    source = Source()
    numbers = ahead(source, limit=3, weight=lambda n: 1)
    next(numbers)

    numbers.close()

    assert source.closed.is_set()
    assert reading_threads() == []


@pytest.mark.parametrize(
    "read",
    [
        every_frame,
        lambda path: sample_frames(path, per_second=20, mode="seek"),
        lambda path: audio_blocks(path, block_seconds=0.01),
    ],
)
@pytest.mark.parametrize("ending", ["close", "exhaust", "let go", "leave the block"])
def test_no_thread_outlives_its_reader(clip_file: Writer, read: Callable, ending: str) -> None:  # type: ignore[type-arg]
    reader = read(clip_file(Clip(sound=Sound())))
    next(reader)

    if ending == "close":
        reader.close()
    elif ending == "exhaust":
        list(reader)
    elif ending == "leave the block":
        with reader:
            pass
    del reader
    gc.collect()

    assert reading_threads() == []


def test_a_reader_that_is_never_asked_starts_nothing(clip_file: Writer) -> None:
    reader = every_frame(clip_file(Clip(sound=Sound())))

    assert reading_threads() == []
    reader.close()


def test_an_error_of_opening_is_raised_where_frames_are_taken(tmp_path: Path) -> None:
    with pytest.raises(BlobNotFound):
        next(every_frame(tmp_path / "none.mp4"))
    assert reading_threads() == []
