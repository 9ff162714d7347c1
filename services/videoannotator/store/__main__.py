"""Brings a database to the schema of this program, checks whether it has it, or waits for it."""

import argparse
import sys
from time import monotonic, sleep

from videoannotator.domain.errors import Unavailable, VideoAnnotatorError
from videoannotator.store.schema import check, head, upgrade

#: A migration of a large table may take minutes.
LONGEST_WAIT_SECONDS = 600.0
PAUSE_SECONDS = 2.0


def _configured_url() -> str:
    from videoannotator.settings import load_settings

    return load_settings().database_url


def wait(url: str) -> None:
    """Returns when the database has the schema of this program; says when what is amiss changes.

    Raises: what `check` raises, after LONGEST_WAIT_SECONDS.
    """
    deadline, told = monotonic() + LONGEST_WAIT_SECONDS, ""
    while True:
        try:
            check(url)
            return
        except Unavailable as error:
            if monotonic() >= deadline:
                raise
            told = _tell(error, told)
        sleep(PAUSE_SECONDS)


def _tell(error: VideoAnnotatorError, told: str) -> str:
    """What is amiss, on standard error unless it was `told` last."""
    line = f"Waiting: {error.message} {error.hint}".strip()
    if line != told:
        print(line, file=sys.stderr, flush=True)
    return line


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 1 with the reason and the way to go on standard error."""
    parser = argparse.ArgumentParser(prog="python -m videoannotator.store", description=__doc__)
    parser.add_argument("command", choices=("upgrade", "check", "wait"))
    parser.add_argument("--url", help="address of the database; default: from the settings")
    given = parser.parse_args(arguments)
    act = {"upgrade": upgrade, "check": check, "wait": wait}[given.command]
    try:
        act(given.url or _configured_url())
    except VideoAnnotatorError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        return 1
    print(f"The database has the schema of this program ({head()}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
