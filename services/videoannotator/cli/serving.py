"""`videoannotator serve`: api and scheduler of one machine in one process."""

from typing import Annotated

import typer

from videoannotator.cli.options import Json
from videoannotator.cli.output import write, write_json


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="TCP port; 0: any.", show_default=False),
    ] = None,
    json: Json = False,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve on this machine until Ctrl-C, which ends the workers, or SIGTERM, which leaves them.

    The first start prints the first administrator's key, once.
    """
    from videoannotator.cli.machine import run
    from videoannotator.settings import load_settings
    from videoannotator.telemetry import configure

    settings = load_settings()
    chosen = {"host": host, "port": port}
    told = {name: value for name, value in chosen.items() if value is not None}
    settings = settings.model_copy(update={"api": settings.api.model_copy(update=told)})
    configure("serve", settings.telemetry)
    announce = announce_json if json else announce_text
    raise typer.Exit(run(settings, announce, until_stdin_closes=until_stdin_closes))


def announce_json(address: str, admin_key: str | None) -> None:
    """Tells a program where the server is."""
    write_json({"address": address, "admin_key": admin_key})


def announce_text(address: str, admin_key: str | None) -> None:
    """Tells a person where the server is, and the first key."""
    if admin_key is not None:
        write("")
        write("The first administrator's key. It is shown this once:")
        write("")
        write(f"    export VIDEOANNOTATOR_TOKEN={admin_key}")
        write("")
    write(f"VideoAnnotator serves on {address}. Ctrl-C ends it and its workers.")
