"""`videoannotator pipelines …`: what a server can do."""

from collections.abc import Mapping
from json import dumps as json_text
from typing import Annotated, Any

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
    """Tell a pipeline's files and its parameters: default, what is allowed, unit, meaning."""
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
    columns = ("PARAMETER", "TYPE", "DEFAULT", "ALLOWED", "UNIT", "DESCRIPTION")
    write_table(columns, [_row(key, each) for key, each in found.config_schema.items()])


def _row(name: str, described: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        name,
        described.get("type"),
        shown(described.get("default")),
        allowed(described),
        described.get("unit"),
        described.get("description"),
    )


def shown(value: object) -> str:
    """A value as people write it: `adaptive`, `0.5`, `false`; `none` for none."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json_text(value, ensure_ascii=False)


def allowed(described: Mapping[str, Any]) -> str:
    """What a parameter takes: `a, b`, `0 to 255`, `at least 1`; empty: its type says all."""
    if "enum" in described:
        return ", ".join(shown(each) for each in described["enum"])
    low = _bound(described, "minimum", "exclusiveMinimum", "more than")
    high = _bound(described, "maximum", "exclusiveMaximum", "less than")
    if "minimum" in described and "maximum" in described:
        return f"{low} to {high}"
    told = [f"at least {low}" if "minimum" in described else low]
    told.append(f"at most {high}" if "maximum" in described else high)
    return ", ".join(each for each in told if each)


def _bound(described: Mapping[str, Any], with_it: str, without: str, words: str) -> str:
    if with_it in described:
        return f"{described[with_it]:g}"
    return f"{words} {described[without]:g}" if without in described else ""
