"""The `videoannotator` command."""

import sys
from collections.abc import Sequence

import typer

from videoannotator import __version__
from videoannotator.cli import (
    config,
    database,
    jobs,
    pipelines,
    processing,
    scheduling,
    serving,
    tokens,
)
from videoannotator.cli.exits import epilog, exit_code
from videoannotator.cli.options import Json
from videoannotator.cli.output import tell_error, tell_interrupted, write, write_json
from videoannotator.domain.errors import VideoAnnotatorError

app = typer.Typer(
    name="videoannotator",
    help="Annotates research videos.",
    epilog=epilog(),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serving.serve)
app.command("api")(serving.api)
app.command("process")(processing.process)
app.add_typer(jobs.app, name="job")
app.add_typer(pipelines.app, name="pipelines")
app.add_typer(tokens.app, name="token")
app.add_typer(scheduling.app, name="scheduler")
app.add_typer(config.app, name="config")
app.add_typer(database.app, name="db")


@app.command()
def version(json: Json = False) -> None:
    """Tell the version of this program."""
    write_json({"version": __version__}) if json else write(__version__)


def main(arguments: Sequence[str], program: typer.Typer = app) -> int:
    """Runs one command of `program`; returns its exit code."""
    try:
        program(args=list(arguments))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        return tell_interrupted()
    except VideoAnnotatorError as error:
        tell_error(error, as_json="--json" in arguments)
        return exit_code(error)
    return 0


def run() -> None:
    """Runs the command that this process was started with."""
    sys.exit(main(sys.argv[1:]))
