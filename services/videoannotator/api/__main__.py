"""`python -m videoannotator.api`: an api, with the settings of the environment."""

import sys

from videoannotator.processes.collecting import loading

with loading():
    from videoannotator.api.process import run
    from videoannotator.processes.starting import start

if __name__ == "__main__":
    sys.exit(start("api", run))
