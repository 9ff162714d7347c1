"""A scheduler of a cluster that dies by SIGKILL at one step: `python -m tests.cluster.dying STEP`.

It is the real command. Its parts are wrapped from outside, in this process alone. Which steps it
has passed is in the file that the variable STEPS names.
"""

import os
import sys
from pathlib import Path

from tests.fakes.steps import Steps, around, wrap_client, wrap_transactions
from videoannotator.cli.main import run
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster

REACHED = "STEPS"


async def _nothing() -> None:
    """Nobody does anything."""


def wrap(steps: Steps) -> None:
    """Wraps what makes, calls and ends workers: rows, requests to the cluster, calls."""
    around(steps, Cluster, "create_job", lambda *_: "create")
    around(steps, Cluster, "delete_job", lambda *_: "delete")
    wrap_client(steps)
    wrap_transactions(steps)


if __name__ == "__main__":
    wrap(Steps(Path(os.environ[REACHED]), sys.argv[1], "", _nothing))
    sys.argv = ["videoannotator", "scheduler", "--json"]
    run()
