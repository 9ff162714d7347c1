"""Options and arguments that several commands share."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videoannotator.cli.output import say
from videoannotator.domain.errors import InvalidRequest, LimitReached

if TYPE_CHECKING:
    from videoannotator.client import Client

Json = Annotated[
    bool, typer.Option("--json", help="Write JSON, one document a line, and nothing else.")
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="Address of the server; by default VIDEOANNOTATOR_SERVER, then "
        "http://localhost:18011. Its key is taken from VIDEOANNOTATOR_TOKEN.",
        show_default=False,
    ),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.", show_default=False)]
Pipelines = Annotated[
    str, typer.Option("--pipelines", help="Names with commas between.", show_default=False)
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help='JSON file with parameters, as {"scene_detection": {"threshold": 30}}; - is stdin.',
        show_default=False,
    ),
]


def names(text: str) -> list[str]:
    """`a, b` as a list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def read_config(path: Path | None) -> Mapping[str, Any]:
    """The parameters in a file; none without one. Raises: InvalidRequest."""
    if path is None:
        return {}
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        config = json.loads(text)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InvalidRequest(f"{path} is not JSON: {error}.") from error
    if not isinstance(config, Mapping):
        raise InvalidRequest(f"{path} must be a JSON object, by names of pipelines.")
    return config


@contextmanager
def connected(server: str | None) -> Iterator["Client"]:
    """A client of the server that the option or the settings name."""
    from videoannotator.client import Client
    from videoannotator.settings import load_client_settings

    settings = load_client_settings()
    token = settings.token.get_secret_value()
    with Client(server or settings.server, token, busy=Once()) as client:
        yield client


class Once:
    """Says once that the server makes the command wait."""

    def __init__(self) -> None:
        """Nothing is said yet."""
        self._said = False

    def __call__(self, error: LimitReached, wait_seconds: float) -> None:
        """Says why, and for how long."""
        if not self._said:
            say(f"{error.message} Trying again in {max(wait_seconds, 1):.0f} s.")
        self._said = True
