"""`videoannotator job …`: jobs at a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from videoannotator.cli.exits import exit_code_of
from videoannotator.cli.options import (
    Config,
    JobId,
    Json,
    Pipelines,
    Server,
    connected,
    names,
    read_config,
)
from videoannotator.cli.output import (
    duration,
    moment,
    say,
    size,
    write,
    write_json,
    write_pairs,
    write_table,
)
from videoannotator.domain.errors import InvalidRequest
from videoannotator.domain.jobs import JobState

if TYPE_CHECKING:
    from videoannotator.client import Client, Job

app = typer.Typer(help="Submit, watch and fetch jobs.", no_args_is_help=True)


@app.command()
def submit(  # noqa: PLR0913, PLR0917 - an argument for each option
    video: Annotated[Path, typer.Argument(exists=True, dir_okay=False, show_default=False)],
    pipelines: Pipelines,
    config: Config = None,
    priority: Annotated[int, typer.Option(help="Higher goes first.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it until it has ended.")] = False,
    server: Server = None,
    json: Json = False,
) -> None:
    """Send a video and ask for pipelines on it; writes the job's id."""
    from videoannotator.cli.progress import board

    if not names(pipelines):
        raise InvalidRequest("No pipeline is named.", hint="Use --pipelines a,b.")
    with connected(server) as client:
        with board() as shown:
            job = client.submit(
                video,
                names(pipelines),
                read_config(config),
                priority=priority,
                report=lambda sent, total: shown.sent(video.name, sent, total),
            )
        if wait:
            _watch(client, job.id, json)
        elif json:
            write_json(job.raw)
        else:
            write(job.id)
            say(f"Watch it with: videoannotator job watch {job.id}")


@app.command()
def status(job_id: JobId, server: Server = None, json: Json = False) -> None:
    """Tell how a job is."""
    with connected(server) as client:
        job = client.job(job_id)
    write_json(job.raw) if json else _describe(job)


@app.command("list")
def list_jobs(  # noqa: PLR0913, PLR0917 - an argument for each option
    status: Annotated[JobState | None, typer.Option(help="Only those in this state.")] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only those with this pipeline.")] = None,
    search: Annotated[str | None, typer.Option(help="Only those with this in their name.")] = None,
    page: Annotated[int, typer.Option(min=1)] = 1,
    per_page: Annotated[int, typer.Option(min=1, max=100)] = 20,
    server: Server = None,
    json: Json = False,
) -> None:
    """List jobs, the newest first."""
    with connected(server) as client:
        found = client.job_page(page, per_page, status=status, pipeline=pipeline, search=search)
    if json:
        jobs = [job.raw for job in found.jobs]
        write_json({"jobs": jobs, "total": found.total, "page": page, "per_page": per_page})
        return
    columns = ("JOB", "STATE", "#DONE", "VIDEO", "PIPELINES", "CREATED")
    write_table(columns, [_row(job) for job in found.jobs])
    say(f"{len(found.jobs)} of {found.total} jobs, page {page}.")


@app.command()
def watch(job_id: JobId, server: Server = None, json: Json = False) -> None:
    """Show a job's progress until it has ended."""
    with connected(server) as client:
        _watch(client, job_id, json)


@app.command()
def cancel(job_id: JobId, server: Server = None, json: Json = False) -> None:
    """Ask for a job's end."""
    with connected(server) as client:
        job = client.cancel(job_id)
    write_json(job.raw) if json else write(job.status)


@app.command()
def delete(job_id: JobId, server: Server = None, json: Json = False) -> None:
    """Remove a job and its results."""
    with connected(server) as client:
        client.delete(job_id)
    write_json({"id": job_id, "deleted": True}) if json else say(f"Job {job_id} is deleted.")


@app.command()
def results(job_id: JobId, server: Server = None, json: Json = False) -> None:
    """Tell what a job found and which files there are."""
    with connected(server) as client:
        if json:
            write_json(client.results(job_id).raw)
            return
        job = client.job(job_id)
    _show_runs(job)
    columns = ("FILE", "PIPELINE", "#SIZE", "TYPE")
    write_table(
        columns,
        [(file.name, file.pipeline, size(file.size_bytes), file.media_type) for file in job.files],
    )


@app.command()
def download(
    job_id: JobId,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path(
        "results"
    ),
    pipelines: Pipelines = "",
    archive: Annotated[
        Path | None, typer.Option("--zip", help="Save video and results as this one file instead.")
    ] = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """Save the result files of a job."""
    with connected(server) as client:
        if archive is not None:
            saved: Sequence[Path] = [client.artifacts(job_id, archive)]
        else:
            saved = client.download(job_id, output, names(pipelines))
    paths = [str(path) for path in saved]
    write_json({"files": paths}) if json else write("\n".join(paths))


def _watch(client: "Client", job_id: str, as_json: bool) -> None:
    """Shows a job until it has ended; ends the command with the job's exit code."""
    from videoannotator.cli.progress import board

    with board() as shown:
        for job in client.watch(job_id):
            write_json(job.raw) if as_json else shown.show(job.video_filename, job)
    if not as_json:
        _describe(job)
    raise typer.Exit(exit_code_of(job.status, tuple(run.status for run in job.runs)))


def _describe(job: "Job") -> None:
    write_pairs(
        [
            ("job", job.id),
            ("state", job.status),
            ("video", job.video_filename),
            ("size", size(job.video_size_bytes)),
            ("duration", duration(job.video_duration_seconds)),
            ("created", moment(job.created_at)),
            ("ended", moment(job.completed_at)),
            ("waiting", job.waiting_reason),
            ("queue position", job.queue_position),
            ("left", duration(job.eta_seconds)),
            ("message", job.error_message),
        ]
    )
    _show_runs(job)


def _show_runs(job: "Job") -> None:
    from videoannotator.cli.failures import failure_lines
    from videoannotator.cli.progress import found, state

    columns = ("PIPELINE", "STATE", "#TRY", "FOUND", "#FILES")
    rows = [
        (run.pipeline, state(run), run.attempt, found(run), len(run.artifacts)) for run in job.runs
    ]
    write_table(columns, rows)
    for run in job.runs:
        if run.error is not None:
            say("\n  ".join((f"{run.pipeline}:", *failure_lines(run.error))))


def _row(job: "Job") -> tuple[object, ...]:
    return (
        job.id,
        job.status,
        f"{job.progress:.0%}",
        job.video_filename,
        ",".join(job.selected_pipelines),
        moment(job.created_at),
    )
