"""Three hundred damaged videos: none may crash, hang or fill the memory of who reads it."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from tests.fakes.videos import Clip, Pictures, Sound

MUTANTS = 300
STREAM_APPEARS_LATE = 857  # a seed that once ended a reader
SMALL = (64, 48)
KINDS = (
    (".mp4", Clip(pictures=Pictures(count=24, size=SMALL, b_frames=2), sound=Sound(seconds=0.8))),
    (
        ".mov",
        Clip(
            pictures=Pictures(count=24, size=SMALL, b_frames=2),
            sound=Sound(seconds=0.8),
            options=(("movflags", "faststart"),),
        ),
    ),
    (".mkv", Clip(pictures=Pictures(count=24, size=SMALL, b_frames=2), sound=Sound(seconds=0.8))),
    (
        ".webm",
        Clip(
            pictures=Pictures(codec="libvpx-vp9", count=16, size=SMALL),
            sound=Sound(codec="libopus", seconds=0.5),
        ),
    ),
    (".ts", Clip(pictures=Pictures(count=24, size=SMALL, b_frames=2), sound=Sound(seconds=0.8))),
    (
        ".avi",
        Clip(
            pictures=Pictures(codec="mpeg4", count=24, size=SMALL, rate=Fraction(25)),
            sound=Sound(codec="pcm_s16le", seconds=0.8, sample_rate=8_000),
        ),
    ),
    (".hevc.mp4", Clip(pictures=Pictures(codec="libx265", count=12, size=SMALL))),
    (".flv", Clip(pictures=Pictures(count=24, size=SMALL), sound=Sound(seconds=0.8))),
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("first", "last"),
    [(0, MUTANTS), (STREAM_APPEARS_LATE, STREAM_APPEARS_LATE + 1)],
)
def test_no_mutated_video_crashes_or_hangs_its_reader(
    tmp_path: Path, first: int, last: int
) -> None:
    for suffix, clip in KINDS:
        clip.write(tmp_path / f"intact{suffix}")

    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "tests.fakes.mutants",
            tmp_path,
            str(first),
            str(last),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )

    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"seed {lines[-1] if lines else 0}: {done.stderr[-4000:]}"
    assert len(lines) == last - first
    # Else the mutations would be too weak, or too strong, to show anything.
    refused = sum(line.endswith("refused") for line in lines)
    assert last - first < MUTANTS or 0.2 * MUTANTS < refused < 0.8 * MUTANTS
