"""`python -m videoannotator.scheduler`: a scheduler, with the settings of the environment."""

import sys

from videoannotator.processes.collecting import loading

with loading():
    from videoannotator.processes.starting import start
    from videoannotator.scheduler.process import run

if __name__ == "__main__":
    sys.exit(start("scheduler", run))
