"""`videoannotator config …`: settings of this machine, parameters for a server."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from videoannotator.cli.exits import ExitCode
from videoannotator.cli.options import Json, Pipelines, Server, connected, names, read_config
from videoannotator.cli.output import write, write_json, write_table

if TYPE_CHECKING:
    from videoannotator.client import Validation

app = typer.Typer(help="Show settings, check parameters.", no_args_is_help=True)


@app.command()
def show(
    describe: Annotated[
        bool, typer.Option("--describe", help="Tell what each is for, its unit and its reason.")
    ] = False,
    json: Json = False,
) -> None:
    """Show the settings in force on this machine and where each came from; secrets are masked."""
    from videoannotator.settings import effective, load_client_settings, load_settings

    rows = [*effective(load_settings()), *effective(load_client_settings())]
    if json:
        write_json({"settings": [asdict(row) for row in rows]})
    elif describe:
        told = ((row.variable, row.value, row.origin, row.description) for row in rows)
        write_table(("VARIABLE", "VALUE", "FROM", "FOR"), told)
    else:
        write_table(
            ("VARIABLE", "VALUE", "FROM"), ((row.variable, row.value, row.origin) for row in rows)
        )


@app.command()
def validate(
    file: Annotated[
        Path, typer.Argument(help="JSON file with parameters; - is stdin.", show_default=False)
    ],
    pipelines: Pipelines = "",
    server: Server = None,
    json: Json = False,
) -> None:
    """Ask a server whether it would accept these parameters."""
    config = read_config(file)
    with connected(server) as client:
        answer = client.validate(config, names(pipelines) or list(config))
    write_json(answer.raw) if json else _tell(answer)
    raise typer.Exit(ExitCode.OK if answer.valid else ExitCode.USAGE)


def _tell(answer: "Validation") -> None:
    for finding in (*answer.errors, *answer.warnings):
        severity = finding.severity or ("error" if finding in answer.errors else "warning")
        write(f"{severity}: {finding.field}: {finding.message} {finding.hint}".rstrip())
    write("valid" if answer.valid else "not valid")
