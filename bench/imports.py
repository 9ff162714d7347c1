"""What the services cost before they do anything: import time and memory in a fresh interpreter."""

import json
import subprocess
import sys

from bench import Figure
from bench.services import databases, place, service

#: As `python -m` loads them.
SERVICES = {"api": "videoannotator.api.__main__", "scheduler": "videoannotator.scheduler.__main__"}
TRIES = 5
PROGRAM = """
import importlib, json, sys, time
started = time.perf_counter()
if sys.argv[1]: importlib.import_module(sys.argv[1])
seconds = time.perf_counter() - started
import psutil
print(json.dumps([seconds, psutil.Process().memory_info().rss / 1e6]))
"""


Runs = tuple[float, ...]


def fresh(module: str) -> tuple[Runs, Runs]:
    """Seconds to import `module` ("" for nothing) and megabytes resident after it, of each try."""
    runs = [
        json.loads(subprocess.check_output([sys.executable, "-c", PROGRAM, module]))
        for _ in range(TRIES)
    ]
    return tuple(run[0] for run in runs), tuple(run[1] for run in runs)


def measure() -> list[Figure]:
    """Import time and resident memory of each service, started too, beside the bare interpreter."""
    bare_seconds, bare_megabytes = fresh("")
    figures = []
    for name, module in SERVICES.items():
        seconds, megabytes = fresh(module)
        figures += [
            figure(f"{name} import", seconds, "s", bare_seconds, 1.0),
            figure(f"{name} resident after the import", megabytes, "MB", bare_megabytes, 120),
        ]
    for kind in databases():
        figures += [
            figure(f"{name} resident, started, {kind}", memory, "MB", bare_megabytes, 120)
            for name, memory in started(kind).items()
        ]
    return figures


def started(kind: str) -> dict[str, Runs]:
    """Megabytes of each service when it has started."""
    with place(kind) as here, service("scheduler", here) as scheduler, service("api", here) as api:
        return {
            "api": (api.resident_megabytes,),
            "scheduler": (scheduler.resident_megabytes,),
        }


def figure(what: str, runs: Runs, unit: str, bare: Runs, target: float) -> Figure:
    """Beside the bare interpreter."""
    return Figure(
        what=what,
        runs=runs,
        unit=unit,
        target=target,
        more_is_better=False,
        beside="bare python",
        others=bare,
    )
