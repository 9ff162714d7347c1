"""Brings a database to the schema of this program, or checks whether it has it."""

import argparse
import sys

from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.store.schema import check, head, upgrade


def _configured_url() -> str:
    from videoannotator.settings import load_settings

    return load_settings().database_url


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 1 with the reason and the way to go on standard error."""
    parser = argparse.ArgumentParser(prog="python -m videoannotator.store", description=__doc__)
    parser.add_argument("command", choices=("upgrade", "check"))
    parser.add_argument("--url", help="address of the database; default: from the settings")
    given = parser.parse_args(arguments)
    act = {"upgrade": upgrade, "check": check}[given.command]
    try:
        act(given.url or _configured_url())
    except VideoAnnotatorError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        return 1
    print(f"The database has the schema of this program ({head()}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
