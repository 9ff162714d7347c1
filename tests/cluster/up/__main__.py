"""What make calls: `python -m tests.cluster.up build helm versitygw`."""

import argparse

from tests.cluster.up import programs


def build(names: list[str]) -> None:
    """Builds programs, all without names, and prints where they are."""
    for name in names or programs.SOURCES:
        print(programs.program(name))
    programs.link()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.up", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="build programs from Go modules")
    building.add_argument("names", nargs="*", choices=[[], *programs.SOURCES], metavar="NAME")
    given = parser.parse_args()
    build(given.names)


if __name__ == "__main__":
    main()
