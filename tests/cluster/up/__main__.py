"""What make calls: `python -m tests.cluster.up up --gpus 2`."""

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.cluster.up import node, packages, processes, programs, removing, starting
from tests.cluster.up.components import COMPONENTS
from tests.cluster.up.places import KUBECONFIG, NAME

NEXT = """The cluster is up. Next:
  export KUBECONFIG={kubeconfig} PATH={programs}:$PATH
  kubectl get nodes,pods -A
  make test-cluster
  make cluster-down"""


def main() -> int:
    """Reads the command line; the exit status."""
    given = _arguments()
    try:
        return int(COMMANDS[given.command](given) or 0)
    except (packages.Missing, processes.Failed, FileNotFoundError) as error:
        print(error, file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"{error}\n{error.stderr or ''}".rstrip(), file=sys.stderr)
    return 1


def up(given: argparse.Namespace) -> None:
    """Brings the cluster up, unless there is another to be used."""
    if another := another_cluster():
        print(f"KUBECONFIG names a cluster ({another}): that one is used, nothing is started.")
        return
    starting.must_be_root()
    with alone():
        starting.up(given.gpus)
    print(NEXT.format(kubeconfig=KUBECONFIG, programs=programs.CACHE / "bin"))


def down(_: argparse.Namespace) -> None:
    """Takes the cluster down; another one is left alone."""
    if another := another_cluster():
        print(f"KUBECONFIG names a cluster ({another}): that one is left alone.")
        return
    starting.must_be_root()
    with alone():
        print("The cluster is gone." if removing.down() else "There was no cluster.")


def gpus(given: argparse.Namespace) -> None:
    """Changes how many GPUs the node offers."""
    node.set_gpus(given.number)


def load(given: argparse.Namespace) -> None:
    """Gives the node the images of an archive."""
    for archive in given.archives:
        node.import_image(archive)


def build(given: argparse.Namespace) -> None:
    """Builds programs, all without names, and prints where they are."""
    for name in given.names or programs.SOURCES:
        print(programs.program(name), flush=True)
    programs.link()


def one(given: argparse.Namespace) -> None:
    """Starts, stops, kills, freezes or thaws one component."""
    if given.command == "start":
        processes.start(given.component, starting.program_of(given.component))
    else:
        getattr(processes, given.command)(given.component)


COMMANDS = {
    "build": build,
    "down": down,
    "gpus": gpus,
    "load": load,
    "up": up,
    **dict.fromkeys(("start", "stop", "kill", "freeze", "thaw"), one),
}


def another_cluster() -> str | None:
    """The value of KUBECONFIG when it names a cluster that is not ours."""
    named = os.environ.get("KUBECONFIG", "")
    return named if named and Path(named).resolve() != KUBECONFIG else None


def alone() -> socket.socket:
    """Held by whoever changes the cluster of this machine, and gone with them.

    Raises: processes.Failed while another process does so.
    """
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0{NAME}")
    except OSError as error:
        held.close()
        message = "Another `make cluster` or `make cluster-down` is at work on this machine."
        raise processes.Failed(message) from error
    return held


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.up", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    told = {name: commands.add_parser(name, help=act.__doc__) for name, act in COMMANDS.items()}
    told["build"].add_argument("names", nargs="*", metavar="NAME")
    told["up"].add_argument("--gpus", type=int, default=2)
    told["gpus"].add_argument("number", type=int)
    told["load"].add_argument("archives", nargs="+", type=Path)
    for name, act in COMMANDS.items():
        if act is one:
            told[name].add_argument("component", choices=COMPONENTS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
