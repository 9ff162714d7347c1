"""How a process starts by itself: `python -m videoannotator.api` and its like."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.settings import Settings, load_settings
from videoannotator.telemetry import configure

CANNOT_START = 1

#: Runs until the end that a signal asks for; tells once, as a record, where it is.
Run = Callable[[Settings, Callable[[Any], None]], int]


def start(name: str, run: Run) -> int:
    """Runs a process with the settings of the environment; returns the exit status.

    What it tells when it has started goes to stdout, as one line of JSON.
    """
    try:
        settings = load_settings()
        configure(name, settings.telemetry)
        return run(settings, _announce)
    except VideoAnnotatorError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        return CANNOT_START


def _announce(started: Any) -> None:
    print(json.dumps(asdict(started)), flush=True)
