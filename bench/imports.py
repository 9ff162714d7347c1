"""What the services cost before they do anything: import time and memory in a fresh interpreter."""

import json
import subprocess
import sys

from bench import Figure

SERVICES = {"api": "videoannotator.api.app", "scheduler": "videoannotator.scheduler.service"}
TRIES = 5
PROGRAM = """
import importlib, json, sys, time
started = time.perf_counter()
if sys.argv[1]: importlib.import_module(sys.argv[1])
seconds = time.perf_counter() - started
import psutil
print(json.dumps([seconds, psutil.Process().memory_info().rss / 1e6]))
"""


def fresh(module: str) -> tuple[float, float]:
    """Seconds to import `module` ("" for nothing) and megabytes resident after it, at best."""
    runs = [
        json.loads(subprocess.check_output([sys.executable, "-c", PROGRAM, module]))
        for _ in range(TRIES)
    ]
    return min(run[0] for run in runs), min(run[1] for run in runs)


def measure() -> list[Figure]:
    """Import time and resident memory of each service beside the bare interpreter."""
    bare_seconds, bare_megabytes = fresh("")
    figures = []
    for name, module in SERVICES.items():
        seconds, megabytes = fresh(module)
        figures += [
            Figure(
                what=f"{name} import",
                value=seconds,
                unit="s",
                beside="bare python",
                other=bare_seconds,
            ),
            Figure(
                what=f"{name} resident",
                value=megabytes,
                unit="MB",
                beside="bare python",
                other=bare_megabytes,
            ),
        ]
    return figures
