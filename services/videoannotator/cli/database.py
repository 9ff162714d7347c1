"""`videoannotator db …`: the schema of the database of this machine's settings."""

import typer

from videoannotator.cli.options import Json
from videoannotator.cli.output import say, write_json

app = typer.Typer(help="Prepare the database.", no_args_is_help=True)


@app.command()
def upgrade(json: Json = False) -> None:
    """Bring the database to the schema of this program; it may be repeated."""
    from videoannotator.settings import load_settings
    from videoannotator.store import schema

    schema.upgrade(load_settings().database_url)
    _tell(schema.head(), json)


@app.command()
def check(json: Json = False) -> None:
    """Tell whether the database has the schema that this program needs."""
    from videoannotator.settings import load_settings
    from videoannotator.store import schema

    schema.check(load_settings().database_url)
    _tell(schema.head(), json)


def _tell(revision: str, as_json: bool) -> None:
    if as_json:
        write_json({"schema": revision, "current": True})
    else:
        say(f"The database has the schema of this program ({revision}).")
