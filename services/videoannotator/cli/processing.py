"""`videoannotator process`: videos in, annotation files out, with one command."""

from pathlib import Path
from typing import Annotated

import typer

from videoannotator.cli.exits import ExitCode
from videoannotator.cli.options import Config, Json, Pipelines, names, read_config
from videoannotator.cli.output import say, write_json


def process(  # noqa: PLR0913, PLR0917 - an argument for each option
    videos: Annotated[
        list[Path], typer.Argument(metavar="VIDEO...", help="Files or folders.", show_default=False)
    ],
    pipelines: Pipelines = "",
    config: Config = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path(
        "results"
    ),
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the private server's storage and log on a failure.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the end of the log of what failed.")
    ] = False,
    json: Json = False,
) -> None:
    """Annotate videos with a private server of this machine; its files go to OUTPUT/<video name>.

    Without --pipelines every pipeline runs that can run here. Ctrl-C ends everything. A folder that
    holds results of another video is left alone: OUTPUT/<video name>-2 is used then.
    """
    from videoannotator.cli.annotating import Order, annotate, failed, told, write_outcomes
    from videoannotator.cli.private import private_server
    from videoannotator.cli.private_folder import private_folder
    from videoannotator.cli.videos import videos_in
    from videoannotator.settings import load_settings

    order = Order(
        videos=videos_in(videos),
        pipelines=names(pipelines),
        config=read_config(config),
        output=output,
    )
    grace = load_settings().scheduler.stop_grace_seconds
    with private_folder(output) as folder:
        with private_server(folder, grace) as server:
            outcomes = annotate(server.address, server.token, order)
        if keep and failed(outcomes):
            folder.keep()
    write_json({"jobs": told(outcomes)}) if json else write_outcomes(outcomes, verbose=verbose)
    if folder.kept:
        say(f"Kept: {folder.path}")
    raise typer.Exit(ExitCode.FAILED if failed(outcomes) else ExitCode.OK)
