"""From a submit to the first progress, through the real services of one machine."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import CACHE, Figure
from videoannotator.cli.private import private_server
from videoannotator.cli.private_folder import private_folder
from videoannotator.client import Client
from videoannotator.media.sample import make_sample
from videoannotator.pipelines.catalogue import Catalogue

PIPELINES = ("scene_detection", "voice_activity")
TRIES = 5
LONGEST_SECONDS = 120.0
STOP_GRACE_SECONDS = 10.0


def sample() -> Path:
    """The sample video, made once."""
    path = CACHE / "sample.mp4"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        make_sample(path)
    return path


def first_progress_seconds(client: Client, video: Path, pipeline: str) -> float:
    """From sending the video until the run has moved or ended; the job is waited for."""
    started = time.perf_counter()
    job = client.submit(video, [pipeline])
    moved = 0.0
    while time.perf_counter() - started < LONGEST_SECONDS:
        (run,) = client.job(job.id).runs
        if not moved and (run.progress > 0 or run.ended):
            moved = time.perf_counter() - started
        if run.ended:
            return moved
        time.sleep(0.02)
    raise SystemExit(f"{pipeline} did not end within {LONGEST_SECONDS:.0f} s")


def import_seconds(modules: tuple[str, ...]) -> tuple[float, ...]:
    """What a bare interpreter takes to start and to import the engine, of each try."""
    took = []
    for _ in range(TRIES):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], check=True)
        took.append(time.perf_counter() - started)
    return tuple(took)


def measure() -> list[Figure]:
    """The median for each pipeline beside importing its engine."""
    video, catalogue, figures = sample(), Catalogue.load(), []
    with (
        tempfile.TemporaryDirectory() as folder,
        private_folder(Path(folder)) as private,
        private_server(private, STOP_GRACE_SECONDS) as server,
        Client(server.address, server.token) as client,
    ):
        for pipeline in PIPELINES:
            took = tuple(first_progress_seconds(client, video, pipeline) for _ in range(TRIES))
            modules = catalogue.get(pipeline).requires
            figures.append(
                Figure(
                    what=f"{pipeline}, submit to first progress",
                    runs=took,
                    unit="s",
                    target=2.5,
                    more_is_better=False,
                    beside=f"import {', '.join(modules)}",
                    others=import_seconds(modules),
                )
            )
    return figures
