"""`videoannotator serve`, `api` and `scheduler`: the processes that serve, in the foreground."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videoannotator.cli.options import Json
from videoannotator.cli.output import write, write_json
from videoannotator.processes.collecting import loading

if TYPE_CHECKING:
    from videoannotator.api.process import Started
    from videoannotator.settings import Settings

Host = Annotated[
    str | None, typer.Option(help="Address to listen on for REST.", show_default=False)
]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="TCP port for REST; 0: any.", show_default=False),
]
GrpcHost = Annotated[
    str | None, typer.Option(help="Address to listen on for gRPC.", show_default=False)
]
GrpcPort = Annotated[
    str | None,
    typer.Option(
        metavar="PORT", help="TCP port for gRPC; 0: any; none: no gRPC.", show_default=False
    ),
]
TelemetryPort = Annotated[
    str | None,
    typer.Option(
        metavar="PORT", help="TCP port for probes and metrics; 0: any; none.", show_default=False
    ),
]


def serve(
    host: Host = None,
    port: Port = None,
    grpc_port: GrpcPort = None,
    json: Json = False,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve on this machine until Ctrl-C, which ends the workers, or SIGTERM, which leaves them.

    The first start prints the first administrator's key, once.
    """
    with loading():
        from videoannotator.cli.machine import run

    chosen = {"api.host": host, "api.port": port, "api.grpc_port": grpc_port}
    settings = _settings("serve", chosen)
    announce = announce_json if json else announce_server
    raise typer.Exit(run(settings, announce, until_stdin_closes=until_stdin_closes))


def api(
    host: Host = None,
    port: Port = None,
    grpc_host: GrpcHost = None,
    grpc_port: GrpcPort = None,
    telemetry_port: TelemetryPort = None,
    json: Json = False,
) -> None:
    """Serve REST and gRPC alone; a scheduler runs elsewhere. Any number may run side by side.

    Needs a database that 'videoannotator db upgrade' prepared. The first start on an empty one
    prints the first administrator's key, once. Ctrl-C and SIGTERM let requests under way finish.
    """
    with loading():
        from videoannotator.api.process import run

    chosen = {
        "api.host": host,
        "api.port": port,
        "api.grpc_host": grpc_host,
        "api.grpc_port": grpc_port,
        "telemetry.port": telemetry_port,
    }
    raise typer.Exit(run(_settings("api", chosen), announce_json if json else announce_api))


def schedule(
    listen: str | None, address: str | None, telemetry_port: str | None, *, json: bool
) -> None:
    """Runs a scheduler until a signal ends it."""
    with loading():
        from videoannotator.scheduler.process import run

    chosen = {
        "scheduler.listen": listen,
        "scheduler.address": address,
        "telemetry.port": telemetry_port,
    }
    announce = announce_json if json else announce_scheduler
    raise typer.Exit(run(_settings("scheduler", chosen), announce))


def _settings(process: str, chosen: Mapping[str, object]) -> "Settings":
    """The settings of a process, what was chosen as an option first; its lines carry its name."""
    from videoannotator.settings import environment, load_settings, variable
    from videoannotator.telemetry import configure

    told = {variable(name): str(value) for name, value in chosen.items() if value is not None}
    settings = load_settings({**environment(), **told})
    configure(process, settings.telemetry)
    return settings


def announce_json(started: Any) -> None:
    """Tells a program where the process is."""
    write_json(asdict(started))


def announce_server(started: "Started") -> None:
    """Tells a person where the server is, and the first key."""
    _write_key(started.admin_key)
    write(f"VideoAnnotator serves on {started.address}. Ctrl-C ends it and its workers.")
    _write_grpc(started.grpc_address)


def announce_api(started: "Started") -> None:
    """Tells a person where the api is, and the first key."""
    _write_key(started.admin_key)
    write(f"The api serves on {started.address}. Ctrl-C ends it.")
    _write_grpc(started.grpc_address)


def announce_scheduler(started: Any) -> None:
    """Tells a person where the scheduler is."""
    write(f"The scheduler runs; the api reaches it under {started.address} while it leads.")
    write("Ctrl-C ends it and leaves its workers to the next one.")


def _write_key(admin_key: str | None) -> None:
    if admin_key is None:
        return
    write("")
    write("The first administrator's key. It is shown this once:")
    write("")
    write(f"    export VIDEOANNOTATOR_TOKEN={admin_key}")
    write("")


def _write_grpc(grpc_address: str | None) -> None:
    if grpc_address is not None:
        write(f"gRPC is on {grpc_address}.")
