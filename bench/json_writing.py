"""Writing 54,000 annotations as JSON: an hour of three people, five times a second."""

import json
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import Figure
from videoannotator.formats.json_stream import BATCH_ROWS, write_rows

ROWS = 54_000
KEYPOINT_NUMBERS = 51  # 17 keypoints, three numbers each
TRIES = 5
Writer = Callable[[Path, list[dict[str, Any]]], None]


def annotations() -> Iterator[dict[str, Any]]:
    """Annotations of persons, as a pipeline would make them."""
    dice = random.Random(7)  # noqa: S311 - it guards nothing
    for number in range(ROWS):
        yield {
            "id": number,
            "image_id": f"video_frame_{number // 3:06d}",
            "category_id": 1,
            "track_id": number % 3,
            "bbox": [round(dice.uniform(0, 1920), 2) for _ in range(4)],
            "score": round(dice.random(), 4),
            "timestamp": round(number / 15, 3),
            "keypoints": [round(dice.uniform(0, 1920), 2) for _ in range(KEYPOINT_NUMBERS)],
            "num_keypoints": 17,
        }


def ours(path: Path, rows: list[dict[str, Any]]) -> None:
    """Our writer."""
    write_rows(path, {"schema": "bench/1"}, "annotations", rows)


def indented(path: Path, rows: list[dict[str, Any]]) -> None:
    """The standard library's, as the public server writes."""
    with path.open("w") as stream:
        json.dump({"schema": "bench/1", "annotations": rows}, stream, indent=2)


WRITERS: Mapping[str, Writer] = {"ours": ours, "indented": indented}


def seconds(name: str, rows: list[dict[str, Any]], folder: Path) -> float:
    """The time that one writing takes."""
    started = time.perf_counter()
    WRITERS[name](folder / f"{name}.json", rows)
    return time.perf_counter() - started


def peak_megabytes(name: str) -> float:
    """By how much writing raises the memory of a fresh interpreter that has the rows already."""
    command = [sys.executable, "-m", "bench.json_writing", name]
    return float(subprocess.check_output(command))


def grown_megabytes(name: str) -> float:
    """The same for this interpreter, as the high-water mark of the allocator."""
    rows = list(annotations())
    with tempfile.TemporaryDirectory() as folder:
        WRITERS[name](Path(folder) / "first.json", rows[:1])
        tracemalloc.start()
        WRITERS[name](Path(folder) / "peak.json", rows)
        return tracemalloc.get_traced_memory()[1] / 1e6


def batch_megabytes() -> float:
    """The size of one batch of these rows as JSON."""
    rows = [row for row, _ in zip(annotations(), range(BATCH_ROWS), strict=False)]
    return len(json.dumps(rows, separators=(",", ":"))) / 1e6


def measure() -> list[Figure]:
    """Seconds and memory beside `json.dump(indent=2)`."""
    rows, beside = list(annotations()), "json.dump(indent=2)"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took = {
            name: tuple(seconds(name, rows, folder) for _ in range(TRIES if name == "ours" else 2))
            for name in WRITERS
        }
    return [
        Figure(
            what=f"{ROWS:,} annotations",
            runs=took["ours"],
            unit="s",
            target=0.5,
            more_is_better=False,
            beside=beside,
            others=took["indented"],
        ),
        Figure(
            what=f"memory on the way, batches of {BATCH_ROWS}",
            runs=(peak_megabytes("ours"),),
            unit="MB",
            target=round(4 * batch_megabytes(), 2),
            more_is_better=False,
            beside="one batch as JSON",
            others=(batch_megabytes(),),
        ),
    ]


if __name__ == "__main__":
    print(grown_megabytes(sys.argv[1]))
