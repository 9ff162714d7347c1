"""`kubectl videoannotator …`: what an operator of a cluster asks for, as a plugin of kubectl.

kubectl finds it by its name in PATH, `kubectl-videoannotator`.
"""

import sys

import typer

from videoannotator.cli import jobs, scheduling
from videoannotator.cli.exits import epilog
from videoannotator.cli.main import main
from videoannotator.cli.why import why

app = typer.Typer(
    name="kubectl videoannotator",
    help="Looks after VideoAnnotator on a cluster.",
    epilog=epilog(),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("queue")(scheduling.queue)
app.command("capacity")(scheduling.capacity)
app.command("job")(jobs.status)
app.command("cancel")(jobs.cancel)
app.command("drain")(scheduling.drain)
app.command("abandon")(scheduling.abandon)
app.command("why")(why)


def run() -> None:
    """Runs the command that this process was started with."""
    sys.exit(main(sys.argv[1:], app))
