"""Reads mutated videos in a process of its own: `python -m tests.fakes.mutants FOLDER FIRST LAST`.

FOLDER holds the intact videos. For each seed from FIRST up to LAST one of them is mutated and read
in every way. The line `seed ok` or `seed refused` tells that it ended as it may: with frames, or
with a MediaError. Any other error, a crash of the decoder or more than the seconds allowed ends the
process with the place in its stderr.
"""

import faulthandler
import resource
import sys
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from tests.fakes.videos import mutated
from videoannotator.domain.errors import MediaError
from videoannotator.media.audio import audio_blocks
from videoannotator.media.frames import every_frame, key_frames, sample_frames
from videoannotator.media.probe import probe
from videoannotator.media.times import frame_times

SECONDS_FOR_ONE = 20  # on a busy machine; usual is a tenth of one
MEMORY_BYTES = 6 * 1024**3  # of addresses; threads reserve much that they never touch


#: A file may claim to last for weeks, and is then sampled for weeks.
MOST_ITEMS = 20_000


def _use_up(items: Iterable[object]) -> None:
    deque(islice(items, MOST_ITEMS), maxlen=0)


WAYS: tuple[Callable[[Path], object], ...] = (
    probe,
    frame_times,
    lambda path: _use_up(every_frame(path)),
    lambda path: _use_up(key_frames(path)),
    lambda path: _use_up(sample_frames(path, per_second=5)),
    lambda path: _use_up(sample_frames(path, per_second=2, mode="seek", max_width=32)),
    lambda path: _use_up(audio_blocks(path)),
)


def read(path: Path) -> int:
    """Reads the file in every way; how many of them refused it."""
    refused = 0
    for way in WAYS:
        try:
            way(path)
        except MediaError:
            refused += 1
    return refused


def main(folder: Path, first: int, last: int) -> None:
    """Mutates and reads; one line for each seed."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    intact = sorted(path for path in folder.iterdir() if path.name.startswith("intact"))
    for seed in range(first, last):
        faulthandler.dump_traceback_later(SECONDS_FOR_ONE, exit=True)
        source = intact[seed % len(intact)]
        mutant = folder / f"mutant{source.suffix}"
        print(seed, end=" ", flush=True)
        mutant.write_bytes(mutated(source.read_bytes(), seed))
        print("refused" if read(mutant) else "ok", flush=True)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    faulthandler.enable()
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
