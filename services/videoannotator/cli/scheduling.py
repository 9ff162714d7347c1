"""`videoannotator scheduler …`: a scheduler of its own, and what an operator wants of one."""

from typing import TYPE_CHECKING, Annotated

import typer

from videoannotator.cli.options import Json, Server, connected
from videoannotator.cli.output import (
    moment,
    say,
    write,
    write_json,
    write_pairs,
    write_table,
)
from videoannotator.cli.serving import TelemetryPort, schedule

if TYPE_CHECKING:
    from videoannotator.client import Queue, Slot

app = typer.Typer(invoke_without_command=True)
#: What GET /api/v1/queue tells and GET /api/v1/capacity does not.
OF_THE_QUEUE = ("waiting", "total")


@app.callback()
def scheduler(
    context: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|unix",
            help="Where to serve the api; by default a Unix socket of this machine.",
            show_default=False,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where the api reaches this scheduler, when that is another address.",
            show_default=False,
        ),
    ] = None,
    telemetry_port: TelemetryPort = None,
    json: Json = False,
) -> None:
    """Start a scheduler; or, with a command, tell the one that leads what to do.

    Any number may run side by side: one leads, the others take over when it ends. Ctrl-C and
    SIGTERM end it at once and leave its workers to the next one.
    """
    if context.invoked_subcommand is None:
        schedule(listen, address, telemetry_port, json=json)


@app.command()
def status(server: Server = None, json: Json = False) -> None:
    """Show the workers with their ids, and the runs that wait, first to go first."""
    with connected(server) as client:
        queue = client.queue()
    write_json(queue.raw) if json else _describe(queue)


def queue(server: Server = None, json: Json = False) -> None:
    """Show the runs that wait, first to go first, and what each waits for."""
    with connected(server) as client:
        found = client.queue()
    if json:
        write_json(found.raw)
    else:
        _show_waiting(found)
        say(f"{len(found.waiting)} runs wait; {len(found.slots)} workers.")


def capacity(server: Server = None, json: Json = False) -> None:
    """Show what holds a place, for how long, and how many places there are."""
    with connected(server) as client:
        found = client.queue()
    if json:
        write_json({name: value for name, value in found.raw.items() if name not in OF_THE_QUEUE})
        return
    _show_places(found)
    if found.slots:
        write("")
        _show_workers(found)


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
    worker: Annotated[
        str,
        typer.Argument(
            metavar="WORKER",
            help="Its id, as 'scheduler status' shows it.",
            show_default=False,
        ),
    ],
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


def _describe(queue: "Queue") -> None:
    _show_places(queue)
    if queue.slots:
        write("")
        _show_workers(queue)
    if queue.waiting:
        write("")
        _show_waiting(queue)


def _show_places(queue: "Queue") -> None:
    gpu_workers = sum(slot.gpus > 0 for slot in queue.slots)
    write_pairs(
        [
            ("workers", f"{len(queue.slots)} of {queue.max_workers}"),
            ("with a GPU", f"{gpu_workers} of {queue.max_gpu_workers}"),
            ("waiting", len(queue.waiting)),
            ("draining", "yes, nothing new is launched" if queue.draining else "no"),
            ("last look", moment(queue.ticked_at)),
            ("trouble", queue.trouble),
        ]
    )


def _show_workers(queue: "Queue") -> None:
    columns = ("WORKER", "STATE", "PIPELINE", "JOB", "#GPUS", "SINCE", "UNPROVEN SINCE")
    write_table(columns, [_worker(slot) for slot in queue.slots])


def _show_waiting(queue: "Queue") -> None:
    rows = [(each.position, each.pipeline, each.job_id, each.reason) for each in queue.waiting]
    write_table(("#POSITION", "PIPELINE", "JOB", "WHY IT WAITS"), rows)


def _worker(slot: "Slot") -> tuple[object, ...]:
    return (
        slot.worker_id,
        slot.state,
        slot.pipeline,
        slot.job_id,
        slot.gpus,
        moment(slot.since),
        moment(slot.unproven_since),
    )
