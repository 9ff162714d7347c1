"""`videoannotator scheduler …`: what an operator wants of a server's scheduler."""

from typing import Annotated

import typer

from videoannotator.cli.options import Json, Server, connected
from videoannotator.cli.output import say, write_json

app = typer.Typer(help="Tell the scheduler what to do; for administrators.", no_args_is_help=True)


@app.command()
def drain(
    off: Annotated[bool, typer.Option("--off", help="Launch again.")] = False,
    server: Server = None,
    json: Json = False,
) -> None:
    """Launch nothing new; what runs goes on."""
    with connected(server) as client:
        client.drain(not off)
    if json:
        write_json({"draining": not off})
    else:
        say("Runs are launched again." if off else "Nothing new is launched. Undo it with --off.")


@app.command()
def abandon(
    worker: Annotated[str, typer.Argument(metavar="WORKER", show_default=False)],
    server: Server = None,
    json: Json = False,
) -> None:
    """Give up a worker that cannot be proved gone: its slot is free, and a cancel of it ends.

    Its run is tried again only when the worker is gone for sure.
    """
    with connected(server) as client:
        client.abandon(worker)
    if json:
        write_json({"worker": worker, "abandoned": True})
    else:
        say(f"Worker {worker} is given up.")
