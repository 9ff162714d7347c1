"""`videoannotator pipelines …`: what a server can do."""

from typing import Annotated

import typer

from videoannotator.cli.options import Json, Server, connected
from videoannotator.cli.output import write, write_json, write_pairs, write_table

app = typer.Typer(help="Tell what a server can do.", no_args_is_help=True)


@app.command("list")
def list_pipelines(server: Server = None, json: Json = False) -> None:
    """List the pipelines of a server, and whether they can run there."""
    with connected(server) as client:
        found = client.pipelines()
    if json:
        write_json({"pipelines": [each.raw for each in found], "total": len(found)})
        return
    rows = [
        (each.name, each.version, each.stability, each.availability.state, each.description)
        for each in found
    ]
    write_table(("PIPELINE", "VERSION", "STABILITY", "HERE", "DESCRIPTION"), rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="PIPELINE", show_default=False)],
    server: Server = None,
    json: Json = False,
) -> None:
    """Tell a pipeline's parameters and files."""
    with connected(server) as client:
        found = client.pipeline(name)
    if json:
        write_json(found.raw)
        return
    outputs = [f"{each.format} ({', '.join(each.types)})" for each in found.outputs]
    write_pairs(
        [
            ("pipeline", found.name),
            ("version", found.version),
            ("stability", found.stability),
            ("here", found.availability.state),
            ("reason", found.availability.reason),
            ("to change that", found.availability.command),
            ("files", ", ".join(outputs)),
            ("about", found.description),
        ]
    )
    write("")
    rows = [
        (key, each.get("type"), each.get("default"), each.get("description"))
        for key, each in found.config_schema.items()
    ]
    write_table(("PARAMETER", "TYPE", "DEFAULT", "DESCRIPTION"), rows)
