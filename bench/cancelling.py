"""From asking for a cancel until the slot is free, through api and scheduler of their own."""

import time
from collections.abc import Callable
from pathlib import Path

import av

from bench import CACHE, Figure
from bench.services import place, service
from bench.submitting import sample
from videoannotator.client import Client

PIPELINE = "scene_detection"
TRIES = 7
LOOK_SECONDS = 0.02
LONGEST_SECONDS = 120.0
LOOPS = 400  # of the sample: an hour, so that it is still at work when it is cancelled


def long_video() -> Path:
    """The sample many times over, without encoding it again; made once."""
    path = CACHE / f"sample-{LOOPS}.mp4"
    if not path.exists():
        part = path.with_suffix(".part.mp4")
        with av.open(sample()) as source, av.open(part, "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            packets = [packet for packet in source.demux(video=0) if packet.dts is not None]
            length = max(int(packet.pts or 0) + int(packet.duration or 0) for packet in packets)
            for number in range(LOOPS):
                for packet in packets:
                    packet.stream = stream
                    packet.pts = int(packet.pts or 0) + (length if number else 0)
                    packet.dts = int(packet.dts or 0) + (length if number else 0)
                    target.mux(packet)
        part.rename(path)
    return path


def seconds_until(done: Callable[[], bool]) -> float:
    """Looks until it is done."""
    started = time.perf_counter()
    while time.perf_counter() - started < LONGEST_SECONDS:
        if done():
            return time.perf_counter() - started
        time.sleep(LOOK_SECONDS)
    raise SystemExit(f"It did not happen within {LONGEST_SECONDS:.0f} s.")


def cancel_seconds(client: Client, video: Path) -> float:
    """From the request to cancel a job at work until no worker holds a slot."""
    job = client.submit(video, [PIPELINE])
    seconds_until(lambda: client.job(job.id).runs[0].progress > 0)
    client.cancel(job.id)
    return seconds_until(lambda: not client.queue().slots)


def measure() -> list[Figure]:
    """Each try beside the answer to the same question about an idle queue."""
    video = long_video()
    with (
        place("sqlite") as here,
        service("scheduler", here),
        service("api", here) as api,
        Client(api.address, api.told["admin_key"]) as client,
    ):
        idle = tuple(seconds_until(lambda: not client.queue().slots) for _ in range(TRIES))
        took = tuple(cancel_seconds(client, video) for _ in range(TRIES))
    return [
        Figure(
            what="cancel to slot free",
            runs=took,
            unit="s",
            target=2.0,
            more_is_better=False,
            beside="asking the idle queue",
            others=idle,
        )
    ]
